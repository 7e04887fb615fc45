#include "broker/http/refusal.h"

namespace quorate::http {

std::string what_it_is(const BrokerView& view) { return "this node " + describe_state(view); }

std::string why_not_shown(const BrokerView& view) {
  const ServiceState state = view.service_state();
  const bool is_shown = knows_cluster(state) && state != ServiceState::paused;
  return is_shown ? "" : what_it_is(view);
}

std::string why_not_changed(const BrokerView& view) {
  const std::string reason = why_not_shown(view);
  if (!reason.empty() || view.has_majority()) return reason;
  return "this node reaches no majority of its cluster, which must agree";
}

}  // namespace quorate::http
