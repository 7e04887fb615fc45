// ClusterLink: a node's end of everything between nodes: it finds or founds the cluster, lets only its nodes in, and
// brings what they send to the shard it is meant for. On a node that is alone, by its configuration, nothing listens.
//
// Threads: form(), open() and close() on the thread that starts and stops the node; on_nodes() on shard 0; what comes
// from the plane on its thread, and from there to the shards.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "broker/alarms/alarm_watch.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "broker/node/intake.h"
#include "cluster/cluster_watch.h"
#include "cluster/formation.h"
#include "cluster/metadata/host.h"
#include "cluster/plane/log_limit.h"
#include "cluster/plane/plane.h"
#include "storage/log_reader.h"

namespace quorate {

class NodeShard;

/// How the listener for other nodes is protected, and where it is.
cluster::PlaneOptions plane_options(const ClusterOptions& options);

class ClusterLink final : public cluster::PlaneClient {
 public:
  static constexpr std::uint32_t kProtocol = 1;

  ClusterLink(const Config& config, const Clock& clock, storage::SnapshotStore& facts);
  ~ClusterLink() override;

  /// Blocks until this node belongs to a cluster, which may have no other node. `own_cluster`: what it belongs to
  /// already becomes that one first, of this node alone.
  Result<cluster::FormationRecord> form(const std::stop_token& stop, std::optional<std::uint64_t> own_cluster);
  bool is_clustered() const { return plane_ != nullptr; }
  /// Where other nodes and remote tools come in, for operators; nothing on a node that is alone. After form() began.
  std::vector<http::ListenerRow> listeners() const;
  cluster::Plane& plane() { return *plane_; }
  const std::string& directory() const { return formation_->directory(); }
  /// Any thread: how far form() is.
  cluster::Outlook outlook() const { return formation_->outlook(); }

  /// Where what comes from other nodes goes. Before open().
  void connect(const std::vector<NodeShard*>& shards, cluster::MetadataHost& metadata, cluster::ClusterWatch& watch,
               alarms::AlarmWatch& alarms, storage::LogReader& reader);
  /// From now on streams are opened and accepted.
  void open(const cluster::FormationRecord& record, Epoch epoch);
  /// From now on new nodes may join. Any thread.
  void take_in_newcomers();
  /// Nothing comes or leaves any more.
  void close();

  /// This node's row as it should be.
  cluster::ClusterNode here(const cluster::FormationRecord& record) const;
  /// The cluster has these nodes.
  void on_nodes(const cluster::TopologyPtr& topology);
  /// Its last known name, also of one that has been forgotten since this process began.
  std::string name_of(NodeId node) const;
  /// Why that node cannot be reached or does not take this one in; empty: it does, or that is not known yet.
  std::string trouble_with(NodeId node) const;
  /// Another node has said that this one was taken out of the cluster: there is no way back, only a new beginning.
  bool was_forgotten() const;
  static constexpr std::string_view kHowToJoinAgain = "reset it, or empty its data directory, to join again";
  /// As known last, also before the metadata is.
  std::vector<cluster::ClusterNode> nodes() const;

  /// How long the answer of another node is waited for.
  static constexpr Duration kAskTimeout = std::chrono::seconds(2);
  /// In front of what nodes of one cluster ask each other: addresses are used again, by other clusters as well.
  static std::string question_head(std::uint64_t cluster_id, NodeId asked);
  /// Asks a node of this cluster; `done` on the plane's thread. On a node that is alone nobody answers.
  void ask(const cluster::ClusterNode& node, std::string kind, std::string_view words, cluster::AnswerFunction done);
  /// What other nodes ask, on the plane's thread. Before open().
  using OnQuestion = std::function<void(std::string_view kind, Bytes words, cluster::AnswerFunction answer)>;
  void set_on_question(OnQuestion on_question);

  /// Operators' commands from other machines, on the plane's thread; none to take no more of them, and then the one
  /// before is not being called any more. Only who shows a secret or a certificate gets here.
  using OnControl = std::function<void(Bytes words, const std::string& from, cluster::AnswerFunction answer)>;
  void set_on_control(OnControl on_control);

  // cluster::PlaneClient
  Result<void> judge(const cluster::Identity& peer) override;
  void on_frame(NodeId from, cluster::Lane lane, Bytes frame) override;
  void on_connection(NodeId peer, cluster::Lane lane, bool up) override;
  void on_trouble(NodeId peer, const Error& why) override;
  void on_question(std::string_view kind, Bytes question, const std::string& from,
                   cluster::AnswerFunction answer) override;

 private:
  void remember_names();
  void complain(NodeId from, std::string_view what);
  void take_in(cluster::ClusterNode node, std::move_only_function<void(Result<cluster::ClusterNode>)> done);
  std::vector<cluster::PeerAddress> peers(const std::vector<cluster::ClusterNode>& nodes) const;
  std::string own_host() const;
  void control(Bytes words, const std::string& from, cluster::AnswerFunction answer);

  const Config& config_;
  std::unique_ptr<cluster::Plane> plane_;
  std::unique_ptr<cluster::Formation> formation_;
  std::unique_ptr<Intake> intake_;
  std::set<std::string> joining_;  // on shard 0: directories of nodes that are being taken in
  cluster::MetadataHost* metadata_ = nullptr;
  storage::LogReader* reader_ = nullptr;  // its chores wait for the disk

  mutable std::mutex mutex_;  // guards what the plane's thread looks at
  cluster::LogLimit log_limit_;
  NodeId self_;
  std::uint64_t cluster_id_ = 0;
  std::uint64_t former_cluster_id_ = 0;
  std::vector<cluster::ClusterNode> nodes_;
  NodeId highest_node_;                  // that there has been: whoever is not above it and has no row was taken out
  std::map<NodeId, std::string> names_;  // of all that there were since this process began
  std::map<NodeId, std::string> troubles_;
  bool was_forgotten_ = false;
  OnQuestion on_question_;
  OnControl on_control_;
};

}  // namespace quorate
