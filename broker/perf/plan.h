// What a run is to do, decided before anything is connected: made from the options, then never changed and shared by
// all threads. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/value.h"
#include "broker/perf/uri.h"

namespace quorate::perf {

/// Body sizes in octets, both ends included; each message draws one.
struct SizeRange {
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  bool is_fixed() const { return min == max; }
  bool operator==(const SizeRange&) const = default;
};

enum class Churn : std::uint8_t { none, connections, channels, queues, bindings };

struct Plan {
  std::string id;
  std::vector<Uri> uris;  // connection i goes to i modulo their number
  unsigned threads = 1;

  unsigned producers = 1;  // connections
  unsigned consumers = 1;
  unsigned producer_channels = 1;  // each channel of a producer's connection is an agent of its own
  unsigned consumer_channels = 1;
  SizeRange size;
  double publish_rate = 0;                      // of each agent, messages per second; 0 = unlimited
  double consume_rate = 0;                      // likewise
  std::optional<std::uint32_t> confirm_window;  // nothing = no confirms
  std::uint16_t prefetch = 0;                   // 0 = unlimited
  std::uint32_t multi_ack_every = 0;            // 0 = an ack for each message
  bool auto_ack = false;
  bool persistent = false;
  bool mandatory = false;

  std::vector<std::string> queues;
  Table queue_arguments;
  bool durable = false;
  bool auto_delete = true;
  bool is_stream = false;
  Table consumer_arguments;
  std::string exchange;  // "" = the default exchange
  std::string exchange_type = "direct";
  std::optional<std::string> routing_key;  // nothing = the name of the agent's queue
  bool predeclared = false;

  std::uint64_t publish_count = 0;  // of each agent; 0 = unlimited
  std::uint64_t consume_count = 0;
  std::optional<Duration> duration;
  Duration warmup{0};
  Duration interval = std::chrono::seconds(1);
  Duration drain_max = std::chrono::seconds(10);

  Churn churn = Churn::none;
  std::uint32_t churn_outstanding = 1;
  std::uint32_t idle_connections = 0;
  std::uint32_t idle_channels = 0;

  std::vector<int> broker_pids;
  std::string json_file;  // "" = none, "-" = standard output

  std::uint32_t run_base = 0;  // number of the first producing agent in its stamps, drawn for the run

  /// Whether the run has queues of its own to declare.
  bool declares() const { return !predeclared && churn == Churn::none && idle_connections == 0; }
  /// Whether its queues should be gone when it is over.
  bool takes_queues_along() const { return declares() && auto_delete && consumers > 0; }
  unsigned producer_agents() const { return producers * producer_channels; }
  unsigned consumer_agents() const { return consumers * consumer_channels; }
  unsigned agent_queue(unsigned agent) const { return agent % static_cast<unsigned>(queues.size()); }
  const std::string& routing_key_of(unsigned producer) const;
  /// What its queue is bound by.
  const std::string& binding_key_of(unsigned queue) const;
  /// Where what this consumer gets should come out once: see sequence_check.h.
  std::uint32_t source_of(unsigned consumer) const { return is_stream ? consumer : agent_queue(consumer); }
  /// Sources that should give each message of the producer; nothing when we did not make the bindings.
  std::vector<std::uint32_t> sources_for(unsigned producer) const;
  /// Whether anything can be said about lost messages.
  bool judges_losses() const;
};

/// `10` or `10:2000`. Sizes below the stamp's are raised to it.
Result<SizeRange> parse_size(std::string_view text);
/// `k=v,k=v`: what looks like an integer is one, true and false are booleans, the rest is text.
Result<Table> parse_arguments(std::string_view text);
/// `perf-%d` from 1 to 3 is perf-1, perf-2, perf-3; `%03d` pads with zeros.
Result<std::vector<std::string>> expand_pattern(std::string_view pattern, std::uint32_t from, std::uint32_t to);

}  // namespace quorate::perf
