// Publishes on one channel: as fast as its pace, its window of unconfirmed messages and the socket allow.
// Lives on the thread of its connection and counts into that thread's Stats.
#pragma once
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "broker/perf/agent.h"
#include "broker/perf/confirm_window.h"
#include "broker/perf/message_template.h"
#include "broker/perf/pace.h"
#include "broker/perf/plan.h"
#include "broker/perf/stats.h"

namespace quorate::perf {

class Producer final : public Agent {
 public:
  /// `number` counts the run's producing agents. Plan and stats outlive this.
  Producer(const Plan& plan, unsigned number, ChannelId channel, std::uint32_t frame_max_bytes, Stats& stats);

  /// Begins at `at`, when the connection pumps next. Producers of a paced run begin one after the other, so that
  /// together they are as even as each alone.
  void start(Instant at);
  void stop() { stopped_ = true; }

  unsigned number() const { return number_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t outstanding() const { return window_ ? window_->outstanding() : 0; }
  /// All that -C asked for is sent.
  bool is_finished() const { return plan_.publish_count != 0 && sent_ == plan_.publish_count; }
  /// Messages that nobody need receive: returned, refused or, up to now, not answered. Sorted.
  std::vector<std::uint64_t> excused() const;
  std::size_t excused_count() const { return excused_.size(); }

  bool on_method(const amqp::Method& method, Instant now) override;
  bool on_message(const Incoming& message, Instant now) override;
  Instant pump(std::vector<std::byte>& out, std::size_t enough, Instant now) override;

 private:
  bool may_send() const;
  void send(std::vector<std::byte>& out, Instant meant);
  bool settle(std::uint64_t tag, bool multiple, bool is_ack, Instant now);

  const Plan& plan_;
  unsigned number_;
  MessageTemplate template_;
  Stats& stats_;
  Random sizes_;
  std::optional<ConfirmWindow> window_;  // numbers are our sequences: one channel, one producer
  Pace pace_;
  bool started_ = false;
  bool stopped_ = false;
  std::uint64_t sent_ = 0;  // the next message's sequence
  std::vector<std::uint64_t> excused_;
};

}  // namespace quorate::perf
