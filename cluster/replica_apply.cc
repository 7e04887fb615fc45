// Feeding the machine in the order of the log, from memory or from the disk; and the snapshots that let the log forget.
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/replica.h"
#include "raft/configuration.h"

namespace quorate::cluster {
namespace {

constexpr Duration kRepairAskAgain = std::chrono::milliseconds(500);
constexpr Duration kRepairPatience = std::chrono::seconds(10);

}  // namespace

Result<void> Replica::apply_ready(bool& is_budget_spent) {
  std::size_t bytes = 0;
  const LogIndex before = applied_;
  while (!closed_ && applied_ < core_->applicable_index()) {
    if (machine_version_ > host_.options().machine_version) break;  // a newer node must lead and apply
    if (bytes >= host_.options().apply_budget_bytes) {
      is_budget_spent = true;
      break;
    }
    const raft::Entry* entry = core_->log().find(applied_.plus(1));
    if (entry == nullptr) {
      read_for_apply();
      break;
    }
    bytes += entry->payload.size();
    if (auto applied = apply_one(raft::Entry(*entry)); !applied) return applied;
  }
  if (applied_ != before) feed(raft::Applied{.index = applied_});
  return {};
}

Result<void> Replica::apply_one(const raft::Entry& entry) {
  CHECK_EQ(entry.index, applied_.plus(1));
  applied_ = entry.index;
  applied_ts_ = entry.ts;
  if (entry.type == raft::EntryType::command) {
    return client_.apply(entry, leading_ ? ApplyMode::live : ApplyMode::replay);
  }
  if (entry.type == raft::EntryType::config) {
    const auto configuration = raft::decode_configuration(entry.payload.view());
    if (!configuration) return failure(ErrorCode::corruption, "a configuration in the log cannot be read");
    if (configuration->machine_version != machine_version_) {
      machine_version_ = configuration->machine_version;
      client_.on_machine_version(machine_version_);
    }
    on_configuration(entry.index, *configuration);
    return {};
  }
  const bool begins_own_term = core_->role() == raft::Role::leader && entry.index == core_->term_start();
  if (begins_own_term) {
    leading_ = true;
    leading_term_ = core_->term();
    told_committed_ = std::min(core_->commit_index(), applied_);
    client_.on_leader();
  }
  return {};
}

void Replica::read_for_apply() {
  const LogIndex first = applied_.plus(1);
  const bool is_awaited = repairs_ && repairs_->indexes.contains(first);
  if (reading_ || is_awaited) return;
  reading_ = true;
  host_.storage().read(id_, first, core_->applicable_index(), limits::kReadAheadBytes,
                       later<Result<std::vector<raft::Entry>>>([this, first](Result<std::vector<raft::Entry>> entries) {
                         on_read_for_apply(first, std::move(entries));
                       }));
}

void Replica::on_read_for_apply(LogIndex first, Result<std::vector<raft::Entry>> entries) {
  reading_ = false;
  host_.mark_dirty(id_);
  if (first != applied_.plus(1)) return;  // a snapshot took its place meanwhile
  const bool is_missing = entries && (entries->empty() || entries->front().index > first);
  if (!entries || is_missing) {
    if (!is_alone() && (is_missing || entries.error().code == ErrorCode::corruption)) return repair(first, {});
    if (!entries) return fail(entries.error());
    return fail({.code = ErrorCode::corruption, .text = "log entry " + std::to_string(first.value()) + " is missing"});
  }
  for (const raft::Entry& entry : *entries) {
    const bool is_current = entry.index == applied_.plus(1) && entry.index <= core_->applicable_index() &&
                            core_->log().term_at(entry.index) == entry.term;
    if (!is_current || closed_ || machine_version_ > host_.options().machine_version) break;
    if (auto applied = apply_one(entry); !applied) return fail(applied.error());
  }
  if (!closed_ && applied_ >= first) feed(raft::Applied{.index = applied_});
}

// --- entries for slow peers ---

void Replica::fetch(const raft::Fetch& wanted) {
  if (wanted.prev.index >= core_->durable_index()) {  // from when the group had one member, and on its way to the disk
    early_fetches_.push_back(wanted);
    return;
  }
  host_.storage().read(
      id_, wanted.prev.index.plus(1), wanted.last, host_.options().limits.append_max_bytes,
      later<Result<std::vector<raft::Entry>>>(
          [this, wanted](Result<std::vector<raft::Entry>> entries) { on_fetched(wanted, std::move(entries)); }));
}

void Replica::on_fetched(const raft::Fetch& wanted, Result<std::vector<raft::Entry>> entries) {
  const LogIndex first = wanted.prev.index.plus(1);
  const bool is_gone = !is_in_log(first);
  const bool is_readable = entries && !entries->empty() && entries->front().index == first;
  if (!is_readable && !is_gone) {
    give_up_log_to(first);
    return repair(first, [this, wanted] { fetch(wanted); });
  }
  raft::Fetched fetched{.to = wanted.to, .prev = wanted.prev};
  if (is_readable) {
    const std::size_t max = host_.options().limits.append_max_entries;
    for (raft::Entry& entry : *entries) {
      const bool follows = fetched.entries.size() < max && entry.index == first.plus(fetched.entries.size());
      if (!follows) break;
      fetched.entries.push_back(std::move(entry));
    }
  }
  step(std::move(fetched));
}

/// What cannot be read and is applied need not be read: a snapshot stands for it.
void Replica::give_up_log_to(LogIndex index) {
  if (index > applied_) return;
  const bool is_covered = index <= snapshot_ && !saving_ && !snapshot_due_;
  if (!is_covered) {
    snapshot_wanted_ = true;
    return;
  }
  if (const auto term = core_->log().term_at(snapshot_)) {
    step(raft::Compacted{.position = {.index = snapshot_, .term = *term}});
  }
}

// --- a damaged or missing entry: the others have it (raft.md §2.15) ---

bool Replica::is_in_log(LogIndex index) const {
  return index > core_->log().base().index && index <= core_->log().last().index;
}

void Replica::repair(LogIndex index, std::move_only_function<void()> then) {
  if (!repairs_) repairs_ = std::make_unique<Repairs>();
  if (then) repairs_->then.push_back(std::move(then));
  host_.mark_dirty(id_);
  if (!repairs_->indexes.insert(index).second) return;
  log::warn(log::Category::storage,
            "group.entry_damaged group=\"{}\" index={} consequence=\"asking the other members\"", client_.describe(),
            index.value());
  ask_for_repair();
}

void Replica::ask_for_repair() {
  repairs_->ask_at = host_.shard().now() + kRepairAskAgain;
  for (const LogIndex index : std::set(repairs_->indexes)) {
    if (!is_live(index)) give_up_log_to(index);  // there may be nobody who still has it
  }
  std::erase_if(repairs_->indexes, [&](LogIndex index) { return !is_in_log(index) && !is_live(index); });
  if (repairs_->indexes.empty()) return end_repairs();
  if (is_repair_hopeless(host_.shard().now())) {
    return fail_until_restart("log entry " + std::to_string(repairs_->indexes.rbegin()->value()) +
                              " is damaged and no member has sent it");
  }
  for (const raft::ReplicaId member : core_->configuration().members()) {
    if (member == core_->self()) continue;
    for (const LogIndex index : repairs_->indexes) {
      send_body(member, RepairRequest{.from = core_->self(), .to = member, .first = index, .last = index});
    }
  }
}

/// What was damaged there is cut off. Whoever waited goes on with the next asking.
void Replica::forget_repairs(LogIndex from) {
  if (repairs_) repairs_->indexes.erase(repairs_->indexes.lower_bound(from), repairs_->indexes.end());
}

std::optional<LogIndex> Replica::next_live(LogIndex index) const {
  const auto ranges = client_.live_entries();
  const auto at = std::ranges::find_if(ranges, [&](const auto& range) { return range.second >= index; });
  return at == ranges.end() ? std::nullopt : std::optional(std::max(at->first, index));
}

/// What is not applied stops everything behind it, and the others may have compacted it, or never have got it from
/// here. A start finds out what is lost, and a leader makes it good.
bool Replica::is_repair_hopeless(Instant now) {
  const bool is_stuck = *repairs_->indexes.rbegin() > applied_;
  if (!is_stuck) {
    repairs_->stuck_since.reset();
    return false;
  }
  if (!repairs_->stuck_since) repairs_->stuck_since = now;
  return now - *repairs_->stuck_since >= kRepairPatience;
}

bool Replica::is_live_now(LogIndex index) const { return next_live(index) == index; }

/// To the machine, or to a snapshot that is being sent.
bool Replica::is_live(LogIndex index) const {
  for (const auto& [peer, sending] : sending_) {
    if (sending.snapshot && sending.snapshot->live.contains(index)) return true;
  }
  return is_live_now(index);
}

void Replica::receive(const RepairRequest& request) {
  if (request.to != core_->self() || request.last > core_->commit_index()) return;
  host_.storage().read(
      id_, request.first, request.last, host_.options().limits.append_max_bytes,
      later<Result<std::vector<raft::Entry>>>([this, request](Result<std::vector<raft::Entry>> entries) {
        if (!entries || entries->empty()) return;
        send_body(request.from, RepairReply{.from = request.to, .to = request.from, .entries = std::move(*entries)});
      }));
}

/// What is committed is the same everywhere; an entry of ours that is not, only the leader's log can tell.
void Replica::receive(RepairReply reply) {
  if (!repairs_ || reply.to != core_->self()) return;
  for (raft::Entry& entry : reply.entries) {
    const LogIndex index = entry.index;
    const bool is_ours = index <= core_->log().base().index || core_->log().term_at(index) == entry.term;
    if (!is_ours || repairs_->indexes.erase(index) == 0) continue;
    storage::GroupWrite rewrite{.group = id_};
    rewrite.entries.push_back(std::move(entry));
    host_.write(std::move(rewrite), [this, index] {
      log::info(log::Category::storage, "group.entry_repaired group=\"{}\" index={}", client_.describe(),
                index.value());
      host_.mark_dirty(id_);
      if (repairs_ && repairs_->indexes.empty()) end_repairs();
    });
  }
}

void Replica::end_repairs() {
  const std::unique_ptr<Repairs> done = std::move(repairs_);
  host_.mark_dirty(id_);
  for (auto& task : done->then) task();
}

// --- snapshots of our own ---

void Replica::consider_snapshot() {
  if (installing_) return;
  if (!snapshot_due_ && !saving_) {
    const HostOptions& options = host_.options();
    const std::uint64_t worthwhile =
        std::max({options.snapshot_reclaim_min_bytes, snapshot_bytes_, client_.state_bytes()});
    const bool is_long = applied_.value() - snapshot_.value() >= options.snapshot_entries_max;
    const bool is_due = client_.reclaimable_bytes() >= worthwhile || is_long || snapshot_wanted_;
    if (applied_ > snapshot_ && is_due) take_snapshot();
  }
  if (!snapshot_due_ || saving_) return;
  const LogIndex index = snapshot_due_->meta.last.index;
  if (core_->commit_index() < index || core_->durable_index() < index || is_pinned()) return;
  saving_ = true;
  if (!is_alone()) return save_snapshot();
  // What a group of one calls durable may only be written.
  host_.write({.group = id_, .row = row_}, [this] { save_snapshot(); });
}

/// A transfer under way needs what the next snapshot would let the log forget; but not for ever.
bool Replica::is_pinned() const {
  const Instant now = host_.shard().now();
  return std::ranges::any_of(sending_, [&](const auto& sending) {
    return sending.second.answered && now - sending.second.begun_at < kSnapshotPinMax;
  });
}

/// The client may need entries that are not applied yet as well; those stand behind the snapshot anyway. The one that
/// the snapshot ends with stays, because it tells the log that the snapshot was taken of from another.
std::vector<std::pair<LogIndex, LogIndex>> Replica::live_up_to_here() const {
  auto live = client_.live_entries();
  while (!live.empty() && live.back().first > applied_) live.pop_back();
  const bool reaches_here = !live.empty() && live.back().second.plus(1) >= applied_;
  if (!reaches_here) live.emplace_back(applied_, applied_);
  live.back().second = applied_;
  return live;
}

/// The state as of now. It is kept only when the log up to here is on the disk, so that the log continues it.
void Replica::take_snapshot() {
  snapshot_ = applied_;
  snapshot_wanted_ = false;
  client_.mark_snapshot();  // first, so that the state that is saved knows of it
  snapshot_due_ =
      storage::Snapshot{.meta = {.last = {.index = applied_, .term = core_->log().term_at(applied_).value()},
                                 .ts = applied_ts_,
                                 .configuration = core_->configuration_at(applied_)},
                        .live = {.snapshot = applied_, .live = live_up_to_here()},
                        .state = client_.save()};
  snapshot_bytes_ = snapshot_due_->state.size();
}

/// The order matters: snapshot durable, then the live set, then the space (raft.md §2.3); storage keeps it.
void Replica::save_snapshot() {
  if (!snapshot_due_) {  // a leader's snapshot took its place
    saving_ = false;
    return;
  }
  storage::Snapshot snapshot = std::move(*snapshot_due_);
  snapshot_due_.reset();
  const LogIndex kept = kept_from(snapshot.meta.last.index);
  host_.storage().save_snapshot(id_, std::move(snapshot), kept, later<Result<void>>([this, kept](Result<void> result) {
                                  saving_ = false;
                                  if (!result) return fail(result.error());
                                  const LogIndex base(kept.value() - 1);
                                  const auto term = core_->log().term_at(base);
                                  if (term) step(raft::Compacted{.position = {.index = base, .term = *term}});
                                  host_.mark_dirty(id_);
                                }));
}

/// The first entry that stays for peers that are a little late. Never before what an earlier snapshot gave up.
LogIndex Replica::kept_from(LogIndex snapshot) const {
  LogIndex from = snapshot.plus(1);
  if (core_->role() != raft::Role::leader) return from;
  for (const raft::ReplicaId member : core_->configuration().members()) {
    const raft::Progress* peer = core_->progress(member);
    if (peer != nullptr && peer->live) from = std::min(from, peer->match().plus(1));
  }
  const std::uint64_t most = host_.options().kept_entries;
  const std::uint64_t oldest =
      std::max(core_->log().base().index.value(), snapshot.value() - std::min(snapshot.value(), most));
  return std::max(from, LogIndex(oldest + 1));
}

}  // namespace quorate::cluster
