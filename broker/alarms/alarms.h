// The resource alarms of the cluster as one node knows them: its own, judged from samples, and those that other nodes
// tell. An alarm of any node blocks the publishers of every node, as in RabbitMQ (features.md O030-O034, C015).
// An alarm is on exactly while its limit is passed; there is no second threshold. What could not be measured leaves its
// alarm as it was. A machine: it knows no clock, file, timer or logger; every change comes out once.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "broker/alarms/limits.h"

namespace quorate::alarms {

enum class Resource : std::uint8_t { memory, disk };
inline constexpr std::array kResources = {Resource::memory, Resource::disk};

/// "memory" or "disk", as RabbitMQ's HTTP API and logs have it.
std::string_view name_of(Resource resource);

/// What one node is short of; what nodes tell each other.
struct Shortage {
  bool memory = false;
  bool disk = false;
  bool any() const { return memory || disk; }
  bool of(Resource resource) const { return resource == Resource::memory ? memory : disk; }
  bool operator==(const Shortage&) const = default;
};

/// What was measured; none = it could not be.
struct Sample {
  std::optional<std::uint64_t> memory_used_bytes;
  std::optional<std::uint64_t> memory_available_bytes;
  std::optional<std::uint64_t> disk_free_bytes;
};

/// One that is on.
struct Alarm {
  NodeId node;
  std::string node_name;
  Resource resource = Resource::memory;
  Instant since;
  bool operator==(const Alarm&) const = default;
};

/// An alarm went on or off. The bytes are those of this node's own alarms: in use or free, and the limit.
struct Change {
  Alarm alarm;
  bool is_on = false;
  bool is_own = false;
  std::uint64_t bytes = 0;
  std::uint64_t limit_bytes = 0;
};
using Changes = std::vector<Change>;

class Alarms {
 public:
  Alarms(NodeId self, std::string self_name, const Limits& limits)
      : self_(self), self_name_(std::move(self_name)), limits_(limits) {}

  void on_sample(const Sample& sample, Instant now, Changes& out);
  /// Judges the last sample by the new limits.
  void set_limits(const Limits& limits, Instant now, Changes& out);
  /// What another node is short of, by its own word. A node that is down or has left is short of nothing.
  void set_remote(NodeId node, const std::string& name, Shortage shortage, Instant now, Changes& out);

  /// Every alarm that is on, on any node.
  std::vector<Alarm> in_force() const;
  /// What this node is short of.
  Shortage own() const;
  /// What a blocked client is told: "low on memory & disk (rabbit@a, rabbit@b)"; empty while no alarm is on. Begins
  /// with RabbitMQ's words (features.md P024) and fits a short string.
  std::string reason() const;

  /// When the next sample should be taken, counted from the last: sooner when a limit is near.
  Duration next_look() const;

  const Limits& limits() const { return limits_; }
  const Sample& sample() const { return sample_; }
  /// What a relative limit is a share of.
  std::optional<std::uint64_t> available() const {
    return limits_.total_memory ? limits_.total_memory : sample_.memory_available_bytes;
  }
  std::optional<std::uint64_t> memory_limit() const { return memory_limit_bytes(limits_, available()); }
  std::optional<std::uint64_t> disk_limit() const { return disk_limit_bytes(limits_, available()); }

 private:
  struct NodeAlarms {
    std::string name;
    std::array<std::optional<Instant>, kResources.size()> on_since;  // by resource
  };

  void judge(Instant now, Changes& out);
  void set(NodeId node, const std::string& name, Resource resource, bool is_on, Instant now, Changes& out);
  bool is_on(NodeId node, Resource resource) const;

  const NodeId self_;
  const std::string self_name_;
  Limits limits_;
  Sample sample_;                       // each value as last measured
  std::map<NodeId, NodeAlarms> nodes_;  // those with an alarm on
};

}  // namespace quorate::alarms
