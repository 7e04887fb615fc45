#include "broker/alarms/alarms.h"

#include <algorithm>

#include "base/limits.h"

namespace quorate::alarms {
namespace {

constexpr std::size_t kReasonMaxBytes = 255;  // of a short string
constexpr std::string_view kMoreNodes = ", …";

std::size_t index_of(Resource resource) { return static_cast<std::size_t>(resource); }

/// How long `margin` bytes last when they go as fast as they may.
Duration lasts(std::uint64_t margin_bytes) {
  const std::uint64_t seconds_max = limits::kAlarmLookMax / std::chrono::seconds(1);
  if (margin_bytes / limits::kAlarmApproachBytesPerSecond >= seconds_max) return limits::kAlarmLookMax;
  return std::max<Duration>(limits::kAlarmLookMin, std::chrono::nanoseconds(margin_bytes * 1'000'000'000 /
                                                                            limits::kAlarmApproachBytesPerSecond));
}

}  // namespace

std::string_view name_of(Resource resource) { return resource == Resource::memory ? "memory" : "disk"; }

void Alarms::on_sample(const Sample& sample, Instant now, Changes& out) {
  if (sample.memory_used_bytes) sample_.memory_used_bytes = sample.memory_used_bytes;
  if (sample.memory_available_bytes) sample_.memory_available_bytes = sample.memory_available_bytes;
  if (sample.disk_free_bytes) sample_.disk_free_bytes = sample.disk_free_bytes;
  judge(now, out);
}

void Alarms::set_limits(const Limits& limits, Instant now, Changes& out) {
  limits_ = limits;
  judge(now, out);
}

void Alarms::judge(Instant now, Changes& out) {
  const auto tell = [&](Resource resource, bool on, std::uint64_t bytes, std::uint64_t limit) {
    const std::size_t before = out.size();
    set(self_, self_name_, resource, on, now, out);
    for (std::size_t i = before; i < out.size(); ++i) {
      out[i].bytes = bytes;
      out[i].limit_bytes = limit;
    }
  };
  if (const auto limit = memory_limit(); limit && sample_.memory_used_bytes) {
    const std::uint64_t used = *sample_.memory_used_bytes;
    tell(Resource::memory, used > *limit, used, *limit);
  }
  if (const auto limit = disk_limit(); limit && sample_.disk_free_bytes) {
    const std::uint64_t free = *sample_.disk_free_bytes;
    tell(Resource::disk, free < *limit, free, *limit);
  }
}

void Alarms::set_remote(NodeId node, const std::string& name, Shortage shortage, Instant now, Changes& out) {
  if (node == self_) return;  // nobody knows better than we
  for (const Resource resource : kResources) set(node, name, resource, shortage.of(resource), now, out);
}

void Alarms::set(NodeId node, const std::string& name, Resource resource, bool is_on, Instant now, Changes& out) {
  if (this->is_on(node, resource) == is_on) return;
  NodeAlarms& alarms = nodes_[node];
  alarms.name = name;
  std::optional<Instant>& on_since = alarms.on_since[index_of(resource)];
  out.push_back({.alarm = {.node = node, .node_name = name, .resource = resource, .since = on_since.value_or(now)},
                 .is_on = is_on,
                 .is_own = node == self_});
  on_since = is_on ? std::optional(now) : std::nullopt;
  if (std::ranges::none_of(alarms.on_since, [](const auto& since) { return since.has_value(); })) nodes_.erase(node);
}

bool Alarms::is_on(NodeId node, Resource resource) const {
  const auto at = nodes_.find(node);
  return at != nodes_.end() && at->second.on_since[index_of(resource)].has_value();
}

std::vector<Alarm> Alarms::in_force() const {
  std::vector<Alarm> found;
  for (const auto& [node, alarms] : nodes_) {
    for (const Resource resource : kResources) {
      const auto& since = alarms.on_since[index_of(resource)];
      if (since) found.push_back({.node = node, .node_name = alarms.name, .resource = resource, .since = *since});
    }
  }
  return found;
}

Shortage Alarms::own() const {
  return {.memory = is_on(self_, Resource::memory), .disk = is_on(self_, Resource::disk)};
}

std::string Alarms::reason() const {
  if (nodes_.empty()) return "";
  std::string resources;
  for (const Resource resource : kResources) {
    const bool is_short = std::ranges::any_of(nodes_, [&](const auto& node) { return is_on(node.first, resource); });
    if (is_short) resources += (resources.empty() ? "" : " & ") + std::string(name_of(resource));
  }
  std::string text = "low on " + resources + " (";
  bool is_first = true;
  for (const auto& [node, alarms] : nodes_) {
    const std::string next = (is_first ? "" : ", ") + alarms.name;
    if (text.size() + next.size() + kMoreNodes.size() + 1 > kReasonMaxBytes) {
      text += is_first ? "…" : kMoreNodes;
      break;
    }
    text += next;
    is_first = false;
  }
  return text + ")";
}

Duration Alarms::next_look() const {
  Duration next = limits::kAlarmLookMax;
  const auto limit = memory_limit();
  if (limit && sample_.memory_used_bytes && *sample_.memory_used_bytes <= *limit) {
    next = std::min(next, lasts(*limit - *sample_.memory_used_bytes));
  }
  const auto disk = disk_limit();
  if (disk && sample_.disk_free_bytes && *sample_.disk_free_bytes >= *disk) {
    next = std::min(next, lasts(*sample_.disk_free_bytes - *disk));
  }
  return next;
}

}  // namespace quorate::alarms
