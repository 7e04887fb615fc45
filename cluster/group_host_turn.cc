// GroupHost at the end of a turn: replicas with news, what they write, and whose time has come.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "cluster/group_host.h"

namespace quorate::cluster {
namespace {

/// An election that is one too many waits for so long.
constexpr Duration kCampaignDelay = std::chrono::milliseconds(50);

std::size_t weight(const raft::Entry& entry) { return entry.payload.size() + limits::kMessageOverheadBytes; }

}  // namespace

void GroupHost::mark_dirty(GroupId group) {
  Replica* replica = find(group);
  if (replica == nullptr || std::exchange(replica->dirty, true)) return;
  dirty_.push_back(group);
}

bool GroupHost::on_turn_end() {
  if (failed_) return false;
  run_due_timers();
  const bool worked = !dirty_.empty();
  settle_dirty();
  if (failed_) return false;
  submit();
  closed_.clear();
  return worked;
}

/// Replicas with news, as of now; what they stir up in each other comes with the next round of this turn.
void GroupHost::settle_dirty() {
  std::vector<GroupId> unfinished;
  for (const GroupId group : std::exchange(dirty_, {})) {
    Replica* replica = find(group);
    if (replica == nullptr) continue;
    replica->dirty = false;
    const bool has_more = replica->settle();
    if (failed_) return;
    replica = find(group);
    if (replica == nullptr) continue;
    if (has_more) unfinished.push_back(group);
    arm(*replica, group);
  }
  if (unfinished.empty()) return;
  // Others first: the rest in a turn of its own.
  shard_.post_from_outside([this, alive = alive_, unfinished = std::move(unfinished)] {
    if (!*alive) return;
    for (const GroupId group : unfinished) mark_dirty(group);
  });
}

void GroupHost::write(storage::GroupWrite write, std::optional<raft::LogMark> mark, storage::Durability durability) {
  for (const raft::Entry& entry : write.entries) write_bytes_ += weight(entry);
  if (durability == storage::Durability::synced) write_durability_ = durability;
  const Replica* replica = find(write.group);
  if (mark) {
    std::optional<raft::HardState> hard_state;
    if (write.row) hard_state = write.row->hard_state;
    const std::uint64_t incarnation = replica == nullptr ? 0 : replica->incarnation();
    const bool joins_mark = !marks_.empty() && marks_.back().group == write.group;
    if (joins_mark) {
      marks_.back().mark = *mark;
      if (hard_state) marks_.back().hard_state = hard_state;
    } else {
      marks_.push_back({.group = write.group, .incarnation = incarnation, .mark = *mark, .hard_state = hard_state});
    }
  }
  const bool joins_last =
      !writes_.empty() && writes_.back().group == write.group && !write.truncate_from && !write.row && !write.drop;
  if (joins_last) {
    std::ranges::move(write.entries, std::back_inserter(writes_.back().entries));
  } else {
    writes_.push_back(std::move(write));
  }
}

void GroupHost::write(storage::GroupWrite write, std::move_only_function<void()> done) {
  const GroupId group = write.group;
  const Replica* replica = find(group);
  CHECK(replica != nullptr);
  this->write(std::move(write), std::nullopt, storage::Durability::synced);
  write_done_.push_back([this, group, incarnation = replica->incarnation(), done = std::move(done)]() mutable {
    if (is_here(group, incarnation)) done();
  });
  mark_dirty(group);
}

void GroupHost::submit() {
  if (writes_.empty()) return;
  auto done = [this, alive = alive_, marks = std::move(marks_),
               write_done = std::move(write_done_)](Result<void> result) mutable {
    shard_.post_from_outside([this, alive, marks = std::move(marks), write_done = std::move(write_done),
                              result = std::move(result)]() mutable {
      if (*alive) on_append_done(std::move(marks), std::move(write_done), std::move(result));
    });
  };
  storage_.submit(std::exchange(writes_, {}), std::exchange(write_bytes_, 0),
                  std::exchange(write_durability_, storage::Durability::buffered), std::move(done));
  marks_.clear();
  write_done_.clear();
}

void GroupHost::on_append_done(std::vector<Mark> marks, std::vector<std::move_only_function<void()>> done,
                               Result<void> result) {
  if (failed_) return;
  if (!result) return fail(result.error());
  for (Mark& mark : marks) {
    if (!is_here(mark.group, mark.incarnation)) continue;
    find(mark.group)->step(raft::AppendDone{.mark = mark.mark, .hard_state = mark.hard_state});
  }
  for (auto& task : done) task();
}

void GroupHost::fail(const Error& error) {
  if (std::exchange(failed_, true)) return;
  for (auto& [group, replica] : replicas_) {
    if (replica->is_open()) replica->step(raft::AppendFailed{});
  }
  on_failure_(error);
}

bool GroupHost::begin_transfer(NodeId to) {
  if (!live_nodes_.contains(to) || transfers_[to] >= limits::kSnapshotTransfersMax) return false;
  ++transfers_[to];
  return true;
}

void GroupHost::end_transfer(NodeId to) { --transfers_[to]; }

// --- time ---

void GroupHost::arm(Replica& replica, GroupId group) {
  const std::optional<Instant> due = replica.next_deadline();
  if (due == replica.armed_for) return;
  if (replica.armed_for) timers_.erase({*replica.armed_for, group});
  if (due) timers_.emplace(*due, group);
  replica.armed_for = due;
}

std::optional<Instant> GroupHost::next_deadline() const {
  if (failed_) return std::nullopt;
  std::optional<Instant> due = audit_at_;
  if (!timers_.empty()) due = due ? std::min(*due, timers_.begin()->first) : timers_.begin()->first;
  return due;
}

/// No more than kCampaignsMax elections at once: after a node's death thousands are due within half a second.
void GroupHost::run_due_timers() {
  const Instant now = shard_.now();
  std::size_t campaigns = 0;
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const GroupId group = timers_.begin()->second;
    timers_.erase(timers_.begin());
    Replica* replica = find(group);
    if (replica == nullptr) continue;
    replica->armed_for.reset();
    const bool may_campaign = replica->is_open() && replica->core().role() != raft::Role::leader;
    if (may_campaign && ++campaigns > limits::kCampaignsMax) {
      replica->armed_for = now + kCampaignDelay;
      timers_.emplace(*replica->armed_for, group);
      continue;
    }
    replica->on_time();
    mark_dirty(group);
  }
  if (audit_at_ && *audit_at_ <= now) audit_steady_groups();
}

}  // namespace quorate::cluster
