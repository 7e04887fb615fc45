// One question to a node, from whoever has no plane: a tool, or a node that does not run.
#pragma once
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/plane/plane_options.h"
#include "cluster/seed.h"

namespace quorate::cluster {

/// Blocks until there is an answer or the time is up. Of `options`, the secret and the certificates are used.
/// ErrorCode::unavailable: nobody answered, in time or at all; everything else is what the node said.
Result<Bytes> ask_once(const PlaneOptions& options, const Seed& node, std::string kind, const Bytes& question,
                       Duration timeout);

}  // namespace quorate::cluster
