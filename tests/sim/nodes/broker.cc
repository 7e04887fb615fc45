#include "tests/sim/nodes/broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"
#include "broker/queue/mail_wire.h"
#include "cluster/plane/wire.h"
#include "storage/group_storage.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

ShardId on_shard_of_session(std::uint64_t serial, std::size_t shards) {
  return ShardId(static_cast<std::uint32_t>(queue::shard_of({.serial = serial}).value() % shards));
}

raft::ReplicaId replica_of(NodeId node) { return raft::replica_on(node, kMetadataGroup.value()); }

}  // namespace

Broker::Broker(Around& around, NodeId id, Epoch epoch, bool after_crash, std::size_t shards, Disk& disk,
               NodeClock& clock)
    : around_(around),
      stage_(around.stage),
      id_(id),
      epoch_(epoch),
      after_crash_(after_crash),
      clock_(clock),
      disk_(stage_, disk, *this) {
  session_options_.node_name = "sim";
  session_options_.heartbeat_seconds = 0;
  for (std::size_t i = 0; i < shards; ++i) {
    shards_.push_back(std::make_unique<cluster::Shard>(ShardId(static_cast<std::uint32_t>(i)), clock));
  }
  std::vector<cluster::Shard*> all;
  for (const auto& shard : shards_) all.push_back(shard.get());
  for (const auto& shard : shards_) shard->connect(all);
  build();
}

Broker::~Broker() {
  dying_ = true;
  *alive_ = false;
  around_.mesh.detach(id_, false);
  for (const auto& connection : std::exchange(connections_, {})) connection->die();
  metadata_.reset();
  watch_.reset();
  node_shards_.clear();
  posts_.clear();
  shards_.clear();
}

void Broker::build() {
  std::vector<NodeShard*> node_shards;
  Random seeds(stream_seed(stage_.options.seed, 5000 + id_.value() * 1000 + epoch_.value()));
  const auto counters = std::make_shared<NodeCounters>();
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    cluster::Shard& shard = *shards_[i];
    const ShardId id(static_cast<std::uint32_t>(i));
    posts_.push_back(std::make_unique<Post>(stage_, around_.mesh, id_, shard, [this, i, id](NodeId to) {
      post(id, [this, i, to] { node_shards_[i]->on_node_unreachable(to); });
    }));
    clients_.push_back(std::make_unique<Clients>(*this, id));
    shard.add_hook(*clients_.back());
    node_shards_.push_back(
        std::make_unique<NodeShard>(shard, disk_, session_options_,
                                    NodeShard::Options{.node = id_,
                                                       .epoch = epoch_,
                                                       .after_crash = after_crash_,
                                                       .seed = seeds.next(),
                                                       .wakes_itself = false,
                                                       .initial_quorum_size = around_.initial_quorum_size,
                                                       .counters = counters,
                                                       .transport = posts_.back().get(),
                                                       .remote = posts_.back().get(),
                                                       .on_failure = [this](const Error& error) { die(error.text); }}));
    node_shards.push_back(node_shards_.back().get());
  }
  metadata_ = std::make_unique<cluster::MetadataHost>(
      *shards_.front(), node_shards.front()->groups(),
      cluster::MetadataHost::Options{
          .node = id_, .epoch = epoch_, .make_index = &make_index, .forward = [this](NodeId to, const Bytes& entry) {
            posts_.front()->send_metadata(to, entry);
          }});
  shards_.front()->add_hook(*metadata_);
  for (NodeShard* shard : node_shards) shard->connect(node_shards, *metadata_);
  for (std::size_t i = 0; i < posts_.size(); ++i) shards_[i]->add_hook(posts_[i]->outgoing());
  watch_ = std::make_unique<cluster::ClusterWatch>(
      *shards_.front(), epoch_,
      cluster::ClusterWatch::Surroundings{
          .send = [this](NodeId to, const cluster::Heartbeat& beat) { posts_.front()->send(to, beat); },
          .on_node_live =
              [this](NodeId node, bool live) {
                stage_.tell([&] {
                  return fmt::format("node {}: node {} is {}", id_.value(), node.value(), live ? "live" : "silent");
                });
                on_every_shard([node, live](NodeShard& shard) { shard.on_node_live(node, live, false); });
              },
          .on_given_up =
              [this](NodeId node) {
                on_every_shard([node](NodeShard& shard) { shard.on_node_live(node, false, true); });
              },
          .on_majority =
              [this](bool has_majority) {
                has_majority_ = has_majority;
                pause_or_resume();
              },
          .is_disk_well = [] { return true; }});
  connect_incoming();
}

/// As ClusterLink::connect().
void Broker::connect_incoming() {
  using cluster::ItemKind;
  static constexpr std::array<cluster::Incoming::Route, 8> kRoutes = {{
      {ItemKind::group, &cluster::on_shard_of_group},
      {ItemKind::shard, &cluster::on_shard_named},
      {ItemKind::heartbeat, &cluster::on_first_shard},
      {ItemKind::queue_mail, &cluster::on_shard_of_group},
      {ItemKind::session_mail, &on_shard_of_session},
      {ItemKind::metadata, &cluster::on_first_shard},
      {ItemKind::leadership, &cluster::on_shard_of_group},
      {ItemKind::who_leads, &cluster::on_shard_of_group},
  }};
  std::vector<cluster::Shard*> places;
  for (const auto& shard : shards_) places.push_back(shard.get());
  incoming_ = std::make_unique<cluster::Incoming>(places, kRoutes);
  const auto complain = [this](const char* what) { stage_.violated(fmt::format("unreadable: {}", what)); };
  incoming_->handle(ShardId(0), ItemKind::heartbeat, [this, complain](NodeId from, std::uint64_t, const Bytes& body) {
    const auto heartbeat = cluster::decode_heartbeat(body);
    if (!heartbeat) return complain("heartbeat");
    watch_->receive(from, *heartbeat);
  });
  incoming_->handle(ShardId(0), ItemKind::metadata,
                    [this](NodeId, std::uint64_t, const Bytes& body) { metadata_->on_forwarded(body); });
  for (std::size_t i = 0; i < node_shards_.size(); ++i) {
    NodeShard& shard = *node_shards_[i];
    const ShardId id(static_cast<std::uint32_t>(i));
    const auto receive = [&shard, complain](NodeId from, std::uint64_t, const Bytes& body) {
      auto message = cluster::decode_peer_message(body);
      if (!message) return complain("group");
      shard.groups().receive(from, std::move(*message));
    };
    incoming_->handle(id, ItemKind::group, receive);
    incoming_->handle(id, ItemKind::shard, receive);
    incoming_->handle(id, ItemKind::queue_mail, [&shard, complain](NodeId from, std::uint64_t, const Bytes& body) {
      queue::Parcel parcel;
      const bool is_parcel = queue::decode(body, parcel) && parcel.from.node == from && parcel.first > 0;
      if (!is_parcel) return complain("parcel");
      shard.on_mail(std::move(parcel));
    });
    incoming_->handle(id, ItemKind::session_mail, [&shard, complain](NodeId, std::uint64_t, const Bytes& body) {
      queue::SessionMail mail;
      if (!queue::decode(body, mail)) return complain("session mail");
      shard.on_mail(std::move(mail));
    });
    incoming_->handle(id, ItemKind::leadership, [&shard, complain](NodeId, std::uint64_t, const Bytes& body) {
      queue::Leadership leadership;
      if (!queue::decode(body, leadership)) return complain("leadership");
      shard.on_remote(leadership);
    });
    incoming_->handle(id, ItemKind::who_leads, [&shard, complain](NodeId from, std::uint64_t, const Bytes& body) {
      queue::WhoLeads question;
      if (!queue::decode(body, question)) return complain("who leads");
      shard.on_remote(from, question);
    });
  }
}

// --- the start, as Node does it ---

std::vector<NodeId> Broker::others() const {
  std::vector<NodeId> others = around_.nodes;
  std::erase(others, id_);
  return others;
}

cluster::ClusterNode Broker::row_of(NodeId id) const {
  return {.id = id,
          .name = "rabbit@n" + std::to_string(id.value()),
          .host = "n" + std::to_string(id.value()),
          .port = 25672,
          .directory = "d" + std::to_string(id.value()),
          .replica = replica_of(id)};
}

void Broker::begin() {
  post(ShardId(0), [this] {
    watch_->set_others(others());
    cluster::Birth birth{.self = replica_of(id_)};
    for (const NodeId node : around_.nodes) birth.configuration.voters.push_back(replica_of(node));
    birth.campaign = id_ == around_.nodes.front();
    if (auto started = metadata_->start(birth); !started) return die(started.error().text);
    announce_start();
  });
  around_.mesh.attach(id_, *this);
  beat();
}

void Broker::announce_start() {
  submit_all({cluster::NodeStarted{.node = id_, .epoch = epoch_}}, metadata_->topology(),
             [this](const cluster::TopologyPtr& topology) { introduce_nodes(topology); });
}

void Broker::introduce_nodes(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  if (topology->find_node(id_) == nullptr) {
    if (!topology->nodes.empty()) stage_.violated(fmt::format("node {} is unknown to its cluster", id_.value()));
    for (const NodeId node : around_.nodes) commands.emplace_back(cluster::PutNode{.node = row_of(node)});
    commands.emplace_back(cluster::NodeStarted{.node = id_, .epoch = epoch_});
  }
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { create_defaults(now); });
}

void Broker::create_defaults(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  if (topology->vhosts.empty()) {
    commands.emplace_back(cluster::PutVhost{.name = "/"});
    commands.emplace_back(cluster::PutUser{
        .name = "guest", .password_hash = auth::hash_password("guest", auth::Salt{}), .tags = {"administrator"}});
    commands.emplace_back(cluster::SetPermissions{
        .user = "guest", .vhost = "/", .patterns = {.configure = ".*", .write = ".*", .read = ".*"}});
  }
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { begin_to_serve(now); });
}

void Broker::begin_to_serve(const cluster::TopologyPtr& topology) {
  drop_orphans(*topology);
  metadata_->set_publish([this](const auto&... change) { publish(change...); });
  follow_nodes(topology);
  recovering_shards_ = shards_.size();
  for (auto& node_shard : node_shards_) {
    shards_.front()->post(node_shard->shard().id(), [this, shard = node_shard.get(), topology] {
      shard->recover(topology, [this] {
        if (--recovering_shards_ > 0) return;
        post(ShardId(0), [this] {
          served_ = true;
          pause_or_resume();
        });
      });
    });
  }
}

void Broker::submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then) {
  if (commands.empty()) return then(before);
  const auto left = std::make_shared<std::size_t>(commands.size());
  for (cluster::MetadataCommand& command : commands) {
    metadata_->submit(std::move(command), [left, then](cluster::Outcome, const cluster::TopologyPtr& topology) {
      if (--*left == 0) then(topology);
    });
  }
}

void Broker::drop_orphans(const cluster::Topology& topology) {
  for (const GroupId group : disk_.groups()) {
    const GroupId owner = storage::is_staging(group) ? storage::owner_of_staging(group) : group;
    const bool is_deleted = owner != kMetadataGroup && cluster::declared_at(owner) <= topology.version &&
                            topology.find_queue(owner) == nullptr;
    if (is_deleted) node_shards_.front()->groups().drop(group);
  }
}

void Broker::publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  if (!topology->nodes.is_same(followed_->nodes)) follow_nodes(topology);
  on_every_shard([topology, changes](NodeShard& shard) { shard.on_topology(topology, changes); });
}

void Broker::follow_nodes(const cluster::TopologyPtr& topology) {
  followed_ = topology;
  std::vector<NodeId> others;
  topology->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
    if (node.id != id_) others.push_back(node.id);
  });
  watch_->set_others(others);
  pause_or_resume();
}

void Broker::pause_or_resume() {
  const bool wanted = served_ && has_majority_;
  if (wanted == serving_) return;
  serving_ = wanted;
  stage_.tell([&] { return fmt::format("node {}: {}", id_.value(), wanted ? "serves" : "pauses"); });
  if (wanted) return on_every_shard([](NodeShard& shard) { shard.resume_clients(); });
  on_every_shard([this](NodeShard& shard) {
    for (const auto& connection : connections_) {
      if (connection->shard() == shard.shard().id()) connection->shut_down("minority", shard.shard().now());
    }
  });
}

template <class Task>
void Broker::on_every_shard(Task task) {
  for (auto& node_shard : node_shards_) {
    shards_.front()->post(node_shard->shard().id(), [shard = node_shard.get(), task] { task(*shard); });
  }
}

// --- clients ---

std::shared_ptr<Connection> Broker::accept(ClientEnd& client, std::uint64_t id) {
  const ShardId shard(static_cast<std::uint32_t>(stage_.streams.workload.below(shards_.size())));
  auto connection = std::make_shared<Connection>(stage_, *this, shard, client, id);
  connections_.push_back(connection);
  post(shard, [this, shard, connection] {
    connection->begin(session_options_, *node_shards_[shard.value()], now(shard));
    if (!serving_) connection->shut_down("minority", now(shard));
  });
  return connection;
}

bool Broker::Clients::on_turn_end() {
  bool more = false;
  for (const auto& connection : std::vector(broker_.connections_)) {
    if (connection->shard() == shard_) more |= connection->flush(broker_.now(shard_));
  }
  std::erase_if(broker_.connections_, [](const auto& connection) { return connection->is_done(); });
  return more;
}

const queue::Queue* Broker::queue(GroupId id) const {
  for (const auto& shard : node_shards_) {
    if (const queue::Queue* found = shard->queues().find(id)) return found;
  }
  return nullptr;
}

// --- turns ---

void Broker::post(ShardId shard, cluster::Task task) {
  shards_[shard.value()]->post_from_outside(std::move(task));
  wake();
}

void Broker::wake() {
  if (turn_planned_ || dying_) return;
  turn_planned_ = true;
  const WorldTime at = std::max(stage_.schedule.now() + draw_exponential(stage_.streams.nodes, 50us), paused_until_);
  stage_.schedule.at(at, [this, alive = alive_] {
    if (!*alive) return;
    turn_planned_ = false;
    if (paused_until_ > stage_.schedule.now()) return wake();
    run_turns();
  });
}

/// One turn of each shard; another one later if any had something to do.
void Broker::run_turns() {
  bool more = false;
  const std::size_t first = stage_.streams.nodes.below(shards_.size());
  for (std::size_t i = 0; i < shards_.size() && !dying_; ++i) {
    more |= shards_[(first + i) % shards_.size()]->run_turn();
  }
  if (dying_) return;
  if (more) wake();
  set_timer();
}

void Broker::set_timer() {
  std::optional<Instant> due;
  for (const auto& shard : node_shards_) {
    const auto next = shard->groups().next_deadline();
    if (next && (!due || *next < *due)) due = next;
  }
  if (!due) return;
  const WorldTime at = std::max(clock_.when(*due), stage_.schedule.now() + 1us);
  if (timer_at_ <= at && timer_at_ > stage_.schedule.now()) return;
  timer_at_ = at;
  stage_.schedule.at(at, [this, alive = alive_, at] {
    if (!*alive || timer_at_ != at) return;
    timer_at_ = WorldTime::max();
    wake();
  });
}

void Broker::beat() {
  if (dying_) return;
  post(ShardId(0), [this] { watch_->beat(); });
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const ShardId id(static_cast<std::uint32_t>(i));
    post(id, [this, id] {
      for (const auto& connection : connections_) {
        if (connection->shard() == id) connection->check_deadline(now(id));
      }
    });
  }
  const WorldTime at = std::max(stage_.schedule.now() + cluster::NodeLiveness::kInterval, paused_until_);
  stage_.schedule.at(at, [this, alive = alive_] {
    if (*alive) beat();
  });
}

void Broker::pause(WorldTime until) {
  paused_until_ = std::max(paused_until_, until);
  stage_.tell([&] { return fmt::format("node {}: stands still", id_.value()); });
}

// --- from the mesh ---

void Broker::on_frame(NodeId from, cluster::Lane, Bytes frame) {
  if (dying_) return;
  stage_.trace.digest(frame.size() + id_.value() * 64 + from.value() * 4096);
  if (!incoming_->on_frame(from, frame)) stage_.violated("a frame that nobody can read");
  wake();
}

void Broker::on_connection(NodeId peer, cluster::Lane, bool) {
  if (dying_) return;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    post(ShardId(static_cast<std::uint32_t>(i)), [this, i, peer] { node_shards_[i]->on_node_unreachable(peer); });
  }
  post(ShardId(0), [this, peer] { metadata_->on_node_unreachable(peer); });
}

// --- dying ---

void Broker::die(const std::string& why) {
  if (dying_) return;
  dying_ = true;
  stage_.schedule.after(0ns, [this, alive = alive_, why] {
    if (*alive) around_.on_death(id_, why);
  });
}

bool Broker::survives(Step step, bool) {
  if (dying_) return false;
  if (!trap_ || std::ranges::find(trap_->steps, step) == trap_->steps.end()) return true;
  if (trap_->countdown-- > 0) return true;
  die("crashed");
  return false;
}

std::string Broker::describe() {
  std::string text = fmt::format("node {} epoch {} {}:", id_.value(), epoch_.value(), serving_ ? "serving" : "paused");
  text += fmt::format(" metadata leader {} version {}", raft::node_of(metadata_->leader()).value(),
                      metadata_->topology()->version);
  return text;
}

}  // namespace quorate::sim::nodes
