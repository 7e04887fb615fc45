// The parts of a node, in the order in which they need each other.
#include <algorithm>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "broker/exchange/exchange_types.h"
#include "broker/node/node.h"

namespace quorate {
namespace {

/// A write that takes longer means a disk that hangs: others should lead meanwhile.
constexpr Duration kDiskStallMax = std::chrono::seconds(2);

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

}  // namespace

void Node::build() {
  build_shards();
  build_metadata();
  build_watch();
  link_->connect(shard_views_, *metadata_, *watch_, *alarms_, storage_.reader());
  build_doors();
}

void Node::build_shards() {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t wanted = config_.shards != 0 ? config_.shards : cores;
  const std::size_t count = std::min({wanted, std::size_t{1} << queue::kShardBits, cluster::NodeLiveness::kShardsMax});
  std::vector<cluster::Shard*> shards;
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<cluster::Shard>(ShardId(static_cast<std::uint32_t>(i)), clock_));
    shards.push_back(shards_.back().get());
  }
  for (std::size_t i = 0; i < count; ++i) {
    shards[i]->connect(shards);
    ShardPost* post = nullptr;
    if (link_->is_clustered()) {
      posts_.push_back(std::make_unique<ShardPost>(*shards[i], link_->plane(),
                                                   [this, i](NodeId to) { node_shards_[i]->on_node_unreachable(to); }));
      post = posts_.back().get();
    }
    node_shards_.push_back(build_node_shard(*shards[i], post));
    shard_views_.push_back(node_shards_.back().get());
  }
}

std::unique_ptr<NodeShard> Node::build_node_shard(cluster::Shard& shard, ShardPost* post) {
  NodeShard::Options options{.node = self(),
                             .epoch = epoch(),
                             .after_crash = storage_.after_crash(),
                             .seed = Random::from_system().next(),
                             .initial_quorum_size = config_.cluster.initial_quorum_size,
                             .counters = counters_,
                             .transport = post,
                             .remote = post,
                             .on_failure = [this](const Error& error) { fail(error); }};
  return std::make_unique<NodeShard>(shard, storage_.disk(), session_options_, std::move(options));
}

void Node::build_metadata() {
  metadata_ = std::make_unique<cluster::MetadataHost>(
      first_shard(), node_shards_.front()->groups(),
      cluster::MetadataHost::Options{
          .node = self(),
          .epoch = epoch(),
          .make_index = &make_index,
          .forward = [this](NodeId to, const Bytes& entry) { posts_.front()->send_metadata(to, entry); }});
  first_shard().add_hook(*metadata_);
  for (NodeShard* shard : shard_views_) shard->connect(shard_views_, *metadata_);
  // Last of a turn: what it made for other nodes leaves.
  for (std::size_t i = 0; i < posts_.size(); ++i) shards_[i]->add_hook(posts_[i]->outgoing());
}

void Node::build_watch() {
  watch_ = std::make_unique<cluster::ClusterWatch>(
      first_shard(), epoch(),
      cluster::ClusterWatch::Surroundings{
          .send =
              [this](NodeId to, const cluster::Heartbeat& beat) {
                posts_.front()->send(to, beat);
                posts_.front()->send(to, alarms_->own());
              },
          .on_node_live =
              [this](NodeId node, bool live) {
                log::info(log::Category::cluster, "node.{} node={}", live ? "up" : "down", link_->name_of(node));
                if (!live) alarms_->set_remote(node, link_->name_of(node), {});
                on_every_shard([node, live](NodeShard& shard) { shard.on_node_live(node, live, false); });
              },
          .on_given_up =
              [this](NodeId node) {
                on_every_shard([node](NodeShard& shard) { shard.on_node_live(node, false, true); });
              },
          .on_majority = [this](bool has_majority) { on_majority(has_majority); },
          .is_disk_well = [this] { return storage_.busy_for(clock_.now()) < kDiskStallMax; }});
  alarms_ = std::make_unique<alarms::AlarmWatch>(
      first_shard(),
      alarms::AlarmWatch::Options{.node = self(),
                                  .node_name = config_.node_name,
                                  .data_dir = config_.data_dir,
                                  .limits = config_.alarms,
                                  .on_change = [this](const std::string& reason) { block_publishers(reason); }});
}

void Node::build_doors() {
  listeners_ = std::make_unique<Listeners>(config_, shard_views_);
  view_ = std::make_unique<NodeView>(NodeView::Parts{.config = config_,
                                                     .shards = shard_views_,
                                                     .link = *link_,
                                                     .watch = *watch_,
                                                     .alarms = *alarms_,
                                                     .orders = orders_});
  doors_ = std::make_unique<OperatorDoors>(config_, *view_, first_shard().io());
  link_->set_on_control(answer_on(first_shard(), *doors_));
  link_->set_on_question([this](std::string_view kind, Bytes words, cluster::AnswerFunction answer) {
    if (kind != NodeView::kQuestion) {
      return answer(failure(ErrorCode::invalid_argument, "no such question: " + std::string(kind)));
    }
    first_shard().post_from_outside([this, words = std::move(words), answer = std::move(answer)]() mutable {
      view_->on_question(words, std::move(answer));
    });
  });
}

}  // namespace quorate
