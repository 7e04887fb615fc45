#include "broker/perf/churner.h"

#include <fmt/format.h>

#include "broker/amqp/frame.h"
#include "broker/amqp/table_codec.h"

namespace quorate::perf {
namespace {

constexpr std::string_view kBindingExchange = "amq.direct";  // unless another one is named

}  // namespace

void Churner::note_operation(Instant now) {
  --outstanding_;
  ++stats_.counters.operations;
  stats_.last_event = now;
}

bool ChannelChurner::on_method(const amqp::Method& method, Instant now) {
  if (is_idle()) return false;
  if (std::holds_alternative<amqp::ChannelOpenOk>(method)) {
    is_open_ = true;
    return true;
  }
  if (!std::holds_alternative<amqp::ChannelCloseOk>(method)) return false;
  note_operation(now);
  return true;
}

Instant ChannelChurner::pump(std::vector<std::byte>& out, std::size_t, Instant) {
  if (is_open_) {
    amqp::append_method_frame(out, channel(), amqp::ChannelClose{.reply_code = 200, .reply_text = "Goodbye"});
    is_open_ = false;
  } else if (is_running() && is_idle()) {
    amqp::append_method_frame(out, channel(), amqp::ChannelOpen{});
    note_request();
  }
  return Instant::max();
}

DeclarationChurner::DeclarationChurner(const Plan& plan, unsigned number, ChannelId channel, Stats& stats)
    : Churner(channel, stats),
      plan_(plan),
      queue_(fmt::format("{}-churn-{}", plan.queues.front(), number)),
      arguments_(amqp::encode_table(plan.queue_arguments)) {}

bool DeclarationChurner::on_method(const amqp::Method& method, Instant now) {
  if (is_idle()) return false;
  const bool is_first =
      std::holds_alternative<amqp::QueueDeclareOk>(method) || std::holds_alternative<amqp::QueueBindOk>(method);
  const bool is_second =
      std::holds_alternative<amqp::QueueDeleteOk>(method) || std::holds_alternative<amqp::QueueUnbindOk>(method);
  if (is_second) note_operation(now);
  return is_first || is_second;
}

Instant DeclarationChurner::pump(std::vector<std::byte>& out, std::size_t enough, Instant) {
  while (is_running() && outstanding() < plan_.churn_outstanding && out.size() < enough) {
    append_pair(out);
    note_request();
  }
  return Instant::max();
}

void DeclarationChurner::append_pair(std::vector<std::byte>& out) {
  const std::string name = fmt::format("{}-{}", queue_, next_name_++);
  if (plan_.churn == Churn::queues) {
    amqp::append_method_frame(out, channel(),
                              amqp::QueueDeclare{.queue = name, .durable = plan_.durable, .arguments = arguments_});
    amqp::append_method_frame(out, channel(), amqp::QueueDelete{.queue = name});
    return;
  }
  const std::string_view exchange = plan_.exchange.empty() ? kBindingExchange : std::string_view(plan_.exchange);
  amqp::append_method_frame(out, channel(),
                            amqp::QueueBind{.queue = queue_, .exchange = exchange, .routing_key = name});
  amqp::append_method_frame(out, channel(),
                            amqp::QueueUnbind{.queue = queue_, .exchange = exchange, .routing_key = name});
}

}  // namespace quorate::perf
