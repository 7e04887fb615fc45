#include "broker/node/leader_keeper.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"

namespace quorate {
namespace {

/// Of how many leaders each could have a share.
std::map<std::string, std::size_t> count_leaders(const std::vector<http::QueueRow>& queues) {
  std::map<std::string, std::size_t> leaders;
  for (const http::QueueRow& queue : queues) {
    if (queue.members.size() > 1 && queue.state == "running") ++leaders[queue.node];
  }
  return leaders;
}

}  // namespace

std::vector<ctl::LeaderMove> urgent_moves(const std::vector<http::QueueRow>& queues,
                                          const std::vector<std::string>& fit, std::size_t moves_max) {
  std::map<std::string, std::size_t> leaders = count_leaders(queues);
  std::size_t all = 0;
  for (const auto& [node, count] : leaders) all += count;
  const std::size_t share = fit.empty() ? all : (all + fit.size() - 1) / fit.size();
  const std::size_t tolerated = share + std::max<std::size_t>(share / 10, 2);
  std::map<GroupId, std::string> leader_of;
  for (const http::QueueRow& queue : queues) leader_of[queue.definition->id] = queue.node;
  std::vector<ctl::LeaderMove> urgent;
  for (ctl::LeaderMove& move : ctl::balance_leaders(queues, fit).moves) {
    if (urgent.size() == moves_max) break;
    std::size_t& left = leaders[leader_of[move.queue]];
    if (left <= tolerated) continue;
    --left;
    urgent.push_back(std::move(move));
  }
  return urgent;
}

LeaderKeeper::LeaderKeeper(NodeView& view, Options options)
    : view_(view), options_(options), timer_(view.home().shard().io()) {}

void LeaderKeeper::start() {
  if (options_.interval > Duration::zero()) tick();
}

void LeaderKeeper::stop() {
  stopped_ = true;
  timer_.cancel();
}

void LeaderKeeper::tick() {
  timer_.expires_after(options_.interval);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || stopped_) return;
    look();
    tick();
  });
}

void LeaderKeeper::look() {
  const cluster::Replica* metadata = view_.home().groups().replica(kMetadataGroup);
  if (metadata == nullptr || !metadata->is_leading() || view_.service_state() != http::ServiceState::serving) return;
  view_.collect_queues([this](const std::vector<http::QueueRow>& queues) {
    if (stopped_) return;
    std::vector<std::string> fit;
    view_.topology()->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
      if (!node.drained && view_.is_live(node.id)) fit.push_back(node.name);
    });
    move(urgent_moves(queues, fit, options_.moves_max));
  });
}

void LeaderKeeper::move(const std::vector<ctl::LeaderMove>& moves) {
  if (!moves.empty()) log::info(log::Category::cluster, "leaders.rebalanced moves={}", moves.size());
  for (const ctl::LeaderMove& move : moves) {
    std::optional<NodeId> to;
    view_.topology()->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
      if (node.name == move.to) to = node.id;
    });
    if (to) view_.transfer_leadership(move.queue, *to, [](const Result<void>&) {});
  }
}

}  // namespace quorate
