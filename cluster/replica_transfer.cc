// Snapshots on their way: a leader offers, the follower asks for part after part and stages them beside its log, which
// stays as it is until everything is here (raft.md §2.11).
#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/log.h"
#include "cluster/replica.h"

namespace quorate::cluster {
namespace {

std::uint64_t count_within(const storage::LiveSet& live, LogIndex after, LogIndex to) {
  std::uint64_t count = 0;
  for (const auto& [first, last] : live.live) {
    const LogIndex begin = std::max(first, after.plus(1));
    const LogIndex end = std::min(last, to);
    if (begin <= end) count += end.value() - begin.value() + 1;
  }
  return count;
}

}  // namespace

// --- out ---

void Replica::begin_sending(raft::ReplicaId to) {
  const Instant now = host_.shard().now();
  if (sending_.contains(to)) end_sending(to, false, LogIndex(0));
  if (!host_.begin_transfer(raft::node_of(to))) {
    step(raft::SnapshotSent{.to = to});  // later
    return;
  }
  SnapshotSending& sending = sending_[to];
  sending = {.serial = ++next_serial_,
             .term = core_->term(),
             .begun_at = now,
             .offer_at = now + kSnapshotAskAgain,
             .give_up_at = now + kSnapshotSilenceMax};
  host_.storage().fetch_snapshot(
      id_, later<Result<std::optional<storage::Snapshot>>>(
               [this, to, serial = sending.serial](Result<std::optional<storage::Snapshot>> found) {
                 const auto at = sending_.find(to);
                 if (at == sending_.end() || at->second.serial != serial) return;
                 const bool is_usable = found && *found && (*found)->meta.last.index >= core_->log().base().index;
                 if (!is_usable) {
                   if (!found) replace_snapshot(found.error());
                   return end_sending(to, false, LogIndex(0));
                 }
                 at->second.snapshot = std::move(*found);
                 offer(to, at->second);
               }));
}

/// It cannot be read: another one takes its place, even if nothing has happened since.
void Replica::replace_snapshot(const Error& why) {
  log::warn(log::Category::storage, "group.snapshot_damaged group=\"{}\" error=\"{}\" consequence=\"another is taken\"",
            client_.describe(), why.text);
  snapshot_ = LogIndex(0);
  snapshot_wanted_ = true;
  host_.mark_dirty(id_);
}

void Replica::offer(raft::ReplicaId to, SnapshotSending& sending) {
  sending.offer_at = host_.shard().now() + kSnapshotAskAgain;
  if (!sending.snapshot) return;
  const storage::Snapshot& snapshot = *sending.snapshot;
  send_body(to, SnapshotOffer{.from = core_->self(),
                              .to = to,
                              .term = sending.term,
                              .meta = snapshot.meta,
                              .live = snapshot.live,
                              .state_bytes = snapshot.state.size(),
                              .digest = crc32c(0, snapshot.state.view())});
}

void Replica::receive(const SnapshotWant& want) {
  const auto at = sending_.find(want.from);
  if (at == sending_.end() || want.to != core_->self()) return;
  SnapshotSending& sending = at->second;
  const bool is_ours = sending.snapshot && want.term == sending.term &&
                       want.snapshot == sending.snapshot->meta.last.index &&
                       want.state_from <= sending.snapshot->state.size();
  if (!is_ours) return;
  sending.answered = true;
  sending.give_up_at = host_.shard().now() + kSnapshotSilenceMax;
  if (!sending.reading) send_part(want, sending);
}

void Replica::send_part(const SnapshotWant& want, SnapshotSending& sending) {
  const storage::LiveSet& live = sending.snapshot->live;
  const LogIndex after = want.entries_after;
  const auto range = std::ranges::find_if(live.live, [&](const auto& it) { return it.second > after; });
  if (range == live.live.end()) {
    on_part_read(want, sending.serial, want.snapshot, std::vector<raft::Entry>{});
    return;
  }
  const LogIndex from = std::max(range->first, after.plus(1));
  const LogIndex to = sending.carefully ? range->second : want.snapshot;
  sending.reading = true;
  host_.storage().read(id_, from, to, host_.options().snapshot_part_bytes,
                       later<Result<std::vector<raft::Entry>>>(
                           [this, want, to, serial = sending.serial](Result<std::vector<raft::Entry>> entries) {
                             on_part_read(want, serial, to, std::move(entries));
                           }));
}

/// `read_to`: where the reading was to end.
void Replica::on_part_read(const SnapshotWant& want, std::uint64_t serial, LogIndex read_to,
                           Result<std::vector<raft::Entry>> entries) {
  const auto at = sending_.find(want.from);
  if (at == sending_.end() || at->second.serial != serial) return;
  SnapshotSending& sending = at->second;
  sending.reading = false;
  const storage::Snapshot& snapshot = *sending.snapshot;
  const std::size_t part_bytes = host_.options().snapshot_part_bytes;
  std::size_t bytes = 0;
  std::vector<raft::Entry> live;
  LogIndex to = read_to;
  if (entries) {
    for (const raft::Entry& entry : *entries) bytes += entry.payload.size();
    if (bytes >= part_bytes) to = entries->back().index;
    live = std::move(*entries);
    std::erase_if(live, [&](const raft::Entry& entry) { return !snapshot.live.contains(entry.index); });
  }
  if (!entries || live.size() != count_within(snapshot.live, want.entries_after, to)) {
    // Perhaps only a dead entry in between is damaged.
    if (!std::exchange(sending.carefully, true)) return send_part(want, sending);
    return mend_part(want, sending, live);
  }
  SnapshotPart part{.from = core_->self(),
                    .to = want.from,
                    .term = sending.term,
                    .snapshot = want.snapshot,
                    .entries_after = want.entries_after,
                    .state_from = want.state_from,
                    .entries = std::move(live),
                    .entries_to = to};
  if (to == want.snapshot) {
    const std::size_t rest = snapshot.state.size() - want.state_from;
    part.state = snapshot.state.slice(want.state_from, std::min(rest, part_bytes));
  }
  send_body(want.from, std::move(part));
}

/// The first live entry that was not to be read: a newer snapshot of ours has let it go, or it is damaged.
void Replica::mend_part(const SnapshotWant& want, const SnapshotSending& sending,
                        const std::vector<raft::Entry>& entries) {
  std::size_t i = 0;
  for (const auto& [first, last] : sending.snapshot->live.live) {
    for (LogIndex index = std::max(first, want.entries_after.plus(1)); index <= last; ++index) {
      if (i < entries.size() && entries[i].index == index) {
        ++i;
        continue;
      }
      if (is_live_now(index)) return repair(index, {});  // the receiver asks again
      // Dead since: the others may have let it go as well. The next snapshot does without it.
      snapshot_wanted_ = true;
      return end_sending(want.from, false, LogIndex(0));
    }
  }
}

void Replica::receive(const SnapshotResult& result) {
  const auto at = sending_.find(result.from);
  if (at == sending_.end() || result.to != core_->self() || result.term != at->second.term) return;
  end_sending(result.from, result.accepted, result.index);
}

void Replica::end_sending(raft::ReplicaId to, bool accepted, LogIndex index) {
  if (sending_.erase(to) > 0) host_.end_transfer(raft::node_of(to));
  step(raft::SnapshotSent{.to = to, .index = index, .accepted = accepted});
}

// --- in ---

void Replica::receive(const SnapshotOffer& offer) {
  if (offer.to != core_->self() || offer.term < core_->term() || installing_) return;
  const LogIndex index = offer.meta.last.index;
  const LogIndex held = std::min(core_->commit_index(), core_->durable_index());
  const bool is_known = index <= held;
  if (!is_known && index <= core_->commit_index()) return;  // about to be on the disk; the leader offers again
  const bool is_readable = offer.meta.configuration.machine_version <= host_.options().machine_version;
  if (is_known || !is_readable) {
    send_body(
        offer.from,
        SnapshotResult{.from = offer.to, .to = offer.from, .term = offer.term, .index = held, .accepted = is_known});
    return;
  }
  const bool is_under_way = receiving_ && receiving_->offer.from == offer.from &&
                            receiving_->offer.term == offer.term && receiving_->offer.meta == offer.meta;
  const bool is_newer = receiving_ && receiving_->offer.from == offer.from && receiving_->offer.term == offer.term &&
                        receiving_->offer.meta.last.index < index;
  if (is_newer) {  // what was live then and is staged is still live or not asked for
    receiving_->offer = offer;
    receiving_->state.clear();
  } else if (!is_under_way) {
    end_receiving();
    receiving_ = std::make_unique<SnapshotReceiving>();
    receiving_->offer = offer;
    // What is committed here is the same there, and what was dead here is not live there (raft.md Q6).
    receiving_->entries_after = std::min(core_->commit_index(), index);
    receiving_->give_up_at = host_.shard().now() + kSnapshotSilenceMax;
  }
  ask_for_part();
}

void Replica::ask_for_part() {
  receiving_->ask_at = host_.shard().now() + kSnapshotAskAgain;
  const SnapshotOffer& offer = receiving_->offer;
  send_body(offer.from, SnapshotWant{.from = offer.to,
                                     .to = offer.from,
                                     .term = offer.term,
                                     .snapshot = offer.meta.last.index,
                                     .entries_after = receiving_->entries_after,
                                     .state_from = receiving_->state.size()});
}

void Replica::receive(SnapshotPart part) {
  if (!receiving_) return;
  const SnapshotOffer& offer = receiving_->offer;
  const bool is_next = part.from == offer.from && part.to == core_->self() && part.term == offer.term &&
                       part.snapshot == offer.meta.last.index && part.entries_after == receiving_->entries_after &&
                       part.state_from == receiving_->state.size() && part.entries_to <= part.snapshot;
  if (!is_next) return;
  receiving_->give_up_at = host_.shard().now() + kSnapshotSilenceMax;
  if (!part.entries.empty()) {
    storage::GroupWrite staged{.group = storage::staging_of(id_), .entries = std::move(part.entries)};
    if (!std::exchange(receiving_->staging_begun, true)) {
      staged.row = storage::GroupRow{.self = row_.self, .configuration = offer.meta.configuration};
    }
    host_.write(std::move(staged), std::nullopt, storage::Durability::buffered);
  }
  receiving_->entries_after = part.entries_to;
  const ByteView state = part.state.view();
  receiving_->state.insert(receiving_->state.end(), state.begin(), state.end());
  const bool is_complete = receiving_->entries_after == part.snapshot && receiving_->state.size() >= offer.state_bytes;
  if (!is_complete) return ask_for_part();
  if (crc32c(0, receiving_->state) != offer.digest || receiving_->state.size() != offer.state_bytes) {
    log::warn(log::Category::queue, "group.snapshot_damaged group=\"{}\" consequence=\"asking for it again\"",
              client_.describe());
    return end_receiving();
  }
  step(raft::SnapshotStaged{.from = offer.from, .term = offer.term, .meta = offer.meta});
  if (installing_) return;
  const LogIndex held = std::min(core_->commit_index(), core_->durable_index());
  send_body(
      offer.from,
      SnapshotResult{
          .from = offer.to, .to = offer.from, .term = offer.term, .index = held, .accepted = held >= part.snapshot});
  end_receiving();
}

void Replica::end_receiving() {
  if (!receiving_) return;
  if (receiving_->staging_begun) {
    host_.write({.group = storage::staging_of(id_), .drop = true}, std::nullopt, storage::Durability::buffered);
  }
  receiving_.reset();
}

void Replica::transfers_on_time(Instant now) {
  std::vector<raft::ReplicaId> silent;
  for (auto& [peer, sending] : sending_) {
    const bool is_over = core_->role() != raft::Role::leader || core_->term() != sending.term;
    if (is_over || sending.give_up_at <= now) {
      silent.push_back(peer);
    } else if (!sending.answered && sending.offer_at <= now) {
      offer(peer, sending);
    }
  }
  for (const raft::ReplicaId peer : silent) end_sending(peer, false, LogIndex(0));
  if (!receiving_ || receiving_->ask_at > now) return;
  if (receiving_->give_up_at <= now) {
    end_receiving();
  } else {
    ask_for_part();
  }
}

}  // namespace quorate::cluster
