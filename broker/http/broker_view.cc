#include "broker/http/broker_view.h"

#include "broker/auth/permissions.h"

namespace quorate::http {
namespace {

std::string_view text_of(ServiceState state) {
  switch (state) {
    case ServiceState::starting:
      return "is still starting";
    case ServiceState::draining:
      return "is in maintenance mode";
    case ServiceState::stopped:
      return "is stopped until start_app";
    case ServiceState::paused:
      return "is paused, for it reaches no majority of its cluster";
    case ServiceState::serving:
      break;
  }
  return "is fully booted and running";
}

}  // namespace

std::string describe_state(const BrokerView& view) {
  const std::string waits_for = view.waits_for();
  return std::string(text_of(view.service_state())) + (waits_for.empty() ? "" : ": ") + waits_for;
}

std::string describe(const CriticalRow& row) {
  if (!row.is_queue) return row.name;
  return auth::describe({.kind = auth::ResourceKind::queue, .vhost = row.vhost, .name = row.name});
}

}  // namespace quorate::http
