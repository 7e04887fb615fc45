#include "tests/sim/nodes/broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/node/stall_watch.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {

NodeCore::Options core_options(Stage& stage, const Broker::Start& start) {
  const NodeId node = start.record.self;
  amqp::SessionOptions sessions;
  sessions.node_name = "sim";
  sessions.heartbeat_seconds = 0;
  return {.epoch = start.epoch,
          .after_crash = start.after_crash,
          .shards = start.shards,
          .random = Random(stream_seed(stage.options.seed, 5000 + node.value() * 1000 + start.epoch.value())),
          .wakes_itself = false,
          .groups = host_options(stage.options, node, start.epoch, 0),
          .sessions = sessions,
          .defaults = {.tags = {"administrator"}, .permissions = {.configure = ".*", .write = ".*", .read = ".*"}}};
}

cluster::ClusterNode own_row(const cluster::FormationRecord& record) {
  const auto row = std::ranges::find(record.nodes, record.self, &cluster::ClusterNode::id);
  CHECK(row != record.nodes.end());
  return *row;
}

}  // namespace

Broker::Broker(Around& around, Start start, Disk& disk, NodeClock& clock)
    : around_(around),
      stage_(around.stage),
      start_(std::move(start)),
      lifetime_(
          stage_, clock, name(), [this] { run_turns(); },
          [this](const std::string& why) { around_.on_death(id(), why); }),
      disk_(stage_, disk, *this) {
  NodeCoreOwner& owner = *this;
  core_ = std::make_unique<NodeCore>(owner, clock, disk_, start_.record, own_row(start_.record),
                                     core_options(stage_, start_));
  for (NodeShard* shard : shards()) {
    clients_.push_back(std::make_unique<Clients>(*this, shard->shard().id()));
    shard->shard().add_hook(*clients_.back());
  }
  intake_ = std::make_unique<Intake>(
      Intake::Receivers{.shards = shards(),
                        .metadata = core_->metadata(),
                        .watch = core_->watch(),
                        .on_shortage = [](NodeId, const alarms::Shortage&) {},
                        .on_unreadable =
                            [this](NodeId from, std::string_view what) {
                              stage_.violated(fmt::format("unreadable, from node {}: {}", from.value(), what));
                            }});
}

Broker::~Broker() {
  lifetime_.end();
  around_.sightings.on_down(id());
  around_.mesh.detach(id(), false);
  for (const auto& connection : std::exchange(connections_, {})) connection->die();
  core_.reset();
}

void Broker::begin() {
  recovering_shards_ = shards().size();
  post(ShardId(0), [this] { core_->begin(); });
  around_.mesh.attach(id(), *this);
  beat();
  for (NodeShard* shard : shards()) post(shard->shard().id(), [this, shard] { evacuate(*shard); });
}

// --- what the core asks and tells ---

std::unique_ptr<ShardPost> Broker::make_post(cluster::Shard& shard, ShardPost::OnDropped on_dropped) {
  const auto after = [this, id = shard.id()](Duration delay, std::move_only_function<void()> task) {
    lifetime_.after(delay, [this, id, task = std::move(task)]() mutable { post(id, std::move(task)); });
  };
  const auto carry = [this](NodeId to, cluster::Lane lane, std::vector<std::byte>&& batch) {
    if (!survives(Step::send)) return true;  // and nobody will hear of it
    return around_.mesh.send(id(), to, lane, std::move(batch));
  };
  return std::make_unique<ShardPost>(shard, carry, after, std::move(on_dropped));
}

bool Broker::is_disk_well() {
  const bool is_well = disk_.busy_for() < StallWatch::kDiskStallMax;
  if (!is_well) stage_.seen(Seen::disk_stalled);
  return is_well;
}

std::set<GroupId> Broker::groups_on_disk() {
  const std::vector<GroupId> groups = disk_.groups();
  return {groups.begin(), groups.end()};
}

void Broker::on_node_live(NodeId node, bool live) {
  stage_.tell([&] { return fmt::format("{}: node {} is {}", name(), node.value(), live ? "live" : "silent"); });
}

void Broker::on_shard_recovered() {
  if (--recovering_shards_ > 0) return;
  post(ShardId(0), [this] { core_->serve(); });
}

void Broker::welcome_clients() {
  stage_.tell([&] { return name() + ": serves"; });
  serving_ = true;
}

void Broker::pause_clients(Readiness why, const std::string& reason) {
  stage_.tell([&] { return name() + (why == Readiness::drained ? ": is drained" : ": is in a minority"); });
  serving_ = false;
  dismiss_clients(reason);
}

/// On shard 0.
void Broker::dismiss_clients(const std::string& reason) {
  core_->on_every_shard([this, reason](NodeShard& shard) {
    for (const auto& connection : connections_) {
      if (connection->shard() == shard.shard().id()) connection->shut_down(reason, shard.shard().now());
    }
  });
}

void Broker::refuse_clients() {
  serving_ = false;
  ending_ = true;
  post(ShardId(0), [this] {
    core_->refuse_clients();
    core_->on_every_shard([](NodeShard& shard) { shard.begin_to_stop(); });
    dismiss_clients("shutdown");
  });
}

// --- clients ---

std::shared_ptr<Connection> Broker::accept(ClientEnd& client, std::uint64_t id) {
  const ShardId shard(static_cast<std::uint32_t>(stage_.streams.workload.below(shards().size())));
  auto connection = std::make_shared<Connection>(stage_, *this, shard, client, id);
  connections_.push_back(connection);
  post(shard, [this, shard, connection] {
    connection->begin(core_->sessions(), *shards()[shard.value()], now(shard));
    if (!serving_) connection->shut_down("minority", now(shard));
  });
  return connection;
}

bool Broker::Clients::on_turn_end() {
  if (broker_.is_dying()) return false;
  bool more = false;
  for (const auto& connection : std::vector(broker_.connections_)) {
    if (connection->shard() == shard_) more |= connection->flush(broker_.now(shard_));
  }
  std::erase_if(broker_.connections_, [](const auto& connection) { return connection->is_done(); });
  return more;
}

// --- turns ---

void Broker::post(ShardId shard, cluster::Task task) {
  core_->shard(shard.value()).post_from_outside(std::move(task));
  wake();
}

/// One turn of each shard; another one later if any had something to do.
void Broker::run_turns() {
  bool more = false;
  const std::size_t first = stage_.streams.nodes.below(shards().size());
  for (std::size_t i = 0; i < shards().size() && !is_dying(); ++i) {
    more |= shards()[(first + i) % shards().size()]->shard().run_turn();
  }
  if (is_dying()) return;
  if (more) wake();
  for (const NodeShard* shard : shards()) {
    lifetime_.wake_at(shard->groups().next_deadline());
    lifetime_.wake_at(shard->queues().next_deadline());
  }
}

void Broker::beat() {
  look_around();
  if (!ending_) post(ShardId(0), [this] { core_->watch().beat(); });
  for (NodeShard* shard : shards()) {
    post(shard->shard().id(), [this, id = shard->shard().id()] {
      for (const auto& connection : connections_) {
        if (connection->shard() == id) connection->check_deadline(now(id));
      }
    });
  }
  const Duration pause = std::max(Duration::zero(), lifetime_.runs_from() - stage_.schedule.now());
  lifetime_.after(std::max(cluster::NodeLiveness::kInterval, pause), [this] { beat(); });
}

void Broker::evacuate(NodeShard& shard) {
  lifetime_.after(shard.evacuate(), [this, &shard] { post(shard.shard().id(), [this, &shard] { evacuate(shard); }); });
}

void Broker::on_submit(const std::vector<storage::GroupWrite>& writes) {
  lifetime_.note_writes(writes);
  for (const storage::GroupWrite& write : writes) {
    around_.sightings.on_submit(write);
    if (write.row && write.row->installing) stage_.seen(Seen::snapshot_installed);
  }
}

/// Now and then: what has changed in the groups since.
void Broker::look_around() {
  const auto look_at = [this](GroupId group) {
    const cluster::Replica* found = replica(group);
    if (found != nullptr && found->is_open()) around_.sightings.on_turn_end(id(), group, *found);
  };
  look_at(kMetadataGroup);
  metadata().topology()->queues_by_id.for_each(
      [&](std::uint64_t, const cluster::QueuePtr& queue) { look_at(queue->id); });
}

bool Broker::survives(Step step) {
  if (is_dying()) return false;
  if (!lifetime_.is_trapped(step)) return true;
  lifetime_.die(std::string(kTrapped));
  return false;
}

// --- from the mesh ---

void Broker::on_frame(NodeId from, cluster::Lane lane, Bytes frame) {
  if (is_dying()) return;
  if (lane == cluster::Lane::data) {
    const auto items = cluster::split_frame(frame).value();
    const auto is_relayed = [](const cluster::Item& item) { return item.kind == cluster::ItemKind::relayed_mail; };
    if (std::ranges::any_of(items, is_relayed)) stage_.seen(Seen::relayed);
  }
  stage_.trace.digest(frame.size() + id().value() * 64 + from.value() * 4096);
  intake_->on_frame(from, frame);
  wake();
}

void Broker::on_connection(NodeId peer, cluster::Lane lane, bool up) {
  if (is_dying()) return;
  intake_->on_connection(peer, lane, up);
  wake();
}

// --- for checks ---

const queue::Queue* Broker::queue(GroupId id) const {
  for (const NodeShard* shard : shards()) {
    if (const queue::Queue* found = shard->queues().find(id)) return found;
  }
  return nullptr;
}

const cluster::Replica* Broker::replica(GroupId id) const {
  for (const NodeShard* shard : shards()) {
    const cluster::Replica* found = std::as_const(*shard).groups().replica(id);
    if (found != nullptr) return found;
  }
  return nullptr;
}

std::string Broker::describe() {
  return fmt::format("{} epoch {} {}: metadata leader {} version {}", name(), epoch().value(),
                     serving_ ? "serving" : "paused", raft::node_of(metadata().leader()).value(),
                     metadata().topology()->version);
}

}  // namespace quorate::sim::nodes
