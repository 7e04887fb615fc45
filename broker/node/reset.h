// Reset: a data directory becomes that of a new node. It is announced by a file before anything goes, so that a power
// cut in between leaves no half of a node: whoever opens the directory next goes on with it.
#pragma once
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/seed.h"

namespace quorate {

/// Durable when it returns; `join` is whose cluster the new node is to join. No process uses the directory.
Result<void> announce_reset(const std::string& data_dir, const std::optional<cluster::Seed>& join);
/// Does what was announced, if something was. By whoever has locked the directory.
Result<void> carry_out_reset(const std::string& data_dir);

}  // namespace quorate
