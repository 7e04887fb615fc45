// What one thread has counted since it was last asked. Each worker has one and gives it away once a second; nobody else
// touches it before.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "broker/perf/latency_histogram.h"
#include "broker/perf/sequence_check.h"

namespace quorate::perf {

struct Counters {
  std::uint64_t sent = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t nacked = 0;
  std::uint64_t returned = 0;
  std::uint64_t received = 0;
  std::uint64_t operations = 0;  // of churn

  void add(const Counters& other) {
    sent += other.sent;
    confirmed += other.confirmed;
    nacked += other.nacked;
    returned += other.returned;
    received += other.received;
    operations += other.operations;
  }
};

struct Stats {
  Counters counters;
  FlowCounts flows;
  LatencyHistogram confirm_latency;
  LatencyHistogram delivery_latency;
  Instant last_event{};  // when the last message or answer came or went

  void add(const Stats& other) {
    counters.add(other.counters);
    flows.unique += other.flows.unique;
    flows.duplicated += other.flows.duplicated;
    flows.disordered += other.flows.disordered;
    confirm_latency.add(other.confirm_latency);
    delivery_latency.add(other.delivery_latency);
    last_event = std::max(last_event, other.last_event);
  }
};

}  // namespace quorate::perf
