// Router: from one exchange to the queues that get a copy of a message, through exchanges bound to exchanges and
// through alternate exchanges (features.md E001, E002). Owned by whoever publishes on a shard; it is only scratch
// memory that is used again, so that routing allocates nothing once it has grown.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cluster/metadata/routing_index.h"

namespace quorate::exchange {

/// What the router asks of a topology snapshot.
class ExchangeLookup {
 public:
  virtual ~ExchangeLookup() = default;
  /// Null when there is no such exchange: whatever led there is ignored.
  virtual const cluster::RoutingIndex* index_of(std::uint64_t exchange) const = 0;
  /// The alternate exchange by argument or policy; none when it is not set or does not exist.
  virtual std::optional<std::uint64_t> alternate_of(std::uint64_t exchange) const = 0;
};

class Router {
 public:
  /// Ids of the queues, ascending, each once; valid until the next call. Each exchange is visited once, which cuts
  /// cycles. An exchange whose own bindings yield nothing hands over to its alternate.
  std::span<const std::uint64_t> route(const ExchangeLookup& lookup, std::uint64_t exchange,
                                       std::span<const std::string_view> routing_keys, ByteView headers);

 private:
  void visit(std::uint64_t exchange);

  cluster::RouteSink sink_;             // what the exchange at hand yields
  std::vector<std::uint64_t> visited_;  // Invariant: no id twice; also the list of work, in order of discovery.
  std::vector<std::uint64_t> queues_;
};

}  // namespace quorate::exchange
