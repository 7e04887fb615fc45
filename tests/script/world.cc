#include "tests/script/world.h"

#include <future>
#include <utility>

#include "base/check.h"
#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"

namespace quorate::script {
namespace {

constexpr NodeId kThisNode{1};

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

void stop_on_failure(const Error& error) { CHECK(error.text.empty()); }

}  // namespace

World::World() {
  open();
  found();
}

World::~World() { close(); }

void World::open() {
  ++epoch_;
  auto snapshots = storage::SnapshotStore::open({.path = directory_ / "state"});
  CHECK(snapshots.has_value());
  snapshots_ = std::move(*snapshots);
  auto log = storage::LogStore::open({.path = directory_ / "log", .epoch = Epoch(epoch_)});
  CHECK(log.has_value());
  log_ = std::move(*log);
  writer_ = std::make_unique<storage::LogWriter>(*log_, storage_clock_);
  reader_ = std::make_unique<storage::LogReader>(*log_);

  shard_ = std::make_unique<cluster::Shard>(ShardId(0), clock_);
  shard_->connect({shard_.get()});
  storage_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
  node_shard_ = std::make_unique<NodeShard>(
      *shard_, *storage_, unused_options_,
      NodeShard::Options{.node = kThisNode, .epoch = Epoch(epoch_), .seed = epoch_, .on_failure = &stop_on_failure});
  metadata_ = std::make_unique<cluster::MetadataHost>(
      *shard_, node_shard_->groups(),
      cluster::MetadataHost::Options{
          .node = kThisNode, .epoch = Epoch(epoch_), .make_index = &make_index, .forward = {}});
  shard_->add_hook(*metadata_);
  node_shard_->connect({node_shard_.get()}, *metadata_);

  bool recovered = false;
  const raft::ReplicaId self = raft::replica_on(kThisNode, kMetadataGroup.value());
  const auto started = metadata_->start({.self = self, .configuration = {.voters = {self}}});
  CHECK(started.has_value());
  metadata_->submit(cluster::NodeStarted{.node = kThisNode, .epoch = Epoch(epoch_)},
                    [&](cluster::Outcome, const cluster::TopologyPtr& topology) {
                      metadata_->set_publish([this](const auto&... change) { node_shard_->on_topology(change...); });
                      node_shard_->recover(topology, [&] { recovered = true; });
                    });
  settle();
  CHECK(recovered);
}

void World::close() {
  settle();
  writer_->stop();
  reader_->stop();
  metadata_.reset();
  node_shard_.reset();
  shard_.reset();
  reader_.reset();
  writer_.reset();
  log_.reset();
  snapshots_.reset();
}

void World::restart() {
  close();
  open();
}

void World::found() {
  submit(cluster::PutVhost{.name = "/"});
  put_user("guest", "guest", {"administrator"});
  submit(cluster::SetPermissions{
      .user = "guest", .vhost = "/", .patterns = {.configure = ".*", .write = ".*", .read = ".*"}});
}

void World::clear() {
  const cluster::TopologyPtr before = metadata_->topology();
  before->vhosts.for_each([&](const std::string& name, const auto&) { submit(cluster::DeleteVhost{.name = name}); });
  before->users.for_each([&](const std::string& name, const auto&) { submit(cluster::DeleteUser{.name = name}); });
  found();
}

void World::submit(cluster::MetadataCommand command) {
  metadata_->submit(std::move(command), [](cluster::Outcome, const cluster::TopologyPtr&) {});
  settle();
}

void World::put_user(const std::string& name, const std::string& password, std::vector<std::string> tags) {
  submit(cluster::PutUser{
      .name = name, .password_hash = auth::hash_password(password, auth::Salt{}), .tags = std::move(tags)});
}

/// Storage has answered everything before each turn, so that equal input is worked on in equal turns.
void World::settle() {
  constexpr int kIdleTurns = 2;
  for (int idle = 0; idle < kIdleTurns; ++idle) {
    wait_for_storage();
    if (shard_->run_turn()) idle = -1;
  }
}

/// Each storage thread answers in order: once it has answered this question, all its earlier answers are in the
/// mailbox.
void World::wait_for_storage() {
  std::promise<void> written;
  std::promise<void> read;
  std::promise<void> chores_done;
  writer_->submit({}, 0, storage::Durability::buffered, [&](const Result<void>&) { written.set_value(); });
  reader_->read_each(kMetadataGroup, {}, [&](const auto&) { read.set_value(); });
  reader_->run([&] { chores_done.set_value(); });
  written.get_future().wait();
  read.get_future().wait();
  chores_done.get_future().wait();
}

}  // namespace quorate::script
