#include "broker/perf/topology.h"

#include <utility>

#include "broker/amqp/table_codec.h"

namespace quorate::perf {
namespace {

namespace asio = boost::asio;

constexpr ChannelId kChannel{1};

template <class T>
constexpr std::uint32_t id_of = amqp::MethodInfo<T>::id;

/// Neither the default exchange nor those of the broker are declared.
bool is_own_exchange(const Plan& plan) { return !plan.exchange.empty() && !plan.exchange.starts_with("amq."); }

asio::awaitable<Result<void>> declare_queue(const Plan& plan, Connection& connection, unsigned queue) {
  const std::vector<std::byte> arguments = amqp::encode_table(plan.queue_arguments);
  const amqp::Method declare = amqp::QueueDeclare{
      .queue = plan.queues[queue], .durable = plan.durable, .auto_delete = plan.auto_delete, .arguments = arguments};
  auto done = co_await connection.call(kChannel, declare, id_of<amqp::QueueDeclareOk>);
  if (done && !plan.exchange.empty()) {
    const amqp::Method bind = amqp::QueueBind{
        .queue = plan.queues[queue], .exchange = plan.exchange, .routing_key = plan.binding_key_of(queue)};
    done = co_await connection.call(kChannel, bind, id_of<amqp::QueueBindOk>);
  }
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>();
}

}  // namespace

asio::awaitable<Result<void>> declare_topology(const Plan& plan, Connection& connection) {
  Result<void> done = co_await connection.open(plan.uris.front());
  if (done && plan.declares()) done = co_await connection.open_channel(kChannel);
  if (done && plan.declares() && is_own_exchange(plan)) {
    const amqp::Method declare =
        amqp::ExchangeDeclare{.exchange = plan.exchange, .type = plan.exchange_type, .durable = true};
    const auto declared = co_await connection.call(kChannel, declare, id_of<amqp::ExchangeDeclareOk>);
    if (!declared) done = std::unexpected(declared.error());
  }
  for (unsigned queue = 0; done && plan.declares() && queue < plan.queues.size(); ++queue) {
    done = co_await declare_queue(plan, connection, queue);
  }
  if (done) {
    connection.start();
    connection.close();
  }
  co_return done;
}

asio::awaitable<Result<void>> delete_queues(const Plan& plan, Connection& connection) {
  Result<void> done = co_await connection.open(plan.uris.front());
  if (done) done = co_await connection.open_channel(kChannel);
  for (const std::string& queue : plan.queues) {
    connection.send(kChannel, amqp::QueueDelete{.queue = queue, .if_unused = true});
  }
  for (std::size_t i = 0; done && i < plan.queues.size(); ++i) {
    const auto deleted = co_await connection.answer(kChannel, id_of<amqp::QueueDeleteOk>);
    if (!deleted) done = std::unexpected(deleted.error());
  }
  if (done) {
    connection.start();
    connection.close();
  }
  co_return done;
}

}  // namespace quorate::perf
