// Standing alone: what one node has becomes a cluster of its own, when the majority of its cluster is lost for good
// (decision 21). A file announces it with the id of the new cluster before anything changes. Every start does what the
// file says and finds undone, and takes the file away when the metadata has forgotten the other nodes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "broker/node/config.h"

namespace quorate {

inline constexpr std::string_view kStandaloneFile = "standalone";

/// Durable when it returns.
Result<void> announce_standalone(const std::string& data_dir, std::uint64_t cluster_id);
/// The id of the cluster that was announced.
Result<std::optional<std::uint64_t>> announced_standalone(const std::string& data_dir);
Result<void> end_standalone(const std::string& data_dir);

/// Carries the order out, of a node that does not run: looks whether what it has can be a cluster, and announces that.
Result<void> make_standalone(const Config& config, const Clock& clock);

}  // namespace quorate
