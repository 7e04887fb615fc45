#include "broker/node/orders.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quorate {
namespace {

Result<void> allow_loss(const Situation& situation) {
  if (!situation.is_known) {
    return failure(ErrorCode::unavailable,
                   "it is not known yet what only this node has: wait until it has started, or use --force");
  }
  if (situation.needed_for.empty()) return {};
  return failure(ErrorCode::unavailable,
                 fmt::format("this node is needed for {}: delete or move them (shrink, add_member) before it goes, or "
                             "use --force to lose what only it has",
                             join_names(situation.needed_for)));
}

Result<void> allow_to_join(const http::Order& order, const Situation& situation, const Config& config) {
  if (!config.cluster.has_others()) {
    return failure(ErrorCode::invalid_argument,
                   "this node does not listen for others: set cluster.secret or cluster.ssl_options, and "
                   "cluster.listener.ip where it is not to be every address");
  }
  if (order.join.name == config.node_name) return failure(ErrorCode::invalid_argument, "a node cannot join itself");
  if (situation.others.empty()) return {};
  return failure(ErrorCode::unavailable,
                 fmt::format("this node belongs to a cluster with {}: reset it first", join_names(situation.others)));
}

/// A node that has just started has not heard yet of those that are well.
Result<void> allow_to_stand_alone(const Situation& situation) {
  constexpr auto kMinorityMin = std::chrono::seconds(10);
  if (situation.was_forgotten) {
    return failure(ErrorCode::unavailable,
                   "this node was taken out of its cluster, which goes on without it: reset it");
  }
  if (!situation.minority_for) {
    return failure(ErrorCode::unavailable,
                   "this is for a node that runs and misses the majority of its cluster, which this one does not: "
                   "forget_cluster_node takes out what is lost");
  }
  if (!situation.live_others.empty()) {
    return failure(ErrorCode::unavailable,
                   fmt::format("{} would be left behind with all that is there: stop what runs first, and decide which "
                               "one is to go on",
                               join_names(situation.live_others)));
  }
  if (*situation.minority_for >= kMinorityMin) return {};
  return failure(ErrorCode::unavailable,
                 fmt::format("this node has been looking for the majority of its cluster for less than {} seconds: try "
                             "again when nobody can be on his way",
                             kMinorityMin.count()));
}

}  // namespace

std::string join_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamesMax = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesMax); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamesMax ? fmt::format("{} and {} more", text, names.size() - kNamesMax) : text;
}

Situation early_situation(const cluster::Outlook& outlook) {
  Situation situation{.is_known = !outlook.has_cluster};
  if (!outlook.has_cluster) return situation;
  for (const cluster::Outlook::Other& other : outlook.others) situation.others.push_back(other.name);
  return situation;
}

Result<void> allow(const http::Order& order, const Situation& situation, const Config& config) {
  using Kind = http::Order::Kind;
  if (order.kind == Kind::stop_app || order.kind == Kind::start_app) return {};
  if (order.kind == Kind::stand_alone) return allow_to_stand_alone(situation);
  if (order.kind == Kind::join_cluster) {
    if (auto allowed = allow_to_join(order, situation, config); !allowed) return allowed;
  }
  return order.force ? Result<void>() : allow_loss(situation);
}

std::optional<Result<void>> Orders::give(const http::Order& order, const Check& check) {
  {
    const std::lock_guard lock(mutex_);
    if (current_ && current_->ticket == order.ticket) return std::nullopt;
    if (!last_ticket_.empty() && last_ticket_ == order.ticket) return last_outcome_;
    if (current_) return failure(ErrorCode::unavailable, "another order of this kind is being carried out");
    if (auto allowed = check(); !allowed) return allowed;
    current_ = order;
  }
  on_order_();
  return std::nullopt;
}

std::optional<http::Order> Orders::next() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void Orders::finish(Result<void> outcome) {
  const std::lock_guard lock(mutex_);
  last_ticket_ = current_->ticket;
  last_outcome_ = std::move(outcome);
  current_.reset();
}

}  // namespace quorate
