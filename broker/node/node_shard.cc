#include "broker/node/node_shard.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace quorate {
namespace {
constexpr ShardId kMetadataShard{0};
}

NodeShard::NodeShard(cluster::Shard& shard, storage::GroupStorage& storage, const amqp::SessionOptions& sessions,
                     Options options)
    : shard_(shard),
      options_(std::move(options)),
      random_(options_.seed),
      switchboard_(shard),
      groups_(shard, storage, nullptr, {.node = options_.node, .epoch = options_.epoch}, options_.on_failure),
      queues_(shard, {.switchboard = switchboard_,
                      .groups = groups_,
                      .cache_budget = cache_budget_,
                      .transient_bodies = transient_bodies_,
                      .node = options_.node,
                      .epoch = options_.epoch,
                      .after_crash = options_.after_crash,
                      .request_delete = [this](GroupId id) { request_delete(id); },
                      .on_failure = options_.on_failure}),
      connections_(shard, *this, sessions),
      recovery_(*this) {
  // The order of a turn: what sessions and queues sent is delivered, queues pack it into entries, groups apply them and
  // hand them to the log, and what came of it is flushed to the clients.
  shard_.add_hook(connections_);
  shard_.add_hook(switchboard_);
  shard_.add_hook(queues_);
  shard_.add_hook(groups_);
  shard_.add_hook(recovery_);
}

NodeShard::~NodeShard() = default;

void NodeShard::connect(const std::vector<NodeShard*>& shards, cluster::MetadataHost& metadata) {
  metadata_ = &metadata;
  switchboard_.connect({shards.begin(), shards.end()});
}

void NodeShard::recover(const cluster::TopologyPtr& topology, std::function<void()> on_recovered) {
  follow(topology);
  if (auto recovered = queues_.recover(topology); !recovered) {
    options_.on_failure(recovered.error());
    return;
  }
  recovery_.on_recovered = std::move(on_recovered);
}

bool NodeShard::RecoveryWatch::on_turn_end() {
  if (on_recovered && owner_.queues_.is_recovered()) std::exchange(on_recovered, nullptr)();
  return false;
}

void NodeShard::on_topology(const cluster::TopologyPtr& topology, const std::vector<cluster::QueuePtr>& created,
                            const std::vector<cluster::QueuePtr>& deleted) {
  follow(topology);
  queues_.on_topology(topology, created, deleted);
}

/// Versions reach a shard by more than one way; the newest counts.
void NodeShard::follow(const cluster::TopologyPtr& topology) {
  if (topology->version > view_->version) view_ = topology;
}

void NodeShard::on_mail(queue::SessionMail mail) {
  const auto at = sessions_.find(mail.to.serial);
  if (at == sessions_.end()) return;
  if (const auto* deleted = std::get_if<queue::Deleted>(&mail.what); deleted != nullptr && deleted->topology) {
    follow(deleted->topology);
  }
  connections_.mark_dirty(*at->second);
  at->second->on_mail(std::move(mail));
}

void NodeShard::send(queue::SessionMail mail) {
  // An address that a client made up may name a shard that this node does not have.
  if (queue::shard_of(mail.to).value() < shard_.shard_count()) switchboard_.send(std::move(mail));
}

queue::SessionId NodeShard::begin(amqp::Session& session) {
  const std::uint64_t serial = queue::make_serial(shard_.id(), ++last_serial_);
  sessions_.emplace(serial, &session);
  return {.node = options_.node, .epoch = options_.epoch, .serial = serial};
}

void NodeShard::submit(const queue::SessionId& from, cluster::MetadataCommand command) {
  submit_command(std::move(command), [this, from](cluster::Outcome outcome, const cluster::TopologyPtr& topology) {
    on_metadata(from, {.outcome = outcome, .topology = topology});
  });
}

bool NodeShard::admit(Counted what, std::uint32_t limit) {
  if (++counter(what) <= limit) return true;
  --counter(what);
  return false;
}

void NodeShard::remark(std::string text) { log::warn(log::Category::queue, "{}", text); }

void NodeShard::request_delete(GroupId queue) {
  if (stopping_) return;  // an auto-delete queue does not lose its last consumer because the node stops
  submit_command(cluster::DeleteQueue{.id = queue}, [](cluster::Outcome, const cluster::TopologyPtr&) {});
}

void NodeShard::shut_down(std::string_view reason) {
  stopping_ = true;
  connections_.shut_down(reason);
}

/// There and back: the command goes to the shard of the metadata, and `done` is called here.
void NodeShard::submit_command(cluster::MetadataCommand command, cluster::MetadataHost::Done done) {
  shard_.post(kMetadataShard, [this, command = std::move(command), done = std::move(done)]() mutable {
    cluster::Shard& metadata_shard = metadata_->shard();
    metadata_->submit(std::move(command), [this, &metadata_shard, done = std::move(done)](
                                              cluster::Outcome outcome, const cluster::TopologyPtr& topology) mutable {
      metadata_shard.post(shard_.id(),
                          [done = std::move(done), outcome, topology]() mutable { done(outcome, topology); });
    });
  });
}

void NodeShard::on_metadata(const queue::SessionId& to, const amqp::MetadataReply& reply) {
  follow(reply.topology);
  const auto at = sessions_.find(to.serial);
  if (at == sessions_.end()) return;
  connections_.mark_dirty(*at->second);
  at->second->on_metadata(to, reply);
}

}  // namespace quorate
