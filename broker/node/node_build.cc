// The parts of a node, in the order in which they need each other.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "broker/node/node.h"
#include "broker/node/process_facts.h"
#include "broker/node/session_options.h"

namespace quorate {
namespace {

std::size_t shard_count(const Config& config) {
  const std::size_t wanted = config.shards != 0 ? config.shards : usable_cores();
  return std::min({wanted, std::size_t{1} << queue::kShardBits, cluster::NodeLiveness::kShardsMax});
}

}  // namespace

void Node::build() {
  build_core();
  alarms_ = std::make_unique<alarms::AlarmWatch>(
      core_->first_shard(),
      alarms::AlarmWatch::Options{.node = record_.self,
                                  .node_name = config_.node_name,
                                  .data_dir = config_.data_dir,
                                  .limits = config_.alarms,
                                  .disk_free_bytes = [this] { return storage_.free_bytes(); },
                                  .on_change = [this](const std::string& reason) { block_publishers(reason); }});
  link_->connect(core_->shards(), core_->metadata(), core_->watch(), *alarms_, storage_.reader());
  build_doors();
}

void Node::build_core() {
  NodeCore::Options options{
      .epoch = epoch(),
      .after_crash = storage_.after_crash(),
      .shards = shard_count(config_),
      .random = Random::from_system(),
      .initial_quorum_size = config_.cluster.initial_quorum_size,
      .pauses_in_minority = config_.cluster.partition_handling == PartitionHandling::pause_minority,
      .sessions = session_options(config_),
      .cluster_name = config_.cluster_name,
      .defaults = {.vhost = config_.default_vhost,
                   .user = config_.default_user,
                   .password = config_.default_pass,
                   .tags = config_.default_user_tags,
                   .permissions = {.configure = config_.default_permission_configure,
                                   .write = config_.default_permission_write,
                                   .read = config_.default_permission_read}}};
  if (stands_alone_) options.on_others_left = [this] { on_others_left(); };
  NodeCoreOwner& owner = *this;
  core_ = std::make_unique<NodeCore>(owner, clock_, storage_.disk(), record_, link_->here(record_), std::move(options));
}

void Node::build_doors() {
  listeners_ = std::make_unique<Listeners>(config_, core_->shards());
  view_ = std::make_unique<NodeView>(NodeView::Parts{.config = config_,
                                                     .shards = core_->shards(),
                                                     .link = *link_,
                                                     .watch = core_->watch(),
                                                     .alarms = *alarms_,
                                                     .stalls = stalls_,
                                                     .counters = core_->counters(),
                                                     .orders = orders_});
  doors_ = std::make_unique<OperatorDoors>(config_, *view_, core_->first_shard().io());
  leader_keeper_ =
      std::make_unique<LeaderKeeper>(*view_, LeaderKeeper::Options{.interval = config_.leader_rebalancing_interval,
                                                                   .moves_max = config_.leader_rebalancing_transfers});
  link_->set_on_control(answer_on(core_->first_shard(), *doors_));
  link_->set_on_question([this](std::string_view kind, Bytes words, cluster::AnswerFunction answer) {
    if (kind != NodeView::kQuestion) {
      return answer(failure(ErrorCode::invalid_argument, "no such question: " + std::string(kind)));
    }
    core_->first_shard().post_from_outside([this, words = std::move(words), answer = std::move(answer)]() mutable {
      view_->on_question(words, std::move(answer));
    });
  });
}

}  // namespace quorate
