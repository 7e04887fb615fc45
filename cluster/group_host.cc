#include "cluster/group_host.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::cluster {
namespace {

constexpr raft::ReplicaId kSelf{1};

/// An error of one group's bytes, with the name of what it concerns and what to do.
std::unexpected<Error> damaged(const GroupClient& client, const Error& error) {
  return failure(error.code, client.describe() + ": " + error.text +
                                 "; restore the data directory from a copy, or replace this node");
}

std::size_t weight(const raft::Entry& entry) { return entry.payload.size() + limits::kMessageOverheadBytes; }

}  // namespace

GroupHost::GroupHost(Shard& shard, Storage storage, OnFailure on_failure)
    : shard_(shard), storage_(storage), on_failure_(std::move(on_failure)) {}

GroupHost::~GroupHost() { *alive_ = false; }

Result<void> GroupHost::open(GroupId id, GroupClient& client) {
  CHECK(find(id) == nullptr);
  raft::Core::Options options{.self = kSelf, .voters = {kSelf}};
  auto hard_state = storage_.log.hard_state(id);
  if (!hard_state) return damaged(client, hard_state.error());
  if (*hard_state) options.hard_state = **hard_state;

  auto group = std::make_unique<Group>(Group{.id = id, .client = &client});
  auto snapshot = storage_.snapshots.load(id);
  if (!snapshot) return damaged(client, snapshot.error());
  if (*snapshot) {
    const storage::Snapshot& found = **snapshot;
    auto restored = client.restore(found.state.view());
    if (!restored) return damaged(client, restored.error());
    options.last = found.meta.last;
    options.last_ts = group->applied_ts = found.meta.ts;
    options.snapshot = group->snapshot = group->applied = found.meta.last.index;
    group->snapshot_bytes = found.state.size();
    storage_.log.retain(id, std::make_shared<const storage::LiveSet>(found.live));
  }
  auto last = storage_.log.last_entry(id);
  if (!last) return damaged(client, last.error());
  if (*last && (*last)->index > options.last.index) {
    options.last = {.index = (*last)->index, .term = (*last)->term};
    options.last_ts = (*last)->ts;
  }
  group->stored_last = options.last.index;
  group->core = std::make_unique<raft::Core>(options);
  Group& opened = *groups_.emplace(id, std::move(group)).first->second;
  step(opened, raft::Campaign{});
  return {};
}

void GroupHost::drop(GroupId id) {
  groups_.erase(id);
  std::erase_if(writes_, [&](const storage::GroupWrite& write) { return write.group == id; });
  std::erase_if(marks_, [&](const auto& mark) { return mark.first == id; });
  writes_.push_back({.group = id, .drop = true});
  storage_.reader.run([&snapshots = storage_.snapshots, id] {
    // A snapshot that outlives its log is found and dropped at the next start.
    (void)snapshots.drop(id);
  });
}

std::optional<LogIndex> GroupHost::propose(GroupId id, Bytes payload, storage::Durability durability) {
  if (failed_) return std::nullopt;
  Group* group = find(id);
  CHECK(group != nullptr);
  if (durability == storage::Durability::synced) write_durability_ = durability;
  step(*group, raft::Propose{.payload = std::move(payload)});
  return group->core->last_index();
}

void GroupHost::read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) {
  storage_.reader.read(group, from, to, bytes_max, on_this_shard(std::move(done)));
}

GroupHost::ReadDone GroupHost::on_this_shard(ReadDone done) {
  return [this, alive = alive_, done = std::move(done)](Result<std::vector<raft::Entry>> result) mutable {
    shard_.post_from_outside([alive, done = std::move(done), result = std::move(result)]() mutable {
      if (*alive) done(std::move(result));
    });
  };
}

bool GroupHost::is_congested() const { return storage_.writer.pending_bytes() > limits::kLogWriterQueueMaxBytes; }

GroupHost::Group* GroupHost::find(GroupId id) {
  const auto at = groups_.find(id);
  return at == groups_.end() ? nullptr : at->second.get();
}

void GroupHost::step(Group& group, raft::Input input) {
  output_.clear();
  group.core->step(shard_.wall(), std::move(input), output_);
  CHECK(!output_.refused);
  if (output_.append) {
    raft::Append& append = *output_.append;
    if (append.hard_state) write_durability_ = storage::Durability::synced;
    for (const raft::Entry& entry : append.entries) {
      write_bytes_ += weight(entry);
      group.unapplied.push_back(entry);
    }
    const bool joins_last = !writes_.empty() && writes_.back().group == group.id && !append.hard_state;
    if (joins_last) {
      std::ranges::move(append.entries, std::back_inserter(writes_.back().entries));
      marks_.back().second = append.mark;
    } else {
      writes_.push_back({.group = group.id, .entries = std::move(append.entries), .hard_state = append.hard_state});
      marks_.emplace_back(group.id, append.mark);
    }
  }
  mark_dirty(group);
}

void GroupHost::mark_dirty(Group& group) {
  if (group.dirty) return;
  group.dirty = true;
  dirty_.push_back(group.id);
}

bool GroupHost::on_turn_end() {
  if (failed_) return false;
  std::vector<GroupId> dirty;
  dirty.swap(dirty_);
  for (const GroupId id : dirty) {
    Group* group = find(id);
    if (group == nullptr) continue;
    group->dirty = false;
    settle(*group);
    if (failed_) return false;
  }
  submit();
  return !dirty.empty();
}

/// Applies what may be applied and tells the client how far the log is safe.
void GroupHost::settle(Group& group) {
  const bool leads_now = group.core->role() == raft::Role::leader && group.applied < group.core->applicable_index();
  const bool is_first_term_entry =
      leads_now && !group.unapplied.empty() && group.unapplied.front().type == raft::EntryType::noop;
  const GroupId id = group.id;
  if (is_first_term_entry) {
    if (auto replayed = replay(group); !replayed) return fail(damaged(*group.client, replayed.error()).error());
  }
  if (auto applied = apply_ready(group); !applied) return fail(damaged(*group.client, applied.error()).error());
  if (is_first_term_entry) group.client->on_leader();
  if (Group* still = find(id); still != nullptr) {
    still->client->on_committed(still->core->commit_index());
    consider_snapshot(*still);
  }
}

Result<void> GroupHost::replay(Group& group) {
  if (group.applied >= group.stored_last) return {};
  Result<void> applied;
  auto scanned = storage_.log.scan(group.id, group.applied.plus(1), group.stored_last, [&](raft::Entry&& entry) {
    if (entry.index != group.applied.plus(1)) {
      applied = failure(ErrorCode::corruption, "the log of group " + std::to_string(group.id.value()) +
                                                   " lacks entry " + std::to_string(group.applied.value() + 1));
      return false;
    }
    group.applied = entry.index;
    group.applied_ts = entry.ts;
    if (entry.type == raft::EntryType::command) applied = group.client->apply(entry, ApplyMode::replay);
    return applied.has_value();
  });
  if (!scanned) return scanned;
  if (applied && group.applied != group.stored_last) {
    return failure(ErrorCode::corruption, "the log of group " + std::to_string(group.id.value()) + " ends at entry " +
                                              std::to_string(group.applied.value()) + " instead of " +
                                              std::to_string(group.stored_last.value()));
  }
  return applied;
}

Result<void> GroupHost::apply_ready(Group& group) {
  const LogIndex limit = group.core->applicable_index();
  std::size_t count = 0;
  for (const raft::Entry& entry : group.unapplied) {
    if (entry.index > limit) break;
    CHECK_EQ(entry.index, group.applied.plus(1));
    group.applied = entry.index;
    group.applied_ts = entry.ts;
    ++count;
    if (entry.type != raft::EntryType::command) continue;
    if (auto applied = group.client->apply(entry, ApplyMode::live); !applied) return applied;
  }
  group.unapplied.erase(group.unapplied.begin(), group.unapplied.begin() + static_cast<std::ptrdiff_t>(count));
  return {};
}

void GroupHost::submit() {
  if (writes_.empty()) return;
  auto done = [this, alive = alive_, marks = std::move(marks_)](Result<void> result) mutable {
    shard_.post_from_outside([this, alive, marks = std::move(marks), result = std::move(result)] {
      if (*alive) on_append_done(marks, result);
    });
  };
  storage_.writer.submit(std::exchange(writes_, {}), std::exchange(write_bytes_, 0),
                         std::exchange(write_durability_, storage::Durability::buffered), std::move(done));
  marks_.clear();
}

void GroupHost::on_append_done(const std::vector<std::pair<GroupId, raft::LogMark>>& marks,
                               const Result<void>& result) {
  if (!result) return fail(result.error());
  for (const auto& [id, mark] : marks) {
    if (Group* group = find(id); group != nullptr) step(*group, raft::AppendDone{mark});
  }
}

void GroupHost::consider_snapshot(Group& group) {
  if (!group.snapshot_due && !group.snapshotting) {
    const std::uint64_t worthwhile =
        std::max({limits::kSnapshotReclaimMinBytes, group.snapshot_bytes, group.client->state_bytes()});
    const bool is_long = group.applied.value() - group.snapshot.value() >= limits::kSnapshotEntriesMax;
    if (group.client->reclaimable_bytes() >= worthwhile || is_long) take_snapshot(group);
  }
  if (group.snapshot_due && group.core->commit_index() >= group.snapshot_due->meta.last.index) save_snapshot(group);
}

/// The state as of now. It is kept only when the log up to here has been written, so that the log continues it.
void GroupHost::take_snapshot(Group& group) {
  group.snapshot = group.applied;
  group.client->mark_snapshot();  // first, so that the state that is saved knows of it
  group.snapshot_due = storage::Snapshot{
      .meta = {.last = {.index = group.applied, .term = group.core->term()}, .ts = group.applied_ts, .voters = {kSelf}},
      .live = {.snapshot = group.applied, .live = group.client->live_entries()},
      .state = group.client->save()};
  group.snapshot_bytes = group.snapshot_due->state.size();
}

/// The order matters: snapshot durable, then the live set, then the space (raft.md §2.3).
void GroupHost::save_snapshot(Group& group) {
  group.snapshotting = true;
  auto snapshot = std::move(*group.snapshot_due);
  group.snapshot_due.reset();
  storage_.reader.run([this, alive = alive_, storage = storage_, id = group.id, snapshot = std::move(snapshot)] {
    Result<void> result = storage.snapshots.save(id, snapshot.meta, snapshot.live, snapshot.state);
    if (result) {
      const auto& live = snapshot.live.live;
      storage.log.retain(id, std::make_shared<const storage::LiveSet>(snapshot.live));
      result = storage.log.reclaim(id, live.empty() ? snapshot.live.snapshot.plus(1) : live.front().first);
    }
    shard_.post_from_outside([this, alive, id, result = std::move(result)] {
      if (!*alive) return;
      if (!result) return fail(result.error());
      if (Group* group = find(id); group != nullptr) group->snapshotting = false;
    });
  });
}

void GroupHost::fail(const Error& error) {
  if (std::exchange(failed_, true)) return;
  for (auto& [id, group] : groups_) {
    output_.clear();
    group->core->step(shard_.wall(), raft::AppendFailed{}, output_);
  }
  on_failure_(error);
}

}  // namespace quorate::cluster
