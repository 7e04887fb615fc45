#include "storage/promise_rules.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "raft/configuration.h"

namespace quorate::storage {
namespace {

Promise promise_of(const GroupRow& row) {
  return {.self = row.self, .term = row.hard_state.term, .voted_for = row.hard_state.voted_for};
}

bool is_one_of_several(GroupId group, const GroupRow& row) {
  return row.self != raft::kNoReplica && !is_staging(group) && !row.configuration.is_alone(row.self);
}

/// Bytes that are no configuration count as one: better a promise too many.
bool makes_several(const raft::Entry& entry, raft::ReplicaId self) {
  const auto configuration = raft::decode_configuration(entry.payload.view());
  return !configuration || !configuration->is_alone(self);
}

/// The changes of one batch, in its order.
class Changes {
 public:
  Changes(std::span<const GroupWrite> writes, const Promises& promises, const RowOf& row_of)
      : writes_(writes), promises_(promises), row_of_(row_of) {}

  Result<std::vector<PromiseChange>> take() && {
    for (const GroupWrite& write : writes_) {
      if (auto followed = follow(write); !followed) return std::unexpected(followed.error());
    }
    return std::move(changes_);
  }

 private:
  Result<void> follow(const GroupWrite& write) {
    const auto held = find(write.group);
    if (write.row) {
      const Promise promise = promise_of(*write.row);
      if ((held || is_one_of_several(write.group, *write.row)) && held != promise) change(write.group, promise);
    } else if (write.drop && held) {
      Promise ended = *held;
      ended.has_ended = true;
      change(write.group, ended);
    }
    for (const raft::Entry& entry : write.entries) {
      if (entry.type != raft::EntryType::config || is_staging(write.group) || find(write.group)) continue;
      const auto read = row_at(write);
      if (!read) return std::unexpected(read.error());
      const std::optional<GroupRow>& row = *read;
      const bool has_self = row && row->self != raft::kNoReplica;
      if (has_self && makes_several(entry, row->self)) change(write.group, promise_of(*row));
    }
    return {};
  }

  std::optional<Promise> find(GroupId group) const {
    if (const auto at = changed_.find(group); at != changed_.end()) {
      return at->second.has_ended ? std::nullopt : std::optional(at->second);
    }
    const Promise* promise = promises_.find(group);
    return promise == nullptr ? std::nullopt : std::optional(*promise);
  }

  void change(GroupId group, const Promise& promise) {
    changed_.insert_or_assign(group, promise);
    changes_.emplace_back(group, promise);
  }

  /// The group's row as of `write`: in it, before it in this batch, or in the database.
  Result<std::optional<GroupRow>> row_at(const GroupWrite& write) const {
    const auto count = static_cast<std::size_t>(&write - writes_.data()) + 1;
    for (std::size_t i = count; i > 0; --i) {
      if (writes_[i - 1].group == write.group && writes_[i - 1].row) return writes_[i - 1].row;
    }
    return row_of_(write.group);
  }

  std::span<const GroupWrite> writes_;
  const Promises& promises_;
  const RowOf& row_of_;
  std::map<GroupId, Promise> changed_;
  std::vector<PromiseChange> changes_;
};

/// An entry that has been lost may have been the one that left this replica alone.
GroupRow with_lost_entries(GroupRow row) {
  row.hard_state.recovering = true;
  if (row.company && row.company->has_others) row.company.reset();
  return row;
}

/// Of the same replica. A vote is newer than none.
raft::HardState newer(const raft::HardState& row, const Promise& promise) {
  const bool row_is_newer =
      row.term > promise.term || (row.term == promise.term && promise.voted_for == raft::kNoReplica);
  if (row_is_newer) return row;
  return {.term = promise.term, .voted_for = promise.voted_for};
}

}  // namespace

Result<std::vector<PromiseChange>> changes_of(std::span<const GroupWrite> writes, const Promises& promises,
                                              const RowOf& row_of) {
  return Changes(writes, promises, row_of).take();
}

std::map<GroupId, Promise> promises_of(const Rows& rows, const std::map<GroupId, Promise>& kept) {
  std::map<GroupId, Promise> out;
  for (const auto& [group, row] : rows) {
    if (is_staging(group) || row.self == raft::kNoReplica) continue;
    const auto at = kept.find(group);
    const bool is_kept = at != kept.end() && !at->second.has_ended;
    if (is_kept || is_one_of_several(group, row)) out.emplace(group, promise_of(row));
  }
  return out;
}

std::map<GroupId, Promise> all_promises_of(const Rows& rows) {
  std::map<GroupId, Promise> out;
  for (const auto& [group, row] : rows) {
    if (!is_staging(group) && row.self != raft::kNoReplica) out.emplace(group, promise_of(row));
  }
  return out;
}

Salvage salvage(const Rows& rows, const std::map<GroupId, Promise>& promises) {
  Salvage out;
  for (const auto& [group, row] : rows) {
    if (is_staging(group) || promises.contains(group)) continue;
    out.writes.push_back({.group = group, .row = with_lost_entries(row)});
    if (is_one_of_several(group, row)) out.promises.emplace(group, promise_of(row));
  }
  for (const auto& [group, promise] : promises) {
    const auto at = rows.find(group);
    if (promise.has_ended) {
      if (at != rows.end()) out.writes.push_back({.group = group, .drop = true});
      continue;
    }
    const bool is_same = at != rows.end() && at->second.self == promise.self;
    GroupRow row = is_same ? at->second : GroupRow{.self = promise.self};
    row.hard_state = newer(row.hard_state, promise);
    row = with_lost_entries(std::move(row));
    out.promises.emplace(group, promise_of(row));
    out.writes.push_back({.group = group, .drop = !is_same, .row = std::move(row)});
  }
  return out;
}

}  // namespace quorate::storage
