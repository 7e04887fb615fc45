// Formation: how a node comes to belong to a cluster, once for the life of its data directory.
//
// A node with an empty directory asks the nodes it was told of, again and again, and in parallel with them:
//   - somebody belongs to a cluster that counts this very directory among its own: so does this node.
//   - somebody belongs to a cluster that does not know this node's name: it asks to join.
//   - somebody belongs to a cluster that knows the name with another directory: it must not act under it, for what it
//     once promised is lost (raft.md §2.15). It says so and waits until the others have forgotten the old one.
//   - nobody belongs to a cluster, and everybody has answered and looks for the same nodes: the first of them founds
//     it, writes that down and tells the others when they ask next.
// So a cluster is founded once, in whatever order its nodes start; and a directory that was lost cannot found a second
// one as long as any of the others is there to object.
//
// Whom to ask is a list in the configuration, or what a host name leads to, which changes while nodes come and go. Then
// their names come with their answers, whoever has asked or answered is asked on although the host name leads to him no
// more, and nobody founds before as many are there as the cluster is to have at least (decision 15).
//
// Threads: run() blocks its caller; answer() and outlook() are for any thread.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/founding.h"
#include "cluster/metadata/topology.h"
#include "cluster/plane/plane.h"
#include "storage/snapshot_store.h"

namespace quorate::cluster {

/// How far a node is that looks for its cluster.
struct Outlook {
  struct Other {
    std::string name;
    bool answers = false;  // in the last round of questions
    bool operator==(const Other&) const = default;
  };
  std::string waits_for;      // in an operator's words: "1 of 3, waiting for rabbit@n2"; empty when it does not wait
  std::vector<Other> others;  // that it was told of, or remembers
  bool has_cluster = false;   // it belongs to one already
};

/// Nodes behind a host name, instead of a list.
struct Discovery {
  /// The addresses behind it, or why there are none. Blocks.
  using Lookup = std::function<Result<std::vector<std::string>>(const std::string& hostname)>;
  std::string hostname;
  std::uint16_t port = 0;     // of every node's listener for other nodes
  std::size_t nodes_min = 0;  // a cluster is founded by at least so many
  Lookup lookup;
};

class Formation {
 public:
  struct Options {
    std::string node_name;
    std::string host;  // where the others reach this node
    std::uint16_t port = 0;
    std::vector<Seed> seeds;             // empty: a cluster of one; this node may be among them
    std::optional<Discovery> discovery;  // in place of them
  };
  /// Takes a node in: the answer is its row in the topology.
  using OnJoin = std::function<void(ClusterNode, std::move_only_function<void(Result<ClusterNode>)>)>;

  /// `plane` may be absent when there is nobody to ask. Both outlive this.
  Formation(Options options, storage::SnapshotStore& facts, Plane* plane);

  /// Reads what this node remembers: before anybody can ask it.
  Result<void> load();
  /// The cluster that is remembered goes on as another one, of this node alone. Done again it changes nothing.
  Result<void> leave_others_behind(std::uint64_t cluster_id);
  /// Blocks until there is a record. ErrorCode::unavailable: asked to stop before that.
  Result<FormationRecord> run(const std::stop_token& stop);

  /// A fact to be written into an empty directory before the first start: the node joins the cluster of this seed,
  /// whatever its configuration says of others.
  static constexpr std::string_view kJoinFact = "join";
  /// Its cluster, if it belongs to one.
  std::optional<FormationRecord> remembered() const;
  /// This directory's own identity, for ever.
  const std::string& directory() const { return self_.directory; }
  Outlook outlook() const;

  // Once this node belongs to a cluster:
  void set_on_join(OnJoin on_join);
  /// The nodes are others now: what is remembered and told follows. Waits for the disk, on the thread of its chores.
  Result<void> on_nodes(const Topology& topology);

  /// The question of another node's run().
  void answer(ByteView question, AnswerFunction answer);
  static constexpr std::string_view kQuestion = "formation";

 private:
  struct Round;
  /// Somebody who has asked or answered while this node looked for others behind a host name.
  struct Acquaintance {
    Seed place;
    unsigned silent_rounds = 0;
  };
  static constexpr std::size_t kAcquaintancesMax = 256;

  /// Whom to ask is to be looked up.
  bool is_behind_a_name() const { return options_.discovery && !join_; }
  Result<void> save(const FormationRecord& record);
  Result<bool> look_around(bool& wants_to_join);
  Result<std::vector<Seed>> whom_to_ask();
  std::vector<Heard> ask(const std::vector<Seed>& places, bool wants_to_join);
  void remember(const std::vector<Heard>& heard);
  void get_to_know(const Seed& place);
  void set_status(std::string status);
  std::vector<Seed> others() const;

  const Options options_;
  storage::SnapshotStore& facts_;
  Plane* const plane_;
  Newcomer self_;
  std::optional<Seed> join_;  // whose cluster it was told to join

  mutable std::mutex mutex_;
  std::condition_variable_any asked_to_stop_;
  std::optional<FormationRecord> record_;
  OnJoin on_join_;
  Outlook outlook_;
  std::vector<std::string> seed_names_;  // told to whoever asks
  std::vector<Acquaintance> acquaintances_;
};

}  // namespace quorate::cluster
