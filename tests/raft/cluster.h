// Cluster: replicas of one group in one process, turned by hand. Messages lie in flight until they are delivered,
// dropped, doubled or reordered; writes are under way until they are made durable; time stands until it is advanced.
// What happens is written down line by line, and an Observer adds a line that begins with "!" for whatever must never
// happen.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "raft/core.h"
#include "tests/raft/disk.h"
#include "tests/raft/observer.h"

namespace quorate::raft::test {

enum class Detail : std::uint8_t {
  nothing,  // but complaints
  changes,  // of roles, leaders, commit indexes, sleep
  all,
};

class Cluster {
 public:
  struct Setup {
    Configuration configuration;
    Core::Timing timing;
    Core::Limits limits;
    bool tells_commits_at_once = true;
  };
  using Selects = std::function<bool(const Message&)>;

  explicit Cluster(Setup setup);

  /// A replica with an empty log, or with one that the others have too.
  void add(ReplicaId replica, std::uint32_t machine_version = 0);
  bool has(ReplicaId replica) const { return replicas_.contains(replica); }
  bool is_running(ReplicaId replica) const { return find(replica).core != nullptr; }
  const Core& core(ReplicaId replica) const { return *find(replica).core; }
  const Disk& disk(ReplicaId replica) const { return find(replica).disk; }
  std::vector<ReplicaId> replicas() const;

  // --- inputs; each is a turn of its own ---
  void step(ReplicaId replica, Input input);
  void step(ReplicaId replica, std::vector<Input> inputs);
  /// Deadline, if it has come.
  void keep_deadline(ReplicaId replica);

  // --- messages ---
  const std::vector<Message>& in_flight() const { return in_flight_; }
  void send(Message message) { in_flight_.push_back(std::move(message)); }
  /// Delivers what is in flight now. Returns whether there was any.
  bool deliver(const Selects& selects);
  void drop(const Selects& selects);
  void duplicate(const Selects& selects);
  void reverse(const Selects& selects);
  /// From now on messages between the two are lost when they are sent.
  void cut(ReplicaId from, ReplicaId to) { cuts_.emplace(from, to); }
  void heal() { cuts_.clear(); }

  // --- disks ---
  /// The oldest write under way is durable. Returns whether there was one.
  bool persist(ReplicaId replica);
  /// The oldest write under way, and with it the disk, fails.
  void fail_disk(ReplicaId replica);
  /// What was not durable is gone, and the replica begins again with what is.
  void restart(ReplicaId replica, std::optional<LogIndex> loses = std::nullopt, bool is_known = false);
  void stop(ReplicaId replica);
  /// What its next start can apply.
  void set_machine_version(ReplicaId replica, std::uint32_t version) { find(replica).machine_version = version; }
  /// A snapshot of what is applied up to `index` is being written.
  void compact(ReplicaId replica, LogIndex index);

  // --- what a host does for the core ---
  /// Answers the oldest Fetch. Returns whether there was one.
  bool fetch(ReplicaId replica);
  /// `from` sends a snapshot of what it has committed, or of less; it lies staged at `to`. `term`: when it was begun.
  void stage(ReplicaId from, ReplicaId to, std::optional<LogIndex> at = std::nullopt,
             std::optional<Term> term = std::nullopt);
  void report_snapshot(ReplicaId from, ReplicaId to, bool accepted);

  // --- time ---
  Times times() const { return times_; }
  void advance(Duration by);
  /// Time passes, and everybody keeps his deadlines; what they send stays in flight.
  void tick(Duration by);
  /// Time passes, and whatever is sent or written arrives at once.
  void run(Duration by);
  /// Delivers and persists until nothing more happens; only what these replicas receive and write, when some are named.
  void stabilize(const std::vector<ReplicaId>& among = {});

  // --- the record ---
  void set_detail(Detail detail) { detail_ = detail; }
  Detail detail() const { return detail_; }
  void note(Detail detail, std::string line);
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  const std::vector<std::string>& complaints() const { return complaints_; }
  /// Commands that the machine of a replica has applied, in order.
  const std::vector<std::string>& applied(ReplicaId replica) const { return find(replica).applied; }

 private:
  struct Replica {
    std::unique_ptr<Core> core;  // nullptr: stopped
    Disk disk;
    std::uint32_t machine_version = 0;
    std::uint32_t epoch = 0;
    LogIndex applied_index;
    std::vector<std::string> applied;
    std::vector<Fetch> fetches;
    std::set<ReplicaId> wanted;  // snapshots, by these
    std::string seen;            // the line of changes that was noted last
    LogIndex seen_commit;
  };

  Replica& find(ReplicaId replica);
  const Replica& find(ReplicaId replica) const;
  void start(ReplicaId id, Replica& replica);
  void step_once(ReplicaId id, Replica& replica, Input input);
  bool keep_deadlines();
  void carry_out(ReplicaId id, Replica& replica, Output output);
  void begin(Replica& replica, ReplicaId id, Task task);
  void note_changes(ReplicaId id, Replica& replica);
  void apply(ReplicaId id, Replica& replica);
  void complain(const std::string& about);
  Disks disks() const;
  std::optional<Instant> next_deadline() const;
  SnapshotMeta newest_snapshot(const Replica& replica, LogIndex index) const;
  bool serve_snapshots(const std::vector<ReplicaId>& among);
  bool round(const std::vector<ReplicaId>& among);

  const Setup setup_;
  Times times_{.now = Instant(std::chrono::seconds(1000)), .wall = WallTime(std::chrono::seconds(1000))};
  std::map<ReplicaId, Replica> replicas_;
  std::vector<Message> in_flight_;
  std::set<std::pair<ReplicaId, ReplicaId>> cuts_;
  Observer observer_;
  Detail detail_ = Detail::all;
  std::vector<std::string> lines_;
  std::vector<std::string> complaints_;
  std::string indent_;
};

}  // namespace quorate::raft::test
