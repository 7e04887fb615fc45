// Which leaders to move so that each node leads about as many of the replicated queues as the others.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "broker/http/broker_view.h"

namespace quorate::ctl {

struct LeaderMove {
  GroupId queue;
  std::string from;
  std::string to;
  bool operator==(const LeaderMove&) const = default;
};

struct LeaderBalance {
  std::vector<LeaderMove> moves;
  std::map<std::string, std::size_t> leaders;  // of each node, after them
};

/// Greedy: from the node with the most leaders to one of its queue's members with at least two less, until there is no
/// such queue. Only nodes of `fit` are given leaders.
LeaderBalance balance_leaders(const std::vector<http::QueueRow>& queues, const std::vector<std::string>& fit);

}  // namespace quorate::ctl
