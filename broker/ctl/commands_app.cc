// The whole node, which goes on while its inside stops and starts: stop_app, start_app, reset, join_cluster,
// force_standalone_khepri_boot.
#include <utility>

#include "broker/ctl/commands.h"

namespace quorate::ctl::run {
namespace {

using http::Order;

/// No answer while the order is being carried out: the connection ends, and the tool asks again.
void give(BrokerView& view, Order order, const Arguments& arguments, Done done) {
  const boost::json::value* ticket = arguments.if_contains("ticket");
  if (ticket == nullptr) return fail(done, Exit::usage, "option 'ticket' is missing");
  order.ticket = std::string(ticket->as_string());
  const auto outcome = view.order(order);
  if (!outcome) return;
  const bool is_done_already = !*outcome && outcome->error().code == ErrorCode::already_exists;
  if (is_done_already) return done(Answer{.data = nullptr, .text = outcome->error().text});
  if (!*outcome) {
    const bool is_mistake = outcome->error().code == ErrorCode::invalid_argument;
    return fail(done, is_mistake ? Exit::dataerr : Exit::unavailable, outcome->error().text);
  }
  done(Answer{.data = nullptr, .text = ""});
}

}  // namespace

void stop_app(BrokerView& view, const Arguments& arguments, Done done) {
  give(view, {.kind = Order::Kind::stop_app}, arguments, std::move(done));
}

/// Answers when clients are served.
void start_app(BrokerView& view, const Arguments& arguments, Done done) {
  if (view.service_state() == http::ServiceState::stopped) {
    return give(view, {.kind = Order::Kind::start_app}, arguments, std::move(done));
  }
  await_startup(view, arguments, std::move(done));
}

void reset(BrokerView& view, const Arguments& arguments, Done done) {
  give(view, {.kind = Order::Kind::reset, .force = is_set(arguments, "force")}, arguments, std::move(done));
}

void force_reset(BrokerView& view, const Arguments& arguments, Done done) {
  give(view, {.kind = Order::Kind::reset, .force = true}, arguments, std::move(done));
}

void force_standalone_khepri_boot(BrokerView& view, const Arguments& arguments, Done done) {
  give(view, {.kind = Order::Kind::stand_alone}, arguments, std::move(done));
}

void join_cluster(BrokerView& view, const Arguments& arguments, Done done) {
  auto seed = cluster::parse_seed(text_of(arguments, "target"));
  if (!seed) return fail(done, Exit::usage, "the target must be NAME@HOST, HOST:PORT or NAME@HOST:PORT");
  give(view, {.kind = Order::Kind::join_cluster, .force = is_set(arguments, "force"), .join = std::move(*seed)},
       arguments, std::move(done));
}

}  // namespace quorate::ctl::run
