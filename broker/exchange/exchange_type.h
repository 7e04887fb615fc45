// ExchangeType: what one exchange type is made of. A new type is one .cc file with these two functions
// and one row in exchange_types.cc.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "cluster/metadata/routing_index.h"

namespace quorate::exchange {

/// The text that follows "PRECONDITION_FAILED - " when a binding is refused.
using BindingVerdict = std::expected<void, std::string>;

struct ExchangeType {
  std::string_view name;
  /// An index without bindings.
  cluster::RoutingIndexPtr (*make_index)() = nullptr;
  /// Asked before the binding is proposed. Arguments that do not decode never get here: the session has read them.
  BindingVerdict (*validate_binding)(const cluster::BindingKey&) = nullptr;
};

cluster::RoutingIndexPtr make_direct();
cluster::RoutingIndexPtr make_fanout();
cluster::RoutingIndexPtr make_headers();
cluster::RoutingIndexPtr make_topic();

BindingVerdict accept_any_binding(const cluster::BindingKey& key);
BindingVerdict validate_headers_binding(const cluster::BindingKey& key);
BindingVerdict validate_topic_binding(const cluster::BindingKey& key);

}  // namespace quorate::exchange
