// What NodeView is asked for that takes a while.
#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/node/node_view.h"
#include "broker/node/wait_until.h"

namespace quorate {
namespace {

/// Longer than a node that has just died seems to be alive.
constexpr Duration kSilenceLimit = std::chrono::seconds(4);
/// Shorter than another node waits for the answer.
constexpr Duration kTransferLimit = std::chrono::milliseconds(1700);
constexpr Duration kEvacuationLimit = std::chrono::seconds(30);

std::string_view text_of(raft::Refusal refusal) {
  switch (refusal) {
    case raft::Refusal::none:
      return "";
    case raft::Refusal::not_leader:
      return "it is led by another node now";
    case raft::Refusal::busy:
      return "too much is under way";
    case raft::Refusal::transferring:
      return "its leadership is being transferred already";
    case raft::Refusal::change_pending:
      return "a change of its members is under way";
    case raft::Refusal::invalid:
      return "the member there cannot lead (yet)";
    case raft::Refusal::failed:
      return "the disk of its leader has failed";
  }
  return "";
}

}  // namespace

std::string NodeView::waits_for() const {
  if (state_ == http::ServiceState::serving || state_ == http::ServiceState::draining) return "";
  if (parts_.link.was_forgotten()) {
    return fmt::format("it was taken out of its cluster (forget_cluster_node): {}", ClusterLink::kHowToJoinAgain);
  }
  std::string missing;
  std::size_t present = 0;
  const std::vector<cluster::ClusterNode> all = members();
  for (const cluster::ClusterNode& node : all) {
    if (is_live(node.id)) {
      ++present;
    } else {
      const std::string trouble = parts_.link.trouble_with(node.id);
      missing += (missing.empty() ? "" : ", ") + node.name + (trouble.empty() ? "" : " (" + trouble + ")");
    }
  }
  return missing.empty() ? "" : fmt::format("{} of {} nodes, waiting for {}", present, all.size(), missing);
}

void NodeView::when_serving(Duration limit, Done<bool> done) {
  const auto look = [this](Done<bool> serves) { serves(state_ == http::ServiceState::serving); };
  wait_until(home().shard(), look, limit, std::move(done));
}

void NodeView::when_not_quorum_critical(Duration limit, Done<bool> done) {
  wait_until(
      home().shard(), [this](Done<bool> is_safe) { is_safe(quorum_critical().empty()); }, limit, std::move(done));
}

void NodeView::when_online(std::size_t nodes, Duration limit, Done<bool> done) {
  const auto look = [this, nodes](Done<bool> are_there) {
    const std::vector<cluster::ClusterNode> all = members();
    const auto live = std::ranges::count_if(all, [this](const auto& node) { return is_live(node.id); });
    are_there(static_cast<std::size_t>(live) >= nodes);
  };
  wait_until(home().shard(), look, limit, std::move(done));
}

void NodeView::when_silent(NodeId node, Done<bool> done) {
  wait_until(
      home().shard(), [this, node](Done<bool> is_silent) { is_silent(!is_live(node)); }, kSilenceLimit,
      std::move(done));
}

void NodeView::when_placed(GroupId queue, Duration limit, Done<bool> done) {
  const auto look = [this, queue](Done<bool> placed) {
    const cluster::Queue* definition = topology()->find_queue(queue);
    placed(definition == nullptr || definition->target.empty());
  };
  wait_until(home().shard(), look, limit, std::move(done));
}

void NodeView::when_leading_nothing(Done<std::size_t> done) {
  const auto led = std::make_shared<std::size_t>(0);
  const auto look = [this, led](Done<bool> leads_nothing) {
    see_queues([this, led, leads_nothing = std::move(leads_nothing)](const std::vector<SeenQueue>& seen) mutable {
      *led = static_cast<std::size_t>(std::ranges::count_if(seen, [this](const SeenQueue& queue) {
        const cluster::Queue* definition = topology()->find_queue(queue.counts.id);
        return queue.leads && definition != nullptr && definition->members.size() > 1;
      }));
      gather<std::size_t>([](NodeShard& shard) { return std::vector{shard.count_left_to_lead()}; },
                          [leads_nothing = std::move(leads_nothing)](const std::vector<std::size_t>& left) mutable {
                            leads_nothing(std::ranges::all_of(left, [](std::size_t count) { return count == 0; }));
                          });
    });
  };
  wait_until(home().shard(), look, kEvacuationLimit, [led, done = std::move(done)](bool) mutable { done(*led); });
}

// --- transfers ---

/// The leader's node does it.
void NodeView::transfer_leadership(GroupId queue, NodeId to, Done<Result<void>> done) {
  if (!is_live(to)) return done(failure(ErrorCode::unavailable, name_of(to) + " does not answer"));
  collect_queue(queue, [this, queue, to, done = std::move(done)](std::optional<http::QueueRow> row) mutable {
    const std::vector<cluster::ClusterNode> all = members();
    const auto leader = row ? std::ranges::find(all, row->node, &cluster::ClusterNode::name) : all.end();
    if (leader == all.end()) return done(failure(ErrorCode::unavailable, "nobody leads the queue at the moment"));
    if (leader->id == to) {
      return done(failure(ErrorCode::already_exists, "The target node is already the leader of this queue"));
    }
    if (leader->id == self()) return transfer_here(queue, to, std::move(done));
    ask(*leader, {{"what", "transfer"}, {"queue", queue.value()}, {"node", to.value()}},
        [done = std::move(done)](Result<boost::json::value> answer) mutable {
          if (!answer) return done(std::unexpected(answer.error()));
          done({});
        });
  });
}

Result<void> NodeView::begin_transfer(NodeShard& shard, GroupId queue, NodeId to) {
  const cluster::Replica* replica = shard.groups().replica(queue);
  if (replica == nullptr) return failure(ErrorCode::not_found, "the queue has no member on its leader's node any more");
  if (!replica->is_open()) {
    return failure(ErrorCode::unavailable, "the queue's member on its leader's node is still starting");
  }
  const std::vector<raft::ReplicaId>& voters = replica->core().configuration().voters;
  const auto heir = std::ranges::find(voters, to, raft::node_of);
  if (heir == voters.end()) return failure(ErrorCode::not_found, "the queue has no member on that node that votes");
  const raft::Refusal refusal = shard.groups().transfer(queue, *heir);
  if (refusal == raft::Refusal::none) return {};
  return failure(ErrorCode::unavailable, std::string(text_of(refusal)));
}

void NodeView::transfer_here(GroupId queue, NodeId to, Done<Result<void>> done) {
  gather_one<Result<void>>(
      queue, [queue, to](NodeShard& shard) { return begin_transfer(shard, queue, to); },
      [this, queue, to, done = std::move(done)](Result<void> begun) mutable {
        if (!begun) return done(std::move(begun));
        const auto look = [this, queue, to](Done<bool> leads) {
          see_queue(queue, [to, leads = std::move(leads)](const std::optional<SeenQueue>& seen) mutable {
            leads(seen && seen->leader == to);
          });
        };
        wait_until(home().shard(), look, kTransferLimit, [done = std::move(done)](bool leads) mutable {
          if (leads) return done({});
          done(failure(ErrorCode::unavailable, "that member has not taken over in time"));
        });
      });
}

}  // namespace quorate
