// Channels and declarations that come and go: agents that repeat a pair of requests for as long as they may and count
// the pairs. (Connections that come and go are a loop of the worker: worker_churn.cc.)
// They live on the thread of their connection and count into that thread's Stats.
#pragma once
#include <string>
#include <vector>

#include "base/ids.h"
#include "broker/perf/agent.h"
#include "broker/perf/plan.h"
#include "broker/perf/stats.h"

namespace quorate::perf {

/// What all of them have in common: begun, stopped, and idle when every request is answered.
class Churner : public Agent {
 public:
  void start() { running_ = true; }
  void stop() { running_ = false; }
  bool is_idle() const { return outstanding_ == 0; }

  bool on_message(const Incoming&, Instant) override { return false; }

 protected:
  Churner(ChannelId channel, Stats& stats) : channel_(channel), stats_(stats) {}
  bool is_running() const { return running_; }
  ChannelId channel() const { return channel_; }
  std::uint32_t outstanding() const { return outstanding_; }
  void note_request() { ++outstanding_; }
  /// A pair is done.
  void note_operation(Instant now);

 private:
  ChannelId channel_;
  Stats& stats_;
  bool running_ = false;
  std::uint32_t outstanding_ = 0;  // pairs begun and not done
};

/// channel.open and channel.close of one channel number, one after the other.
class ChannelChurner final : public Churner {
 public:
  ChannelChurner(ChannelId channel, Stats& stats) : Churner(channel, stats) {}
  bool on_method(const amqp::Method& method, Instant now) override;
  Instant pump(std::vector<std::byte>& out, std::size_t enough, Instant now) override;

 private:
  bool is_open_ = false;  // open-ok has come, close is not yet sent
};

/// queue.declare and queue.delete, or queue.bind and queue.unbind, always with another name; up to
/// plan.churn_outstanding pairs are under way, which the broker answers in order.
class DeclarationChurner final : public Churner {
 public:
  /// With bindings, queue() must be there before it begins.
  DeclarationChurner(const Plan& plan, unsigned number, ChannelId channel, Stats& stats);
  bool on_method(const amqp::Method& method, Instant now) override;
  Instant pump(std::vector<std::byte>& out, std::size_t enough, Instant now) override;

  /// The queue that this agent's bindings belong to.
  const std::string& queue() const { return queue_; }

 private:
  void append_pair(std::vector<std::byte>& out);

  const Plan& plan_;
  std::string queue_;
  std::vector<std::byte> arguments_;
  std::uint64_t next_name_ = 0;
};

}  // namespace quorate::perf
