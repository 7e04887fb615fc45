#include "broker/exchange/router.h"

#include <algorithm>

namespace quorate::exchange {

std::span<const std::uint64_t> Router::route(const ExchangeLookup& lookup, std::uint64_t exchange,
                                             std::span<const std::string_view> routing_keys, ByteView headers) {
  visited_.assign(1, exchange);
  queues_.clear();
  for (std::size_t next = 0; next < visited_.size(); ++next) {
    const std::uint64_t source = visited_[next];
    const cluster::RoutingIndex* index = lookup.index_of(source);
    if (index == nullptr) continue;
    sink_.clear();
    for (const std::string_view key : routing_keys) index->route({.routing_key = key, .headers = headers}, sink_);
    for (const cluster::Destination& destination : sink_.destinations()) {
      if (destination.kind == cluster::Destination::Kind::exchange) visit(destination.id);
      if (destination.kind == cluster::Destination::Kind::queue) queues_.push_back(destination.id);
    }
    if (!sink_.empty()) continue;
    if (const auto alternate = lookup.alternate_of(source)) visit(*alternate);
  }
  std::ranges::sort(queues_);
  const auto repeated = std::ranges::unique(queues_);
  queues_.erase(repeated.begin(), repeated.end());
  return queues_;
}

void Router::visit(std::uint64_t exchange) {
  // A linear scan: a message seldom passes more than a handful of exchanges.
  if (std::ranges::find(visited_, exchange) == visited_.end()) visited_.push_back(exchange);
}

}  // namespace quorate::exchange
