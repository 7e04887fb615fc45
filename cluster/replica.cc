#include "cluster/replica.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace quorate::cluster {
namespace {

constexpr Duration kReadPatience = std::chrono::seconds(2);

/// Placed on the same node later.
bool is_newer(raft::ReplicaId a, raft::ReplicaId b) { return a > b; }

}  // namespace

Error explain(const GroupClient& client, const Error& why) {
  const bool is_damage = why.code == ErrorCode::corruption;
  const char* advice = is_damage ? "; restore the data directory from a copy, or replace this node" : "";
  return {.code = why.code, .text = client.describe() + ": " + why.text + advice};
}

Replica::Replica(GroupId id, std::uint64_t incarnation, GroupClient& client, HostContext& host)
    : id_(id), incarnation_(incarnation), client_(client), host_(host) {}

// --- from the disk ---

Result<void> Replica::open(const Birth& birth) {
  auto row = host_.storage().row(id_);
  if (!row) return std::unexpected(row.error());
  // A group of one is no exception: it may have grown since, and forgotten that as well.
  if (host_.storage().loss() == storage::Loss::promises) {
    return failure(
        ErrorCode::corruption,
        "this disk has forgotten votes: its replicas must not act again, replace the node through the others");
  }
  auto leftover = *row ? Result<std::optional<storage::Snapshot>>() : host_.storage().load_snapshot(id_);
  const bool is_rotten = !leftover && leftover.error().code == ErrorCode::corruption;  // one all the same
  if (!leftover && !is_rotten) return std::unexpected(leftover.error());
  auto leftover_log = *row ? Result<storage::LogSummary>() : host_.storage().summarize(id_, LogIndex(0));
  if (!leftover_log) return std::unexpected(leftover_log.error());
  const bool is_outlived = *row && (*row)->self != birth.self && is_newer(birth.self, (*row)->self);
  const bool has_leftovers = is_rotten || *leftover || leftover_log->damaged || leftover_log->last > LogIndex(0);
  if (is_outlived || has_leftovers) {
    begin_anew(birth);
    return {};
  }
  if (*row) {
    row_ = **row;
    if (row_.configuration.voters.empty()) row_.configuration = birth.configuration;  // lost with the rest
    // A replica that has lost entries does not trust what is staged either; its leader sends a snapshot again.
    if (row_.hard_state.recovering) row_.installing.reset();
    if (row_.installing) {  // the node stopped in the middle of a swap, which is durable once begun
      resume_install(*row_.installing);
      return {};
    }
  } else {
    row_ = {.self = birth.self, .configuration = birth.configuration};
    host_.write({.group = id_, .row = row_}, std::nullopt, storage::Durability::buffered);
  }
  if (has_others()) {
    auto staging = host_.storage().row(storage::staging_of(id_));
    if (!staging) return std::unexpected(staging.error());
    if (*staging) discard_staging();
  }
  if (auto loaded = load(); !loaded) return loaded;
  if (is_alone() || birth.campaign) step(raft::Campaign{});
  return {};
}

/// What lies here belongs to a replica that was placed here before and is no more. Its snapshot goes first, so that
/// nothing of it can be taken for the new one's. It comes back when a disk loses the end of its log with the drop in
/// it.
void Replica::begin_anew(const Birth& birth) {
  host_.storage().drop_snapshot(id_, later<Result<void>>([this, birth](Result<void> dropped) {
                                  if (!dropped) return fail(dropped.error());
                                  row_ = {.self = birth.self, .configuration = birth.configuration};
                                  host_.write({.group = id_, .drop = true, .row = row_}, [this, birth] {
                                    if (auto loaded = load(); !loaded) return fail(loaded.error());
                                    if (is_alone() || birth.campaign) step(raft::Campaign{});
                                  });
                                }));
}

Result<void> Replica::load() {
  auto found = take_stock();
  if (!found) return std::unexpected(found.error());
  return begin_with(std::move(*found));
}

Result<void> Replica::begin_with(Remains&& found) {
  const HostOptions& options = host_.options();
  raft::Core::Options core{.self = row_.self,
                           .seed = options.seed ^ (id_.value() * 0x9e3779b97f4a7c15) ^ row_.self.value(),
                           .epoch = host_.life_of(id_),
                           .machine_version = options.machine_version,
                           .configuration = row_.configuration,
                           .timing = options.timing,
                           .limits = options.limits,
                           .tells_commits_at_once = client_.is_followed_closely()};
  next_read_ = std::uint64_t{core.epoch.value()} << 32;
  if (auto restored = restore(found.snapshot, core); !restored) return restored;
  storage::LogSummary& log = found.log;
  if (auto judged = judge_loss(core, log); !judged) return judged;
  core.last = log.last;
  core.runs = std::move(log.runs);
  core.configurations = std::move(log.configurations);
  if (core.last > core.snapshot.index) core.last_ts = log.last_ts;
  core.hard_state = row_.hard_state;
  machine_version_ = core.configuration.machine_version;
  core_ = std::make_unique<raft::Core>(core, host_.shard().now());
  was_recovering_ = core_->is_recovering();
  announce_live_nodes();
  host_.mark_dirty(id_);
  return {};
}

Result<void> Replica::restore(const std::optional<storage::Snapshot>& snapshot, raft::Core::Options& options) {
  if (!snapshot) return {};
  if (auto restored = client_.restore(snapshot->state.view()); !restored) return restored;
  options.snapshot = snapshot->meta.last;
  options.configuration = snapshot->meta.configuration;
  options.last_ts = applied_ts_ = snapshot->meta.ts;
  applied_ = snapshot_ = snapshot->meta.last.index;
  snapshot_bytes_ = snapshot->state.size();
  return {};
}

void Replica::announce_live_nodes() {
  announced_configuration_ = configuration_position();
  for (const raft::ReplicaId member : core_->configuration().members()) {
    if (member == core_->self()) continue;
    feed(raft::PeerLive{.replica = member, .since = host_.live_since(raft::node_of(member))});
  }
}

raft::LogPosition Replica::configuration_position() const {
  const LogIndex index = core_->configuration_index();
  return {.index = index, .term = core_->log().term_at(index).value_or(Term(0))};
}

// --- the core's wishes ---

raft::Refusal Replica::step(raft::Input input) {
  const raft::Refusal refused = feed(std::move(input));
  // A refusal is no news: who asks again at the end of each round of a turn would never let the turn end.
  if (refused == raft::Refusal::none) host_.mark_dirty(id_);
  return refused;
}

raft::Refusal Replica::feed(raft::Input input) {
  output_.clear();
  Shard& shard = host_.shard();
  core_->step({.now = shard.now(), .wall = shard.wall()}, std::move(input), output_);
  const raft::Refusal refused = output_.refused;
  carry_out();
  return refused;
}

/// What lies here cannot be used, or nothing can be written any more.
void Replica::fail(const Error& why) { host_.fail(explain(client_, why)); }

/// What the disk has lost or damaged the others can make good, but not as long as this replica has acted on it.
void Replica::fail_until_restart(const std::string& why) {
  host_.fail({.code = ErrorCode::corruption,
              .text = client_.describe() + ": " + why + "; the node has to start again to recover"});
}

void Replica::close() {
  closed_ = true;
  for (const auto& [peer, sending] : std::exchange(sending_, {})) host_.end_transfer(raft::node_of(peer));
}

void Replica::carry_out() {
  if (output_.append) write(std::move(*output_.append));
  for (raft::Message& message : output_.messages) {
    const raft::ReplicaId to = message.to;
    host_.send(to, {.group = id_, .body = std::move(message)});
  }
  if (core_->is_recovering() && !was_recovering_) {
    was_recovering_ = true;
    // Found out while running: what else is lost only a start can judge, and that one has to know of it.
    host_.write({.group = id_, .row = row_},
                [this] { fail_until_restart("the leader has proof that this disk lost what it had synced"); });
  }
  for (const raft::ReplicaId peer : output_.lost_data) {
    log::error(log::Category::queue,
               "group.replica_lost_data group=\"{}\" node={} consequence=\"it counts no more until it has recovered\"",
               client_.describe(), raft::node_of(peer).value());
  }
  // What follows may step the core again, and so reuse the output.
  const std::vector<raft::Fetch> fetches = std::exchange(output_.fetches, {});
  const std::vector<raft::ReplicaId> snapshots = std::exchange(output_.snapshots, {});
  const std::optional<raft::Install> install = std::exchange(output_.install, std::nullopt);
  const std::vector<raft::ReadReady> reads = std::exchange(output_.reads, {});
  for (const raft::Fetch& wanted : fetches) fetch(wanted);
  for (const raft::ReplicaId peer : snapshots) begin_sending(peer);
  if (install) begin_install(*install);
  answer(reads);
}

void Replica::answer(const std::vector<raft::ReadReady>& reads) {
  for (const raft::ReadReady& read : reads) {
    const auto waiting = reads_.find(read.token);
    if (waiting == reads_.end()) continue;
    auto done = std::move(waiting->second.done);
    reads_.erase(waiting);
    done(read.index);
  }
}

void Replica::write(raft::LogWrite&& append) {
  if (append.truncate_from) forget_repairs(*append.truncate_from);
  storage::GroupWrite write{.group = id_, .truncate_from = append.truncate_from, .entries = std::move(append.entries)};
  if (append.hard_state) row_.hard_state = *append.hard_state;
  const bool was_left_alone = note_who_is_left(write.entries);
  if (append.hard_state || was_left_alone) write.row = row_;
  // Others count on what this replica acknowledges; only who leads a group of one answers to nobody but its proposers.
  const bool leads_alone = core_->role() == raft::Role::leader && !core_->configuration().is_replicated();
  const bool changes_members = std::ranges::any_of(
      write.entries, [](const raft::Entry& entry) { return entry.type == raft::EntryType::config; });
  const bool must_sync = write.row || changes_members || !leads_alone;
  host_.write(std::move(write), append.mark, must_sync ? storage::Durability::synced : storage::Durability::buffered);
}

void Replica::read_index(std::move_only_function<void(std::optional<LogIndex>)> done) {
  const std::uint64_t token = next_read_++;
  reads_.emplace(token, Read{.done = std::move(done), .give_up_at = host_.shard().now() + kReadPatience});
  if (step(raft::ReadIndex{.token = token}) == raft::Refusal::none) return;
  const auto waiting = reads_.find(token);
  auto refused = std::move(waiting->second.done);
  reads_.erase(waiting);
  refused(std::nullopt);
}

// --- the end of a turn ---

bool Replica::settle() {
  if (core_ == nullptr) return false;
  const bool has_news = core_->configuration().is_replicated() && announced_configuration_ != configuration_position();
  if (has_news) announce_live_nodes();
  for (const raft::Fetch& wanted : std::exchange(early_fetches_, {})) fetch(wanted);
  feed(raft::TurnEnd{});
  if (leading_ && (core_->role() != raft::Role::leader || core_->term() != leading_term_)) {
    leading_ = false;
    for (auto& [token, read] : std::exchange(reads_, {})) read.done(std::nullopt);
    client_.on_follower();
  }
  tell_leadership();
  if (closed_) return false;
  bool is_budget_spent = false;
  if (auto applied = apply_ready(is_budget_spent); !applied) {
    fail(applied.error());
    return false;
  }
  if (closed_) return false;
  const LogIndex committed = std::min(core_->commit_index(), applied_);
  if (committed > told_committed_ || leading_) {
    told_committed_ = committed;
    client_.on_committed(committed);
  }
  if (closed_) return false;
  consider_snapshot();
  return is_budget_spent;
}

void Replica::tell_leadership() {
  const bool is_known = told_leader_ == core_->leader() && told_term_ == core_->term();
  if (is_known || closed_) return;
  told_leader_ = core_->leader();
  told_term_ = core_->term();
  client_.on_leadership(told_leader_, told_term_);
}

// --- time, nodes ---

std::optional<Instant> Replica::next_deadline() const {
  std::optional<Instant> due = core_ ? core_->next_deadline() : std::nullopt;
  const auto consider = [&](Instant at) { due = due ? std::min(*due, at) : at; };
  for (const auto& [peer, sending] : sending_) consider(sending.answered ? sending.give_up_at : sending.offer_at);
  if (receiving_) consider(receiving_->ask_at);
  if (repairs_) consider(repairs_->ask_at);
  if (!reads_.empty()) consider(reads_.begin()->second.give_up_at);
  return due;
}

void Replica::on_time() {
  const Instant now = host_.shard().now();
  if (core_ == nullptr) return;
  const auto due = core_->next_deadline();
  if (due && *due <= now) step(raft::Deadline{});
  transfers_on_time(now);
  if (repairs_ && repairs_->ask_at <= now) ask_for_repair();
  while (!reads_.empty() && reads_.begin()->second.give_up_at <= now) {
    auto done = std::move(reads_.begin()->second.done);
    reads_.erase(reads_.begin());
    done(std::nullopt);
  }
}

void Replica::on_node_live(NodeId node, std::optional<Instant> since) {
  if (core_ == nullptr) return;
  for (const raft::ReplicaId member : core_->configuration().members()) {
    if (raft::node_of(member) == node && member != core_->self()) {
      step(raft::PeerLive{.replica = member, .since = since});
    }
  }
}

void Replica::doubt_leader(NodeId node, Term term) {
  const raft::ReplicaId leader = core_->leader();
  if (raft::node_of(leader) != node || leader == core_->self() || core_->term() != term) return;
  step(raft::Receive{.message = {.from = leader, .to = core_->self(), .term = term, .body = raft::Unsteady{}}});
}

void Replica::on_node_unreachable(NodeId node) {
  if (core_ == nullptr) return;
  for (const raft::ReplicaId member : core_->configuration().members()) {
    if (raft::node_of(member) == node && member != core_->self()) step(raft::PeerUnreachable{.replica = member});
  }
}

std::size_t Replica::memory_bytes() const {
  return sizeof(Replica) + (core_ ? core_->memory_bytes() : 0) + output_.messages.capacity() * sizeof(raft::Message);
}

}  // namespace quorate::cluster
