#include "broker/node/cluster_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <utility>

#include "base/log.h"
#include "broker/ctl/door.h"
#include "cluster/name_lookup.h"

namespace quorate {
namespace {

std::optional<cluster::Discovery> discovery_of(const ClusterOptions& options) {
  if (options.discovery != PeerDiscovery::dns) return std::nullopt;
  return cluster::Discovery{.hostname = options.discovery_hostname,
                            .port = options.port,
                            .nodes_min = options.founders_min,
                            .lookup = cluster::look_up};
}

/// Who came, who went, and who is to be left in peace.
void note_changes(const std::vector<cluster::ClusterNode>& before, const std::vector<cluster::ClusterNode>& now) {
  const auto find = [](const auto& nodes, NodeId id) {
    const auto at = std::ranges::find(nodes, id, &cluster::ClusterNode::id);
    return at != nodes.end() ? &*at : nullptr;
  };
  for (const cluster::ClusterNode& node : before) {
    if (find(now, node.id) == nullptr) log::info(log::Category::cluster, "node.forgotten node={}", node.name);
  }
  for (const cluster::ClusterNode& node : now) {
    const cluster::ClusterNode* was = find(before, node.id);
    if (was == nullptr) {
      log::info(log::Category::cluster, "node.joined node={} address={}", node.name,
                cluster::print_address(node.host, node.port));
    } else if (was->drained != node.drained) {
      log::info(log::Category::cluster, "node.{} node={}", node.drained ? "drained" : "revived", node.name);
    }
  }
}

}  // namespace

cluster::PlaneOptions plane_options(const ClusterOptions& options) {
  cluster::PlaneOptions plane{.listen_host = options.listen_host, .port = options.port, .secret = options.secret};
  const bool wants_tls =
      !options.certificate_file.empty() || !options.key_file.empty() || !options.ca_certificate_file.empty();
  if (wants_tls) {
    plane.tls = cluster::PlaneTls{
        .cacertfile = options.ca_certificate_file, .certfile = options.certificate_file, .keyfile = options.key_file};
  }
  const bool is_open_to_all = options.secret.empty() && !plane.tls;
  if (plane.listen_host.empty()) plane.listen_host = is_open_to_all ? "127.0.0.1" : "0.0.0.0";
  return plane;
}

ClusterLink::ClusterLink(const Config& config, const Clock& clock, storage::SnapshotStore& facts)
    : config_(config), log_limit_(clock) {
  if (config_.cluster.has_others()) {
    cluster::PlaneOptions options = plane_options(config_.cluster);
    options.node_name = config_.node_name;
    plane_ = std::make_unique<cluster::Plane>(std::move(options), clock, *this);
  }
  formation_ =
      std::make_unique<cluster::Formation>(cluster::Formation::Options{.node_name = config_.node_name,
                                                                       .host = own_host(),
                                                                       .port = config_.cluster.port,
                                                                       .seeds = config_.cluster.seeds,
                                                                       .discovery = discovery_of(config_.cluster)},
                                           facts, plane_.get());
}

ClusterLink::~ClusterLink() { close(); }

std::string ClusterLink::question_head(std::uint64_t cluster_id, NodeId asked) {
  return std::to_string(cluster_id) + " " + std::to_string(asked.value()) + " ";
}

/// As the others were told, or where alone it listens, or as the node's name says.
std::string ClusterLink::own_host() const {
  const auto seed = std::ranges::find(config_.cluster.seeds, config_.node_name, &cluster::Seed::name);
  if (seed != config_.cluster.seeds.end()) return seed->host;
  const std::string& address = config_.cluster.listen_host;
  if (!address.empty() && address != "0.0.0.0" && address != "::") return address;
  const auto at = config_.node_name.rfind('@');
  return at == std::string::npos ? config_.node_name : config_.node_name.substr(at + 1);
}

std::vector<http::ListenerRow> ClusterLink::listeners() const {
  if (!plane_) return {};
  const cluster::PlaneOptions options = plane_options(config_.cluster);
  boost::system::error_code error;
  std::string address = options.listen_host;
  boost::asio::ip::make_address(address, error);
  if (error) {
    auto found = cluster::look_up(address);
    if (found) address = found->front();
  }
  return {{.protocol = options.tls ? "clustering/ssl" : "clustering",
           .address = std::move(address),
           .port = config_.cluster.port,
           .is_tls = options.tls.has_value()}};
}

Result<cluster::FormationRecord> ClusterLink::form(const std::stop_token& stop,
                                                   std::optional<std::uint64_t> own_cluster) {
  if (auto loaded = formation_->load(); !loaded) return std::unexpected(loaded.error());
  if (own_cluster) {
    if (auto left = formation_->leave_others_behind(*own_cluster); !left) return std::unexpected(left.error());
  }
  if (plane_) {
    if (auto started = plane_->start(); !started) return std::unexpected(started.error());
  }
  return formation_->run(stop);
}

void ClusterLink::connect(const std::vector<NodeShard*>& shards, cluster::MetadataHost& metadata,
                          cluster::ClusterWatch& watch, alarms::AlarmWatch& alarms, storage::LogReader& reader) {
  reader_ = &reader;
  metadata_ = &metadata;
  if (!plane_) return;
  intake_ = std::make_unique<Intake>(Intake::Receivers{
      .shards = shards,
      .metadata = metadata,
      .watch = watch,
      .on_shortage = [this, &alarms](NodeId from,
                                     const alarms::Shortage& what) { alarms.set_remote(from, name_of(from), what); },
      .on_unreadable = [this](NodeId from, std::string_view what) { complain(from, what); }});
}

/// A node of another build may send nothing else: one line for each kind of it now and then.
void ClusterLink::complain(NodeId from, std::string_view what) {
  {
    const std::lock_guard lock(mutex_);
    if (!log_limit_.allows(std::to_string(from.value()) + " " + std::string(what))) return;
  }
  log::error(log::Category::cluster, "message.unreadable node={} what=\"{}\"", name_of(from), what);
}

void ClusterLink::open(const cluster::FormationRecord& record, Epoch epoch) {
  {
    const std::lock_guard lock(mutex_);
    self_ = record.self;
    cluster_id_ = record.cluster_id;
    former_cluster_id_ = record.former_cluster_id;
    nodes_ = record.nodes;
    // Of those that joined at the same time as this one, and got lower ids, it has not heard yet.
    for (const cluster::ClusterNode& node : nodes_) {
      if (node.id != self_) highest_node_ = std::max(highest_node_, node.id);
    }
    remember_names();
  }
  if (!plane_) return;
  plane_->set_identity({.cluster_id = record.cluster_id,
                        .node = record.self,
                        .node_name = config_.node_name,
                        .directory_id = directory(),
                        .epoch = epoch,
                        .protocol = kProtocol});
  plane_->set_peers(peers(record.nodes));
}

void ClusterLink::take_in_newcomers() {
  formation_->set_on_join([this](cluster::ClusterNode node, auto done) { take_in(std::move(node), std::move(done)); });
}

void ClusterLink::close() {
  if (plane_) plane_->stop();
}

cluster::ClusterNode ClusterLink::here(const cluster::FormationRecord& record) const {
  const auto zone = config_.node_tags.find("zone");
  return {.id = record.self,
          .name = config_.node_name,
          .host = own_host(),
          .port = config_.cluster.port,
          .directory = directory(),
          .replica = record.replica,
          .zone = zone != config_.node_tags.end() ? zone->second : ""};
}

std::vector<cluster::PeerAddress> ClusterLink::peers(const std::vector<cluster::ClusterNode>& nodes) const {
  std::vector<cluster::PeerAddress> peers;
  for (const cluster::ClusterNode& node : nodes) {
    if (node.id == self_) continue;
    peers.push_back({.node = node.id, .name = node.name, .host = node.host, .port = node.port});
  }
  return peers;
}

void ClusterLink::on_nodes(const cluster::TopologyPtr& topology) {
  std::vector<cluster::ClusterNode> nodes;
  topology->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) { nodes.push_back(node); });
  if (plane_) plane_->set_peers(peers(nodes));
  reader_->run([this, topology] {
    if (auto saved = formation_->on_nodes(*topology); !saved) {
      log::warn(log::Category::cluster, "nodes.not_remembered reason=\"{}\"", saved.error().text);
    }
  });
  const std::lock_guard lock(mutex_);
  note_changes(nodes_, nodes);
  nodes_ = std::move(nodes);
  highest_node_ = std::max(highest_node_, topology->highest_node);
  remember_names();
}

void ClusterLink::remember_names() {
  for (const cluster::ClusterNode& node : nodes_) names_[node.id] = node.name;
}

std::string ClusterLink::name_of(NodeId node) const {
  const std::lock_guard lock(mutex_);
  const auto at = names_.find(node);
  return at != names_.end() ? at->second : "node " + std::to_string(node.value());
}

// --- from the plane ---

Result<void> ClusterLink::judge(const cluster::Identity& peer) {
  const std::lock_guard lock(mutex_);
  const std::string& name = peer.node_name;
  if (former_cluster_id_ != 0 && peer.cluster_id == former_cluster_id_) {
    return failure(ErrorCode::invalid_argument,
                   name +
                       " was left behind by force_standalone_khepri_boot: reset --force, or an empty data directory, "
                       "makes a new node of it");
  }
  if (peer.cluster_id != cluster_id_) return failure(ErrorCode::invalid_argument, name + " belongs to another cluster");
  if (peer.protocol != kProtocol) {
    return failure(ErrorCode::invalid_argument,
                   fmt::format("{} speaks version {} of the inter-node protocol, {} version {}", name, peer.protocol,
                               config_.node_name, kProtocol));
  }
  const auto row = std::ranges::find(nodes_, peer.node, &cluster::ClusterNode::id);
  if (row == nodes_.end()) {
    if (peer.node <= highest_node_) return failure(ErrorCode::not_found, name + " was taken out of the cluster");
    return failure(ErrorCode::unavailable, name + " is not known to the cluster yet");
  }
  if (row->directory != peer.directory_id) {
    return failure(ErrorCode::invalid_argument, name + " has another data directory than the node of that name");
  }
  return {};
}

void ClusterLink::on_frame(NodeId from, cluster::Lane, Bytes frame) { intake_->on_frame(from, frame); }

void ClusterLink::on_connection(NodeId peer, cluster::Lane lane, bool up) {
  log::debug(log::Category::cluster, "lane.{} node={} lane={}", up ? "up" : "down", name_of(peer),
             static_cast<int>(lane));
  if (up) {
    const std::lock_guard lock(mutex_);
    troubles_.erase(peer);
  }
  if (intake_) intake_->on_connection(peer, lane, up);
}

void ClusterLink::on_trouble(NodeId peer, const Error& why) {
  const std::lock_guard lock(mutex_);
  troubles_[peer] = why.text;
  if (why.code != ErrorCode::not_found || std::exchange(was_forgotten_, true)) return;
  const auto told_by = std::ranges::find(nodes_, peer, &cluster::ClusterNode::id);
  log::error(log::Category::cluster, "node.forgotten node={} told_by={} do=\"{}\"", config_.node_name,
             told_by != nodes_.end() ? told_by->name : "", kHowToJoinAgain);
}

std::string ClusterLink::trouble_with(NodeId node) const {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(node);
  return found != troubles_.end() ? found->second : "";
}

bool ClusterLink::was_forgotten() const {
  const std::lock_guard lock(mutex_);
  return was_forgotten_;
}

void ClusterLink::on_question(std::string_view kind, Bytes question, const std::string& from,
                              cluster::AnswerFunction answer) {
  if (kind == cluster::Formation::kQuestion) return formation_->answer(question.view(), std::move(answer));
  if (kind == ctl::kControlQuestion) return control(std::move(question), from, std::move(answer));
  OnQuestion on_question;
  {
    const std::lock_guard lock(mutex_);
    on_question = on_question_;
    const std::string head = question_head(cluster_id_, self_);
    if (!on_question) return answer(failure(ErrorCode::unavailable, "this node is still starting"));
    if (!question.text().starts_with(head)) {
      return answer(failure(ErrorCode::invalid_argument, "the question is for another cluster or node"));
    }
    question = question.slice(head.size(), question.size() - head.size());
  }
  on_question(kind, std::move(question), std::move(answer));
}

/// On loopback a plane may do without protection; then the socket in the data directory is the only way in.
void ClusterLink::control(Bytes words, const std::string& from, cluster::AnswerFunction answer) {
  const ClusterOptions& options = config_.cluster;
  if (options.secret.empty() && options.certificate_file.empty()) {
    return answer(failure(ErrorCode::invalid_argument,
                          "commands from elsewhere need cluster.secret or cluster.ssl_options at the node"));
  }
  const std::lock_guard lock(mutex_);
  if (!on_control_) return answer(failure(ErrorCode::unavailable, "this node is still starting"));
  on_control_(std::move(words), from, std::move(answer));
}

void ClusterLink::set_on_control(OnControl on_control) {
  const std::lock_guard lock(mutex_);
  on_control_ = std::move(on_control);
}

void ClusterLink::set_on_question(OnQuestion on_question) {
  const std::lock_guard lock(mutex_);
  on_question_ = std::move(on_question);
}

void ClusterLink::ask(const cluster::ClusterNode& node, std::string kind, std::string_view words,
                      cluster::AnswerFunction done) {
  if (!plane_) return done(failure(ErrorCode::unavailable, "this node knows no others"));
  std::string question;
  {
    const std::lock_guard lock(mutex_);
    question = question_head(cluster_id_, node.id);
  }
  question += words;
  plane_->ask(node.host, node.port, std::move(kind), Bytes::copy_of(question), kAskTimeout, std::move(done));
}

std::vector<cluster::ClusterNode> ClusterLink::nodes() const {
  const std::lock_guard lock(mutex_);
  return nodes_;
}

/// Several may be asked to take the same node in: the first makes its row, the others find it.
void ClusterLink::take_in(cluster::ClusterNode node, std::move_only_function<void(Result<cluster::ClusterNode>)> done) {
  cluster::Shard& shard = metadata_->shard();
  shard.post_from_outside([this, node = std::move(node), done = std::move(done)]() mutable {
    const std::string name = node.name;
    const std::string directory = node.directory;
    // It asks again and again, and without a majority nobody can answer.
    if (!joining_.insert(directory).second) {
      return done(failure(ErrorCode::unavailable, name + " is being taken in already"));
    }
    metadata_->submit(cluster::PutNode{.node = std::move(node)},
                      [this, name, directory, done = std::move(done)](cluster::Outcome,
                                                                      const cluster::TopologyPtr& topology) mutable {
                        joining_.erase(directory);
                        std::optional<cluster::ClusterNode> row;
                        topology->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& found) {
                          if (found.name == name && found.directory == directory) row = found;
                        });
                        if (row) return done(*row);
                        done(failure(ErrorCode::already_exists, "another node is called " + name));
                      });
  });
}

}  // namespace quorate
