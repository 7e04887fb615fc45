// LiveSet: which entries of a group are still needed. An immutable value that the group's shard derives from a durable
// snapshot and shares with the log's compaction, which may forget every entry that is not in it.
#pragma once
#include <utility>
#include <vector>

#include "base/ids.h"

namespace quorate::storage {

/// Everything up to `snapshot` that is not in `live` may vanish; everything after `snapshot` is needed.
struct LiveSet {
  LogIndex snapshot;
  std::vector<std::pair<LogIndex, LogIndex>> live;  // closed ranges, ascending, apart from each other

  bool contains(LogIndex index) const;
  /// Everything from `index` on is needed too.
  void keep_from(LogIndex index);
  bool operator==(const LiveSet&) const = default;
};

}  // namespace quorate::storage
