// Worker: what happens on its thread until everything is open.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "broker/amqp/table_codec.h"
#include "broker/perf/worker.h"

namespace quorate::perf {
namespace {

namespace asio = boost::asio;

/// Connections of one thread that shake hands at the same time.
constexpr unsigned kLanesMax = 32;

template <class T>
constexpr std::uint32_t id_of = amqp::MethodInfo<T>::id;

}  // namespace

std::string_view Worker::name_of(Kind kind) {
  switch (kind) {
    case Kind::consumer:
      return "consumer";
    case Kind::producer:
      return "producer";
    case Kind::churner:
      return "churner";
    case Kind::idler:
      return "idle connection";
  }
  std::unreachable();
}

std::vector<Worker::Task> Worker::tasks() const {
  std::vector<Task> mine;
  unsigned place = 0;
  const auto deal = [&](Kind kind, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (place++ % plan_.threads == number_) mine.push_back({.kind = kind, .connection = i});
    }
  };
  deal(Kind::consumer, plan_.consumers);
  deal(plan_.churn == Churn::none ? Kind::producer : Kind::churner, plan_.producers);
  deal(Kind::idler, plan_.idle_connections);
  return mine;
}

unsigned Worker::channels_of(Kind kind) const {
  switch (kind) {
    case Kind::consumer:
      return plan_.consumer_channels;
    case Kind::producer:
      return plan_.producer_channels;
    case Kind::churner:
      return plan_.churn == Churn::channels ? plan_.churn_outstanding : plan_.producer_channels;
    case Kind::idler:
      return plan_.idle_channels;
  }
  std::unreachable();
}

void Worker::open() {
  asio::post(io_, [this] {
    to_open_ = tasks();
    std::ranges::reverse(to_open_);
    if (plan_.churn == Churn::connections) to_open_.clear();
    lanes_ = std::clamp(static_cast<unsigned>(to_open_.size()), 1u, kLanesMax);
    for (unsigned lane = 0; lane < lanes_; ++lane) asio::co_spawn(io_, open_lane(), asio::detached);
  });
}

void Worker::tell_failure(std::string text) {
  asio::post(desk_, [this, text = std::move(text)] { events_.failed(text); });
}

asio::awaitable<void> Worker::open_lane() {
  while (!to_open_.empty()) {
    const Task task = to_open_.back();
    to_open_.pop_back();
    const Result<void> opened = co_await open_one(task);
    if (!opened) {
      tell_failure(opened.error().text);
      co_return;
    }
  }
  if (--lanes_ == 0) asio::post(desk_, [this] { events_.opened(); });
}

asio::awaitable<Result<void>> Worker::open_one(Task task) {
  const std::string name = fmt::format("{} {}", name_of(task.kind), task.connection);
  connections_.push_back(
      std::make_unique<Connection>(io_, clock_, name, [this](const std::string& text) { tell_failure(text); }));
  Connection& connection = *connections_.back();
  const Uri uri = plan_.uris[task.connection % plan_.uris.size()];
  Result<void> opened = co_await connection.open(uri);
  const unsigned channels = channels_of(task.kind);
  for (unsigned i = 0; i < channels && opened; ++i) {
    const ChannelId channel{static_cast<std::uint16_t>(i + 1)};
    opened = co_await open_agent(task.kind, connection, task.connection * channels + i, channel);
  }
  if (opened) connection.start();
  co_return opened;
}

asio::awaitable<Result<void>> Worker::open_agent(Kind kind, Connection& connection, unsigned number,
                                                 ChannelId channel) {
  if (kind == Kind::churner && plan_.churn == Churn::channels) {
    churners_.push_back(std::make_unique<ChannelChurner>(channel, stats_));
    connection.attach(channel, *churners_.back());
    co_return Result<void>();
  }
  Result<void> opened = co_await connection.open_channel(channel);
  if (opened && kind == Kind::consumer) opened = co_await open_consumer(connection, number, channel);
  if (opened && kind == Kind::producer) opened = co_await open_producer(connection, number, channel);
  if (opened && kind == Kind::churner) opened = co_await open_churner(connection, number, channel);
  co_return opened;
}

asio::awaitable<Result<void>> Worker::open_producer(Connection& connection, unsigned number, ChannelId channel) {
  if (plan_.confirm_window) {
    const amqp::Method select = amqp::ConfirmSelect{};
    const auto selected = co_await connection.call(channel, select, id_of<amqp::ConfirmSelectOk>);
    if (!selected) co_return std::unexpected(selected.error());
  }
  producers_.push_back(std::make_unique<Producer>(plan_, number, channel, connection.frame_max_bytes(), stats_));
  reach_.push_back(static_cast<unsigned>(plan_.sources_for(number).size()));
  connection.attach(channel, *producers_.back());
  co_return Result<void>();
}

asio::awaitable<Result<void>> Worker::open_consumer(Connection& connection, unsigned number, ChannelId channel) {
  if (plan_.prefetch != 0) {
    const amqp::Method qos = amqp::BasicQos{.prefetch_count = plan_.prefetch};
    const auto limited = co_await connection.call(channel, qos, id_of<amqp::BasicQosOk>);
    if (!limited) co_return std::unexpected(limited.error());
  }
  consumers_.push_back(std::make_unique<Consumer>(plan_, number, channel, run_begin_, stats_, flows_));
  connection.attach(channel, *consumers_.back());
  const std::vector<std::byte> arguments = amqp::encode_table(plan_.consumer_arguments);
  const amqp::Method consume = amqp::BasicConsume{.queue = plan_.queues[plan_.agent_queue(number)],
                                                  .consumer_tag = consumers_.back()->tag(),
                                                  .no_ack = plan_.auto_ack,
                                                  .arguments = arguments};
  const auto consuming = co_await connection.call(channel, consume, id_of<amqp::BasicConsumeOk>);
  if (!consuming) co_return std::unexpected(consuming.error());
  co_return Result<void>();
}

asio::awaitable<Result<void>> Worker::open_churner(Connection& connection, unsigned number, ChannelId channel) {
  auto churner = std::make_unique<DeclarationChurner>(plan_, number, channel, stats_);
  if (plan_.churn == Churn::bindings) {
    const std::vector<std::byte> arguments = amqp::encode_table(plan_.queue_arguments);
    const amqp::Method declare = amqp::QueueDeclare{.queue = churner->queue(),
                                                    .durable = plan_.durable,
                                                    .exclusive = !plan_.durable,  // goes with its connection
                                                    .arguments = arguments};
    const auto declared = co_await connection.call(channel, declare, id_of<amqp::QueueDeclareOk>);
    if (!declared) co_return std::unexpected(declared.error());
  }
  connection.attach(channel, *churner);
  churners_.push_back(std::move(churner));
  co_return Result<void>();
}

}  // namespace quorate::perf
