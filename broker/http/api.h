// The HTTP API under /api: finds the row of a request, checks who asks (RFC 7617 against the users of the topology),
// and hands over to the row's function. A new endpoint is a function and a row in endpoints.cc.
#pragma once
#include <expected>
#include <span>

#include "broker/http/broker_view.h"
#include "broker/http/call.h"
#include "broker/http/message.h"
#include "broker/http/router.h"

namespace quorate::http {

class Api {
 public:
  /// `view` outlives the Api and every answer.
  Api(BrokerView& view, std::span<const Route> routes) : view_(view), routes_(routes) {}

  void serve(Request request, Reply reply) const;

 private:
  std::expected<Caller, Response> authenticate(const Request& request) const;

  BrokerView& view_;
  std::span<const Route> routes_;
};

}  // namespace quorate::http
