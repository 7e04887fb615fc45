// The fanout exchange: a message goes wherever a binding leads, whatever the keys say (features.md E004).
#include "broker/exchange/destination_bag.h"
#include "broker/exchange/exchange_type.h"

namespace quorate::exchange {

using cluster::BindingKey;
using cluster::Destination;
using cluster::RouteSink;
using cluster::RoutingIndexPtr;
using cluster::RoutingInput;

namespace {

class FanoutIndex final : public cluster::RoutingIndex {
 public:
  explicit FanoutIndex(DestinationBag destinations) : destinations_(std::move(destinations)) {}

  RoutingIndexPtr bind(const BindingKey&, Destination destination) const override {
    return std::make_shared<FanoutIndex>(destinations_.with(destination));
  }
  RoutingIndexPtr unbind(const BindingKey&, Destination destination) const override {
    return std::make_shared<FanoutIndex>(destinations_.without(destination));
  }
  void route(const RoutingInput&, RouteSink& sink) const override { destinations_.add_to(sink); }

 private:
  const DestinationBag destinations_;
};

}  // namespace

RoutingIndexPtr make_fanout() { return std::make_shared<FanoutIndex>(DestinationBag()); }

}  // namespace quorate::exchange
