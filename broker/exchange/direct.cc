// The direct exchange: a message goes where its routing key is bound, to the letter (features.md E004).
#include "base/persistent_map.h"
#include "broker/exchange/destination_bag.h"
#include "broker/exchange/exchange_type.h"

namespace quorate::exchange {

using cluster::BindingKey;
using cluster::Destination;
using cluster::RouteSink;
using cluster::RoutingIndexPtr;
using cluster::RoutingInput;

namespace {

using Bindings = PersistentMap<std::string, DestinationBag>;

class DirectIndex final : public cluster::RoutingIndex {
 public:
  explicit DirectIndex(Bindings bindings) : bindings_(std::move(bindings)) {}

  RoutingIndexPtr bind(const BindingKey& key, Destination destination) const override {
    const DestinationBag* bag = bindings_.find(key.routing_key);
    const DestinationBag& present = bag != nullptr ? *bag : DestinationBag();
    return std::make_shared<DirectIndex>(bindings_.with(key.routing_key, present.with(destination)));
  }

  RoutingIndexPtr unbind(const BindingKey& key, Destination destination) const override {
    const DestinationBag* bag = bindings_.find(key.routing_key);
    CHECK(bag != nullptr);
    DestinationBag left = bag->without(destination);
    if (left.empty()) return std::make_shared<DirectIndex>(bindings_.without(key.routing_key));
    return std::make_shared<DirectIndex>(bindings_.with(key.routing_key, std::move(left)));
  }

  void route(const RoutingInput& input, RouteSink& sink) const override {
    const DestinationBag* bag = bindings_.find(input.routing_key);
    if (bag != nullptr) bag->add_to(sink);
  }

 private:
  const Bindings bindings_;  // Invariant: no empty bag.
};

}  // namespace

RoutingIndexPtr make_direct() { return std::make_shared<DirectIndex>(Bindings{}); }

BindingVerdict accept_any_binding(const BindingKey&) { return {}; }

}  // namespace quorate::exchange
