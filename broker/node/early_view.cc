#include "broker/node/early_view.h"

#include <algorithm>
#include <chrono>

#include "broker/http/refusal.h"
#include "broker/message/compatible_version.h"
#include "broker/node/process_facts.h"
#include "broker/node/wait_until.h"

namespace quorate {

std::string_view EarlyView::rabbitmq_version() const { return kCompatibleVersion; }

http::NodeRow EarlyView::this_node() const {
  http::NodeRow node = describe_process(config_);
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - started_);
  node.uptime = std::max(uptime, std::chrono::milliseconds(0));
  node.listeners = listeners_;
  return node;
}

void EarlyView::when_serving(Duration limit, Done<bool> done) {
  wait_until(thread_, [](Done<bool> serves) { serves(false); }, limit, std::move(done));
}

void EarlyView::collect_nodes(Done<std::vector<http::NodeRow>> done) {
  std::vector<http::NodeRow> rows = {this_node()};
  for (const cluster::Outlook::Other& other : parts_.outlook().others) {
    rows.push_back({.name = other.name, .running = other.answers});
  }
  std::ranges::sort(rows, {}, &http::NodeRow::name);
  done(std::move(rows));
}

void EarlyView::transfer_leadership(GroupId, NodeId, Done<Result<void>> done) {
  done(failure(ErrorCode::unavailable, http::what_it_is(*this)));
}

void EarlyView::forget_node(NodeId, bool, Done<Result<void>> done) {
  done(failure(ErrorCode::unavailable, http::what_it_is(*this)));
}

std::optional<Result<void>> EarlyView::order(const http::Order& order) {
  return parts_.orders.give(order, [&] { return allow(order, parts_.situation(), config_); });
}

}  // namespace quorate
