#include "tests/raft/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "raft/print.h"

namespace quorate::raft::test {
namespace {

/// More rounds than this without coming to rest are a storm.
constexpr int kRoundsMax = 200;
/// One deadline may lead to another at the same moment, but not for ever.
constexpr int kTriesMax = 4;

/// Takes out of `messages` what is selected.
std::vector<Message> take(std::vector<Message>& messages, const Cluster::Selects& selects) {
  const auto rest = std::ranges::stable_partition(messages, [&](const Message& message) { return !selects(message); });
  std::vector<Message> taken(std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  messages.erase(rest.begin(), rest.end());
  return taken;
}

std::string describe(const Core& core) {
  std::string text = fmt::format("{} t{}", print(core.role()), core.term().value());
  if (core.role() == Role::follower && core.leader() != kNoReplica) text += " of " + print(core.leader());
  if (core.is_recovering()) text += ", recovering";
  if (core.is_steady()) text += ", asleep";
  if (core.failed()) text += ", failed";
  return text;
}

}  // namespace

Cluster::Cluster(Setup setup) : setup_(std::move(setup)) {}

void Cluster::add(ReplicaId id, std::uint32_t machine_version) {
  const Image empty{.snapshot = {.configuration = setup_.configuration}};
  const auto [at, is_new] = replicas_.try_emplace(id, Replica{.disk = Disk(empty), .machine_version = machine_version});
  CHECK(is_new);
  start(id, at->second);
  for (auto& [peer, other] : replicas_) {
    Output none;
    if (peer != id && other.core) other.core->step(times_, PeerLive{.replica = id, .since = times_.now}, none);
  }
}

void Cluster::start(ReplicaId id, Replica& replica) {
  Core::Options options{.self = id,
                        .seed = id.value(),
                        .epoch = Epoch(++replica.epoch),
                        .machine_version = replica.machine_version,
                        .timing = setup_.timing,
                        .limits = setup_.limits,
                        .tells_commits_at_once = setup_.tells_commits_at_once};
  replica.disk.durable().put_into(options);
  replica.core = std::make_unique<Core>(options, times_.now);
  replica.applied_index = options.snapshot.index;
  replica.applied.clear();
  replica.fetches.clear();
  replica.wanted.clear();
  replica.seen = describe(*replica.core);
  replica.seen_commit = replica.core->commit_index();
  for (const auto& [peer, other] : replicas_) {
    Output none;
    if (peer != id) replica.core->step(times_, PeerLive{.replica = peer, .since = times_.now}, none);
  }
}

Cluster::Replica& Cluster::find(ReplicaId replica) {
  const auto at = replicas_.find(replica);
  CHECK(at != replicas_.end());
  return at->second;
}
const Cluster::Replica& Cluster::find(ReplicaId replica) const { return const_cast<Cluster*>(this)->find(replica); }

std::vector<ReplicaId> Cluster::replicas() const {
  std::vector<ReplicaId> ids;
  for (const auto& [id, replica] : replicas_) ids.push_back(id);
  return ids;
}

// --- turning a core ---

void Cluster::step(ReplicaId replica, Input input) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  step(replica, std::move(inputs));
}

void Cluster::step(ReplicaId id, std::vector<Input> inputs) {
  Replica& replica = find(id);
  if (!replica.core) return;
  for (Input& input : inputs) step_once(id, replica, std::move(input));
  step_once(id, replica, TurnEnd{});
}

void Cluster::step_once(ReplicaId id, Replica& replica, Input input) {
  Output output;
  replica.core->step(times_, std::move(input), output);
  carry_out(id, replica, std::move(output));
  apply(id, replica);
}

void Cluster::carry_out(ReplicaId id, Replica& replica, Output output) {
  const std::string who = print(id) + ": ";
  if (output.append) begin(replica, id, *output.append);
  if (output.install) begin(replica, id, *output.install);
  note_changes(id, replica);
  if (output.refused != Refusal::none && output.refused != Refusal::failed)
    note(Detail::changes, who + "refuses: " + std::string(print(output.refused)));
  for (const Message& message : output.messages) {
    const bool is_lost = cuts_.contains({message.from, message.to});
    note(Detail::all, print(message) + (is_lost ? " (lost)" : ""));
  }
  for (const Fetch& fetch : output.fetches) {
    note(Detail::all,
         fmt::format("{}fetch for {} behind {} to {}", who, print(fetch.to), print(fetch.prev), fetch.last.value()));
    replica.fetches.push_back(fetch);
  }
  for (const ReplicaId peer : output.snapshots) {
    note(Detail::changes, who + "a snapshot for " + print(peer));
    replica.wanted.insert(peer);
  }
  for (const ReadReady& read : output.reads) {
    note(Detail::changes, fmt::format("{}read {} at {}", who, read.token, read.index.value()));
  }
  for (const ReplicaId peer : output.lost_data) note(Detail::changes, who + print(peer) + " has lost data");
  for (const std::string& complaint : observer_.judge(*replica.core, output, disks())) {
    complain(complaint);
  }
  std::erase_if(output.messages, [&](const Message& message) { return cuts_.contains({message.from, message.to}); });
  std::ranges::move(output.messages, std::back_inserter(in_flight_));
}

void Cluster::begin(Replica& replica, ReplicaId id, Task task) {
  note(Detail::all, print(id) + ": " + print(task));
  if (const auto wrong = replica.disk.begin(std::move(task))) complain(print(id) + " writes " + *wrong);
}

void Cluster::note_changes(ReplicaId id, Replica& replica) {
  std::string now = describe(*replica.core);
  if (now != replica.seen) note(Detail::changes, print(id) + ": " + now);
  replica.seen = std::move(now);
  const LogIndex commit = replica.core->commit_index();
  if (commit != replica.seen_commit) note(Detail::changes, fmt::format("{}: commit {}", print(id), commit.value()));
  if (commit < replica.seen_commit) complain(print(id) + " takes back what it has committed");
  replica.seen_commit = commit;
}

/// The machine is quick: it applies whatever it may.
void Cluster::apply(ReplicaId id, Replica& replica) {
  const LogIndex until = replica.core->applicable_index();
  if (until <= replica.applied_index || replica.core->failed()) return;
  const Image& image = replica.disk.written();
  if (replica.core->commit_index() <= image.snapshot.last.index) {  // a snapshot has taken the place of its state
    replica.applied_index = std::max(replica.applied_index, std::min(until, image.snapshot.last.index));
  }
  for (LogIndex index = replica.applied_index.plus(1); index <= until; ++index) {
    const Entry* entry = image.find(index);
    if (entry != nullptr && entry->type == EntryType::command) replica.applied.emplace_back(entry->payload.text());
    if (entry == nullptr && index > image.snapshot.last.index) complain(print(id) + " applies what it does not have");
  }
  replica.applied_index = until;
  Output output;
  replica.core->step(times_, Applied{.index = until}, output);
  carry_out(id, replica, std::move(output));
}

void Cluster::keep_deadline(ReplicaId id) {
  const Replica& replica = find(id);
  if (!replica.core) return;
  const auto due = replica.core->next_deadline();
  if (due && *due <= times_.now) step(id, Deadline{});
}

// --- messages ---

bool Cluster::deliver(const Selects& selects) {
  const std::vector<Message> arriving = take(in_flight_, selects);
  for (const Message& message : arriving) {
    const std::string body = print(message.body);
    note(Detail::all, fmt::format("-> {}>{} t{} {}", print(message.from), print(message.to), message.term.value(),
                                  body.substr(0, body.find(' '))));
    indent_ = "  ";
    if (has(message.to)) step(message.to, Receive{message});
    indent_.clear();
  }
  return !arriving.empty();
}

void Cluster::drop(const Selects& selects) {
  for (const Message& message : take(in_flight_, selects)) note(Detail::all, "dropped: " + print(message));
}

void Cluster::duplicate(const Selects& selects) {
  const std::vector<Message> before = in_flight_;
  std::ranges::copy_if(before, std::back_inserter(in_flight_), selects);
}

void Cluster::reverse(const Selects& selects) {
  std::vector<Message> taken = take(in_flight_, selects);
  std::ranges::move(taken.rbegin(), taken.rend(), std::back_inserter(in_flight_));
}

// --- disks ---

bool Cluster::persist(ReplicaId id) {
  Replica& replica = find(id);
  if (!replica.core || replica.core->failed() || replica.disk.under_way().empty()) return false;
  note(Detail::all, fmt::format("-> {} durable: {}", print(id), print(replica.disk.under_way().front())));
  indent_ = "  ";
  step(id, replica.disk.finish());
  indent_.clear();
  return true;
}

void Cluster::fail_disk(ReplicaId id) {
  Replica& replica = find(id);
  replica.disk.crash();
  step(id, AppendFailed{});
}

void Cluster::stop(ReplicaId id) {
  Replica& replica = find(id);
  replica.core.reset();
  replica.disk.crash();
}

void Cluster::restart(ReplicaId id, std::optional<LogIndex> loses, bool is_known) {
  stop(id);
  Replica& replica = find(id);
  if (loses) replica.disk.lose(*loses);
  if (is_known) replica.disk.set_recovering();
  start(id, replica);
  note(Detail::changes, print(*replica.core));
}

SnapshotMeta Cluster::newest_snapshot(const Replica& replica, LogIndex index) const {
  const Image& image = replica.disk.written();
  const Entry* entry = image.find(index);
  if (entry == nullptr) return image.snapshot;
  return {.last = {.index = index, .term = entry->term},
          .ts = entry->ts,
          .configuration = replica.core->configuration_at(index)};
}

void Cluster::compact(ReplicaId id, LogIndex index) {
  Replica& replica = find(id);
  CHECK_LE(index, replica.core->commit_index());
  begin(replica, id, Compaction{.meta = newest_snapshot(replica, index)});
}

// --- what a host does ---

bool Cluster::fetch(ReplicaId id) {
  Replica& replica = find(id);
  if (!replica.core || replica.fetches.empty()) return false;
  const Fetch fetch = replica.fetches.front();
  replica.fetches.erase(replica.fetches.begin());
  Fetched fetched{.to = fetch.to, .prev = fetch.prev};
  for (LogIndex index = fetch.prev.index.plus(1); index <= fetch.last; ++index) {
    const Entry* entry = replica.disk.written().find(index);
    if (entry == nullptr || fetched.entries.size() == setup_.limits.append_max_entries) break;
    fetched.entries.push_back(*entry);
  }
  note(Detail::all, fmt::format("-> {} fetched {} entries for {}", print(id), fetched.entries.size(), print(fetch.to)));
  indent_ = "  ";
  step(id, std::move(fetched));
  indent_.clear();
  return true;
}

void Cluster::stage(ReplicaId from, ReplicaId to, std::optional<LogIndex> at, std::optional<Term> term) {
  const Replica& sender = find(from);
  const SnapshotMeta meta = newest_snapshot(sender, at.value_or(sender.core->commit_index()));
  note(Detail::all, fmt::format("-> {}>{} {}", print(from), print(to), print(meta)));
  indent_ = "  ";
  step(to, SnapshotStaged{.from = from, .term = term.value_or(sender.core->term()), .meta = meta});
  indent_.clear();
}

void Cluster::report_snapshot(ReplicaId from, ReplicaId to, bool accepted) {
  find(from).wanted.erase(to);
  const LogIndex index = accepted ? core(to).log().base().index : LogIndex(0);
  step(from, SnapshotSent{.to = to, .index = index, .accepted = accepted});
}

/// Sends one snapshot that somebody waits for, from the beginning to the end.
bool Cluster::serve_snapshots(const std::vector<ReplicaId>& among) {
  for (const ReplicaId id : among) {
    Replica& replica = find(id);
    const auto wanted = std::ranges::find_first_of(replica.wanted, among);
    if (!replica.core || wanted == replica.wanted.end()) continue;
    const ReplicaId to = *wanted;
    replica.wanted.erase(to);
    if (!is_running(to)) continue;
    stage(id, to);
    while (persist(to)) continue;
    report_snapshot(id, to, true);
    return true;
  }
  return false;
}

// --- time ---

void Cluster::advance(Duration by) {
  times_.now += by;
  times_.wall = WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(times_.now.time_since_epoch()));
}

std::optional<Instant> Cluster::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [id, replica] : replicas_) {
    const auto due = replica.core ? replica.core->next_deadline() : std::nullopt;
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

/// False: one that was kept has not moved, and there would be no end.
bool Cluster::keep_deadlines() {
  for (const auto& [id, replica] : replicas_) {
    const auto is_due = [&, core = replica.core.get()] {
      const auto due = core != nullptr ? core->next_deadline() : std::nullopt;
      return due && *due <= times_.now;
    };
    for (int tries = 0; is_due(); ++tries) {
      if (tries == kTriesMax) {
        complain(print(id) + "'s deadline was kept and does not move");
        return false;
      }
      keep_deadline(id);
    }
  }
  return true;
}

void Cluster::tick(Duration by) {
  const Instant end = times_.now + by;
  for (auto next = next_deadline(); next && *next <= end; next = next_deadline()) {
    const Instant before = times_.now;
    advance(std::max(*next, before) - before);
    if (!keep_deadlines()) return;
  }
  advance(end - times_.now);
}

void Cluster::run(Duration by) {
  const Instant end = times_.now + by;
  stabilize();
  for (auto next = next_deadline(); next && *next <= end; next = next_deadline()) {
    advance(std::max(*next, times_.now) - times_.now);
    if (!keep_deadlines()) return;
    stabilize();
  }
  advance(end - times_.now);
}

bool Cluster::round(const std::vector<ReplicaId>& among) {
  const auto takes_part = [&](ReplicaId id) { return std::ranges::find(among, id) != among.end(); };
  bool is_busy = deliver([&](const Message& message) { return takes_part(message.to); });
  for (const ReplicaId id : among) {
    while (persist(id)) is_busy = true;
    while (fetch(id)) is_busy = true;
  }
  return serve_snapshots(among) || is_busy;
}

void Cluster::stabilize(const std::vector<ReplicaId>& among) {
  const std::vector<ReplicaId> participants = among.empty() ? replicas() : among;
  for (int rounds = 0; round(participants); ++rounds) {
    if (rounds == kRoundsMax) return complain("it does not come to rest");
  }
}

// --- the record ---

void Cluster::note(Detail detail, std::string line) {
  if (detail <= detail_) lines_.push_back(indent_ + std::move(line));
}

void Cluster::complain(const std::string& about) {
  complaints_.push_back(about);
  lines_.push_back(indent_ + "! " + about);
}

Disks Cluster::disks() const {
  Disks disks;
  for (const auto& [id, replica] : replicas_) disks.emplace(id, &replica.disk);
  return disks;
}

}  // namespace quorate::raft::test
