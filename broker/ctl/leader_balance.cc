#include "broker/ctl/leader_balance.h"

#include <algorithm>

namespace quorate::ctl {
namespace {

bool is_led(const http::QueueRow& queue) { return queue.state == "running" && !queue.node.empty(); }

}  // namespace

LeaderBalance balance_leaders(const std::vector<http::QueueRow>& queues, const std::vector<std::string>& fit) {
  LeaderBalance balance;
  for (const std::string& node : fit) balance.leaders[node] = 0;
  for (const http::QueueRow& queue : queues) {
    if (!queue.members.empty() && is_led(queue)) ++balance.leaders[queue.node];
  }
  // Each queue is looked at with all others where they are to be; a round that moves none is the last. Every move
  // lowers the sum of squares, so there is one.
  std::vector<std::string> leader_of;
  for (const http::QueueRow& queue : queues) leader_of.push_back(queue.node);
  for (bool has_moved = true; has_moved;) {
    has_moved = false;
    for (std::size_t i = 0; i < queues.size(); ++i) {
      const http::QueueRow& queue = queues[i];
      if (queue.members.size() < 2 || !is_led(queue)) continue;
      const std::string* best = nullptr;
      for (const std::string& member : queue.online) {
        if (std::ranges::find(fit, member) == fit.end()) continue;
        if (best == nullptr || balance.leaders[member] < balance.leaders[*best]) best = &member;
      }
      if (best == nullptr || balance.leaders[*best] + 1 >= balance.leaders[leader_of[i]]) continue;
      --balance.leaders[leader_of[i]];
      ++balance.leaders[*best];
      leader_of[i] = *best;
      has_moved = true;
    }
  }
  for (std::size_t i = 0; i < queues.size(); ++i) {
    if (leader_of[i] == queues[i].node) continue;
    balance.moves.push_back({.queue = queues[i].definition->id, .from = queues[i].node, .to = leader_of[i]});
  }
  return balance;
}

}  // namespace quorate::ctl
