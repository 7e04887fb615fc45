#include "broker/alarms/alarm_text.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>

namespace quorate::alarms {
namespace {

std::string print_known(const std::optional<std::uint64_t>& bytes) { return bytes ? print_bytes(*bytes) : "unknown"; }

std::string print_amounts(const Change& change) {
  if (!change.is_own) return "";
  return fmt::format(R"( {}="{}" limit="{}")", change.alarm.resource == Resource::memory ? "used" : "free",
                     print_bytes(change.bytes), print_bytes(change.limit_bytes));
}

std::string what_to_do(const Change& change, const std::string& data_dir) {
  if (!change.is_own) return fmt::format("see the log of {}", change.alarm.node_name);
  if (change.alarm.resource == Resource::memory) {
    return "let consumers catch up or purge the longest queues, or raise vm_memory_high_watermark";
  }
  return fmt::format("free space on the volume of {}, or lower disk_free_limit", data_dir);
}

}  // namespace

std::string print_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < kUnits.size(); ++unit) amount /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

std::string describe(const Change& change, const Alarms& alarms, const std::string& data_dir) {
  const std::string_view resource = name_of(change.alarm.resource);
  const std::string amounts = print_amounts(change);
  if (change.is_on) {
    return fmt::format(
        "{} resource limit alarm set on node {}{} effect=\"publishers are blocked on every node, consumers go on\" "
        "do=\"{}\"",
        resource, change.alarm.node_name, amounts, what_to_do(change, data_dir));
  }
  const std::string left = alarms.reason();
  return fmt::format("{} resource limit alarm cleared on node {}{} effect=\"{}\"", resource, change.alarm.node_name,
                     amounts, left.empty() ? "publishers go on" : "publishers stay blocked: " + left);
}

std::string describe_limits(const Alarms& alarms, const std::string& memory_source) {
  return fmt::format(R"(resource limits memory="{}" available="{}" available_by="{}" disk_free="{}")",
                     print_known(alarms.memory_limit()), print_known(alarms.available()), memory_source,
                     print_known(alarms.disk_limit()));
}

}  // namespace quorate::alarms
