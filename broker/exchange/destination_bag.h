// DestinationBag: destinations with a count. Several bindings of one exchange may lead to the same place by the same
// key and differ only in arguments that the type does not look at; the place stays until the last of them goes.
#pragma once
#include <cstdint>

#include "base/check.h"
#include "base/persistent_map.h"
#include "cluster/metadata/routing_index.h"

namespace quorate::exchange {

/// Immutable; a change costs O(log n) and shares the rest.
class DestinationBag {
 public:
  DestinationBag with(cluster::Destination destination) const {
    return DestinationBag(counts_.with(destination, count(destination) + 1));
  }

  /// One of `destination` is in the bag.
  DestinationBag without(cluster::Destination destination) const {
    const std::uint32_t present = count(destination);
    CHECK_GT(present, 0u);
    return DestinationBag(present == 1 ? counts_.without(destination) : counts_.with(destination, present - 1));
  }

  /// Each destination once.
  void add_to(cluster::RouteSink& sink) const {
    counts_.for_each([&](const cluster::Destination& destination, std::uint32_t) { sink.add(destination); });
  }

  bool empty() const { return counts_.empty(); }

  DestinationBag() = default;

 private:
  using Counts = PersistentMap<cluster::Destination, std::uint32_t>;

  explicit DestinationBag(Counts counts) : counts_(std::move(counts)) {}
  std::uint32_t count(cluster::Destination destination) const {
    const std::uint32_t* present = counts_.find(destination);
    return present != nullptr ? *present : 0;
  }

  Counts counts_;  // Invariant: no count is zero.
};

}  // namespace quorate::exchange
