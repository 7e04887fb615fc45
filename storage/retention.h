// Retention: what RocksDB may forget of each group, asked by its compactions and flushes, key by key and never by
// value. Shards publish live sets and the log writer adds and removes groups; compactions work on the immutable map of
// all groups that was current when they began. Nothing is forgotten before arm(): recovery flushes before groups are
// known.
#pragma once
#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/persistent_map.h"
#include "storage/live_set.h"

namespace quorate::storage {

class Retention final : public rocksdb::CompactionFilterFactory {
 public:
  /// A group without a live set keeps everything; a group that is not here keeps nothing, for it was dropped.
  using Groups = PersistentMap<std::uint64_t, std::shared_ptr<const LiveSet>>;

  Retention() : groups_(std::make_shared<const Groups>()) {}

  /// All groups have been added: from now on compactions ask.
  void arm() { armed_.store(true, std::memory_order_release); }

  /// Before the group's first entry can reach a compaction.
  void add(GroupId group);
  /// Before a write that begins the group anew: it keeps everything again.
  void forget_live(GroupId group) { retain(group, nullptr); }
  /// After the group's end is written.
  void remove(GroupId group);
  /// A live set that arrives after the group's end is ignored.
  void retain(GroupId group, std::shared_ptr<const LiveSet> live);
  bool has(GroupId group) const;
  std::vector<GroupId> groups() const;

  const char* Name() const override { return "quorate.Retention"; }
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override;
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;

 private:
  template <class Change>
  void change(Change&& change);

  std::atomic<bool> armed_ = false;
  std::atomic<std::shared_ptr<const Groups>> groups_;
};

}  // namespace quorate::storage
