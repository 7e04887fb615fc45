// The whole way of a message through one shard, without sockets and log: frames of basic.publish in, Session,
// Switchboard, a queue in memory, frames of basic.deliver out. Reports messages per second and allocations per message;
// one is the message itself. The argument is the size of the body.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "broker/amqp/content.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/session.h"
#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"
#include "broker/queue/queue_directory.h"
#include "cluster/metadata/machine.h"
#include "storage/disk_storage.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"
#include "tests/bench/allocation_meter.h"
#include "tests/storage/directories.h"

namespace quorate::amqp {
namespace {

constexpr int kPerTurn = 32;
constexpr ChannelId kChannel{1};

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

/// One shard with the queue "q", which is not durable, bound to amq.topic by "orders.#".
class OneShard final : public Surroundings, public queue::MailReceiver {
 public:
  OneShard() : metadata_(&make_index) {
    snapshots_ = std::move(*storage::SnapshotStore::open({.path = directory_ / "state"}));
    log_ = std::move(*storage::LogStore::open({.path = directory_ / "log", .epoch = Epoch(1)}));
    writer_ = std::make_unique<storage::LogWriter>(*log_, clock_);
    reader_ = std::make_unique<storage::LogReader>(*log_);
    storage_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
    shard_.connect({&shard_});
    switchboard_.connect({this});
    groups_ = std::make_unique<cluster::GroupHost>(shard_, *storage_, nullptr,
                                                   cluster::HostOptions{.node = node(), .epoch = Epoch(1)},
                                                   [](const Error&) { CHECK(false); });
    apply(cluster::PutVhost{.name = "/"});
    apply(cluster::PutUser{.name = "guest", .password_hash = auth::hash_password("guest", auth::Salt{}), .tags = {}});
    apply(cluster::SetPermissions{
        .user = "guest", .vhost = "/", .patterns = {.configure = ".*", .write = ".*", .read = ".*"}});
    apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "q", .node = node()}});
    apply(cluster::Bind{
        .binding = {.vhost = "/", .source = "amq.topic", .destination = "q", .key = {.routing_key = "orders.#"}}});
    queues_ = std::make_unique<queue::QueueDirectory>(
        shard_, queue::QueueSurroundings{.switchboard = switchboard_,
                                         .groups = *groups_,
                                         .cache_budget = budget_,
                                         .transient_bodies = transient_bodies_,
                                         .node = node(),
                                         .epoch = Epoch(1),
                                         .health_of = [](NodeId) { return queue::NodeHealth::live; },
                                         .settings_of = [](const cluster::Queue&) { return queue::Configure{}; },
                                         .topology = [this]() -> const cluster::Topology& { return *topology(); },
                                         .announce = [](const queue::Leadership&, bool) {},
                                         .report_placed = [](GroupId, std::vector<raft::ReplicaId>) {},
                                         .adopt = [](ShardId, GroupId, std::vector<queue::Adopted>) {},
                                         .request_delete = [](GroupId) {},
                                         .mark_dirty = {},
                                         .on_failure = [](const Error&) { CHECK(false); }});
    CHECK(queues_->recover(topology()).has_value());
    shard_.add_hook(switchboard_);
    shard_.add_hook(*queues_);
    session_ = std::make_unique<Session>(options_, Peer{.name = "bench", .is_loopback = true}, *this, Instant{});
  }
  ~OneShard() override {
    session_->on_disconnected();
    turn();
    session_.reset();
    writer_->stop();
    reader_->stop();
  }

  void client_sends(const std::vector<std::byte>& bytes) {
    CHECK_EQ(session_->on_bytes(bytes, Instant{}), bytes.size());
    turn();
  }
  /// Bytes that the client got since the last call.
  std::size_t client_reads() {
    session_->outbox().take(batch_);
    session_->on_written(Instant{});
    return batch_.size;
  }

  const cluster::TopologyPtr& topology() const override { return metadata_.topology(); }
  const policy::PolicyBook& policies() const override { return policies_; }
  Random& random() override { return random_; }
  NodeId node() const override { return NodeId(1); }
  queue::SessionId begin(Session&) override {
    return {.node = node(), .epoch = Epoch(1), .serial = queue::make_serial(ShardId(0), ++last_serial_)};
  }
  void end(const queue::SessionId&) override {}
  bool admit(Counted, std::uint32_t) override { return true; }
  void leave(Counted) override {}
  void remark(std::string) override {}
  std::vector<NodeId> place(std::size_t) override { return {node()}; }
  std::size_t initial_quorum_size() const override { return 1; }
  NodeId choose_leader(cluster::QueueType, const std::vector<NodeId>& members) override { return members.front(); }
  bool has_lost_majority(const cluster::Queue&) const override { return false; }
  bool has_ended(const queue::SessionId&) const override { return false; }
  bool is_congested() const override { return false; }
  std::size_t send(queue::QueueMail mail) override {
    const std::size_t bytes = queue::flight_bytes(mail.what);
    switchboard_.send(std::move(mail));
    return bytes;
  }
  void send(queue::SessionMail mail) override { switchboard_.send(std::move(mail)); }
  void submit(const queue::SessionId&, cluster::MetadataCommand) override { CHECK(false); }
  bool may_lag() const override { return false; }
  void fence(const queue::SessionId&) override { CHECK(false); }
  void on_mail(queue::QueueMail mail) override { queues_->on_mail(std::move(mail)); }
  void on_mail(queue::SessionMail mail) override { session_->on_mail(std::move(mail)); }
  void on_mail(queue::Parcel) override { CHECK(false); }
  void on_mail(queue::Numbering) override { CHECK(false); }

 private:
  void apply(cluster::MetadataCommand command) {
    cluster::MetadataEffects effects;
    const Bytes entry = cluster::encode_entry({.commands = {std::move(command)}});
    CHECK(metadata_.apply(++version_, entry.view(), effects).has_value());
  }
  void turn() {
    session_->flush();
    shard_.run_turn();
    session_->flush();
  }

  policy::PolicyBook policies_;
  storage::TestDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<storage::SnapshotStore> snapshots_;
  std::unique_ptr<storage::LogStore> log_;
  std::unique_ptr<storage::LogWriter> writer_;
  std::unique_ptr<storage::LogReader> reader_;
  std::unique_ptr<storage::DiskStorage> storage_;
  cluster::MetadataMachine metadata_;
  LogIndex version_;
  Random random_{1};
  std::uint64_t last_serial_ = 0;
  cluster::Shard shard_{ShardId(0), clock_};
  queue::Switchboard switchboard_{shard_, NodeId(1), nullptr};
  std::unique_ptr<cluster::GroupHost> groups_;
  queue::CacheBudget budget_;
  queue::CacheBudget transient_bodies_;
  std::unique_ptr<queue::QueueDirectory> queues_;
  const SessionOptions options_;
  std::unique_ptr<Session> session_;
  OutboxBatch batch_;
};

template <class... Methods>
std::vector<std::byte> frames(ChannelId channel, const Methods&... methods) {
  std::vector<std::byte> out;
  (append_method_frame(out, channel, Method(methods)), ...);
  return out;
}

void log_in(OneShard& shard) {
  const ByteView header = as_bytes({"AMQP\0\0\x09\x01", 8});
  shard.client_sends({header.begin(), header.end()});
  shard.client_sends(frames(
      ChannelId(0),
      ConnectionStartOk{.mechanism = "PLAIN", .response = std::string_view("\0guest\0guest", 12), .locale = "en_US"},
      ConnectionTuneOk{.channel_max = 10, .frame_max = 131'072, .heartbeat = 0}, ConnectionOpen{.virtual_host = "/"}));
  shard.client_sends(frames(kChannel, ChannelOpen{}));
}

std::vector<std::byte> publications(std::string_view exchange, std::string_view key, std::size_t body_size) {
  const std::vector<std::byte> properties =
      encode_properties(Properties{.content_type = "application/json", .delivery_mode = std::uint8_t{2}});
  std::vector<std::byte> out;
  for (int i = 0; i < kPerTurn; ++i) {
    append_method_frame(out, kChannel, BasicPublish{.exchange = exchange, .routing_key = key});
    append_content_header(out, kChannel, 60, body_size, properties);
    append_body_frames(out, kChannel, std::vector<std::byte>(body_size), 131'072);
  }
  return out;
}

struct Way {
  std::string_view exchange;
  std::string_view key;
  bool has_consumer = false;
  bool no_ack = false;
  bool confirms = false;
};

void run(benchmark::State& state, const Way& way) {
  OneShard shard;
  log_in(shard);
  if (way.confirms) shard.client_sends(frames(kChannel, ConfirmSelect{}));
  if (way.has_consumer) {
    shard.client_sends(frames(kChannel, BasicConsume{.queue = "q", .consumer_tag = "c", .no_ack = way.no_ack}));
  }
  shard.client_reads();
  const std::vector<std::byte> stream = publications(way.exchange, way.key, static_cast<std::size_t>(state.range(0)));
  std::uint64_t tag = 0;
  std::vector<std::byte> ack;
  const auto turn = [&] {
    shard.client_sends(stream);
    benchmark::DoNotOptimize(shard.client_reads());
    tag += kPerTurn;
    if (!way.has_consumer || way.no_ack) return;
    ack.clear();
    append_method_frame(ack, kChannel, BasicAck{.delivery_tag = tag, .multiple = true});
    shard.client_sends(ack);
  };
  for (int i = 0; i < 200; ++i) turn();
  const AllocationMeter meter;
  for (auto _ : state) turn();
  meter.report(state, state.iterations() * kPerTurn);
}

BENCHMARK_CAPTURE(run, default_exchange_no_ack, Way{.key = "q", .has_consumer = true, .no_ack = true})
    ->Arg(16)
    ->Arg(1024)
    ->Arg(100 << 10);
BENCHMARK_CAPTURE(run, default_exchange_acked, Way{.key = "q", .has_consumer = true})->Arg(16)->Arg(1024);
BENCHMARK_CAPTURE(run, topic_exchange_acked_confirmed,
                  Way{.exchange = "amq.topic", .key = "orders.eu.created", .has_consumer = true, .confirms = true})
    ->Arg(1024);
BENCHMARK_CAPTURE(run, unroutable, Way{.exchange = "amq.topic", .key = "nobody"})->Arg(1024);

}  // namespace
}  // namespace quorate::amqp
