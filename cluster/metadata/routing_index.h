// RoutingIndex: all bindings of one exchange, arranged for its type; the metadata machine keeps one per exchange and
// never looks inside. Immutable like the rest of the topology: bind and unbind give a new index that shares what did
// not change, so every shard routes on a snapshot without a lock. The types themselves live in broker/exchange.
#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/persistent_map.h"

namespace quorate::cluster {

/// Where a binding leads. Queues and exchanges are named by ids here so that routing compares integers.
struct Destination {
  enum class Kind : std::uint8_t { queue, exchange };
  Kind kind = Kind::queue;
  std::uint64_t id = 0;
  auto operator<=>(const Destination&) const = default;

  /// For PersistentMap; fixed for ever, because the order of iteration follows from it.
  friend std::uint64_t stable_hash(const Destination& destination) {
    return quorate::stable_hash(destination.id * 2 + static_cast<std::uint64_t>(destination.kind));
  }
};

/// What, besides its two ends, tells one binding of an exchange from another.
struct BindingKey {
  std::string routing_key;
  std::string arguments;  // the fields of a table as encoded, sorted by the session, without the size; "" = none
  bool operator==(const BindingKey&) const = default;
};

/// What routing looks at in a message. Borrowed for the call.
struct RoutingInput {
  std::string_view routing_key;
  ByteView headers;  // the fields of the headers property as encoded, without the size in front; empty = none
};

/// Collects destinations, perhaps the same one twice. Cleared and used again, so that a message costs no allocation.
class RouteSink {
 public:
  void add(Destination destination) { destinations_.push_back(destination); }
  void clear() { destinations_.clear(); }
  bool empty() const { return destinations_.empty(); }
  /// Valid until the next add or clear.
  std::span<const Destination> destinations() const { return destinations_; }

 private:
  std::vector<Destination> destinations_;
};

class RoutingIndex;
using RoutingIndexPtr = std::shared_ptr<const RoutingIndex>;

/// Thread rule: immutable, read from any shard.
class RoutingIndex {
 public:
  virtual ~RoutingIndex() = default;
  RoutingIndex& operator=(const RoutingIndex&) = delete;

  /// The caller binds each (key, destination) once and unbinds only what is bound. Two bindings of one destination
  /// that differ in their key are two bindings: removing one keeps the other.
  virtual RoutingIndexPtr bind(const BindingKey& key, Destination destination) const = 0;
  virtual RoutingIndexPtr unbind(const BindingKey& key, Destination destination) const = 0;

  /// Adds where this exchange's own bindings lead; following exchanges is the Router's work (broker/exchange).
  virtual void route(const RoutingInput& input, RouteSink& sink) const = 0;

 protected:
  RoutingIndex() = default;
  RoutingIndex(const RoutingIndex&) = default;
};

}  // namespace quorate::cluster
