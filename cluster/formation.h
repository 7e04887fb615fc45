// Formation: how a node comes to belong to a cluster, once for the life of its data directory.
//
// A node with an empty directory asks the nodes it was told of, again and again, and in parallel with them:
//   - somebody belongs to a cluster that counts this very directory among its own: so does this node.
//   - somebody belongs to a cluster that does not know this node's name: it asks to join.
//   - somebody belongs to a cluster that knows the name with another directory: it must not act under it, for what it
//     once promised is lost (raft.md §2.15). It says so and waits until the others have forgotten the old one.
//   - nobody belongs to a cluster, and everybody has answered and was told of the same nodes: the first of the list
//     founds it, writes that down and tells the others when they ask next.
// So a cluster is founded once, in whatever order its nodes start; and a directory that was lost cannot found a second
// one as long as any of the others is there to object.
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

#include "base/random.h"
#include "base/result.h"
#include "cluster/metadata/topology.h"
#include "cluster/plane/plane.h"
#include "cluster/seed.h"
#include "storage/snapshot_store.h"

namespace quorate::cluster {

/// What a node remembers of its cluster.
struct FormationRecord {
  std::uint64_t cluster_id = 0;
  NodeId self;
  raft::ReplicaId replica;                // of the metadata group
  std::vector<raft::ReplicaId> founders;  // the group's first members, whatever became of them
  std::vector<ClusterNode> nodes;
};

/// How far a node is that looks for its cluster.
struct Outlook {
  struct Other {
    std::string name;
    bool answers = false;  // in the last round of questions
    bool operator==(const Other&) const = default;
  };
  std::string waits_for;      // in an operator's words: "1 of 3, waiting for rabbit@n2"; empty when it does not wait
  std::vector<Other> others;  // that it was told of, or remembers
};

class Formation {
 public:
  struct Options {
    std::string node_name;
    std::string host;  // where the others reach this node
    std::uint16_t port = 0;
    std::vector<Seed> seeds;  // empty: a cluster of one; this node may be among them
  };
  /// Takes a node in: the answer is its row in the topology.
  using OnJoin = std::function<void(ClusterNode, std::move_only_function<void(Result<ClusterNode>)>)>;

  /// `plane` may be absent when there are no seeds. Both outlive this.
  Formation(Options options, storage::SnapshotStore& facts, Plane* plane);

  /// Reads what this node remembers: before anybody can ask it.
  Result<void> load();
  /// Blocks until there is a record. ErrorCode::unavailable: asked to stop before that.
  Result<FormationRecord> run(const std::stop_token& stop);

  /// This directory's own identity, for ever.
  const std::string& directory() const { return directory_; }
  Outlook outlook() const;

  // Once this node belongs to a cluster:
  void set_on_join(OnJoin on_join);
  /// The nodes are others now: what is remembered and told follows. Waits for the disk, on the thread of its chores.
  Result<void> on_nodes(const Topology& topology);

  /// The question of another node's run().
  void answer(ByteView question, AnswerFunction answer);
  static constexpr std::string_view kQuestion = "formation";

 private:
  struct Answer;
  struct Round;

  Result<void> save(const FormationRecord& record);
  FormationRecord found_alone() const;
  std::vector<Answer> ask_all(bool wants_to_join);
  void note_who_answers(const std::vector<Answer>& answers);
  Result<bool> consider(const std::vector<Answer>& answers, bool& wants_to_join);
  Result<bool> found_if_first(const std::vector<Answer>& answers);
  void set_status(std::string status);
  std::vector<Seed> others() const;

  const Options options_;
  storage::SnapshotStore& facts_;
  Plane* const plane_;
  std::string directory_;

  mutable std::mutex mutex_;
  std::condition_variable_any asked_to_stop_;
  std::optional<FormationRecord> record_;
  OnJoin on_join_;
  Outlook outlook_;
};

}  // namespace quorate::cluster
