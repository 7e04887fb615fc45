// What a run says: a line for each interval, in PerfTest's words, a summary, and one JSON object for programs. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/perf/broker_meter.h"
#include "broker/perf/plan.h"
#include "broker/perf/stats.h"

namespace quorate::perf {

/// What is known when all is over.
struct Outcome {
  Stats measured;                 // of the measured window
  double seconds = 0;             // its length
  Stats whole;                    // from the first message to the last, what came after the window included
  std::uint64_t lost = 0;         // whole run
  std::uint64_t duplicated = 0;   // whole run
  std::uint64_t undelivered = 0;  // still on their way when the time for the end was up: not lost
  bool judged = false;            // whether `lost` says anything
  std::optional<BrokerUsage> broker;
  std::uint64_t idle_bytes = 0;  // of the broker, for each idle connection
  std::string failure;           // "" = none
};

std::string print_interval(const Plan& plan, const Stats& stats, Duration since_begin, Duration interval);
std::string print_summary(const Plan& plan, const Outcome& outcome);
std::string print_json(const Plan& plan, const Outcome& outcome);

}  // namespace quorate::perf
