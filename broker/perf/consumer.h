// Consumes on one channel: reads stamps, judges order and duplicates, and acknowledges as it was told.
// Lives on the thread of its connection; counts into that thread's Stats and notes what it has seen in its flows.
#pragma once
#include <string>
#include <vector>

#include "base/ids.h"
#include "broker/perf/agent.h"
#include "broker/perf/pace.h"
#include "broker/perf/plan.h"
#include "broker/perf/stats.h"

namespace quorate::perf {

class Consumer final : public Agent {
 public:
  /// `number` counts the run's consuming agents. Plan, stats and flows outlive this. Messages stamped before
  /// `run_begin` belong to an earlier run: they are counted and not judged.
  Consumer(const Plan& plan, unsigned number, ChannelId channel, Instant run_begin, Stats& stats, SeenFlows& flows);

  unsigned number() const { return number_; }
  std::uint64_t received() const { return received_; }
  /// All that -D asked for has come.
  bool is_finished() const { return plan_.consume_count != 0 && received_ >= plan_.consume_count; }
  /// What it subscribes by.
  const std::string& tag() const { return tag_; }
  /// It is over: with the next pump goes whatever is not acknowledged, be it less than -A, and the subscription ends.
  void finish() { finishing_ = true; }

  bool on_method(const amqp::Method& method, Instant now) override;
  bool on_message(const Incoming& message, Instant now) override;
  Instant resume_at() const override { return resume_at_; }
  Instant pump(std::vector<std::byte>& out, std::size_t enough, Instant now) override;

 private:
  struct Flow {
    SeenSet* seen = nullptr;  // in flows_; null until the first message
    FlowOrder order;
  };

  void keep_pace(Instant now);
  void judge(const Incoming& message, Instant now);
  Flow& flow_of(unsigned producer);
  void append_farewell(std::vector<std::byte>& out);
  void append_acks(std::vector<std::byte>& out, std::uint64_t up_to);

  const Plan& plan_;
  unsigned number_;
  ChannelId channel_;
  std::string tag_;
  Instant run_begin_;
  Stats& stats_;
  SeenFlows& flows_;
  std::vector<Flow> by_producer_;
  std::uint64_t received_ = 0;
  std::uint64_t last_tag_ = 0;     // of the newest delivery that counts
  std::uint64_t surplus_tag_ = 0;  // of the newest that came when all was there; 0 = none to give back
  bool cancelled_ = false;
  std::uint64_t acked_tag_ = 0;  // all up to here are acknowledged
  bool finishing_ = false;
  Pace pace_;  // counts from paced_from_
  std::uint64_t paced_from_ = 0;
  Instant resume_at_ = Instant::min();
};

}  // namespace quorate::perf
