#include "broker/perf/broker_meter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace quorate::perf {
namespace {

constexpr std::uint64_t kKiB = 1024;

std::string read_file(int pid, std::string_view name) {
  std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::uint64_t kib_of(int pid, std::string_view name) {
  return number_after(read_file(pid, "status"), name).value_or(0) * kKiB;
}

}  // namespace

std::uint64_t cpu_ticks_of_stat(std::string_view text) {
  // The second field is the program's name in brackets and may hold anything; utime and stime are 14 and 15.
  constexpr int kFieldsBetween = 11;
  const auto bracket = text.rfind(')');
  if (bracket == std::string_view::npos) return 0;
  text.remove_prefix(bracket + 1);
  std::uint64_t sum = 0;
  for (int field = 0; field < kFieldsBetween + 2; ++field) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (field >= kFieldsBetween) sum += value;
    text.remove_prefix(std::min(text.find(' '), text.size()));
  }
  return sum;
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name) {
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const bool begins_line = at == 0 || text[at - 1] == '\n';
    std::string_view rest = text.substr(at + name.size());
    if (!begins_line || !rest.starts_with(':')) continue;
    rest.remove_prefix(std::min(rest.find_first_not_of(": \t"), rest.size()));
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc()) return value;
  }
  return std::nullopt;
}

void BrokerMeter::begin() {
  first_ = read();
  peak_seen_ = resident_bytes();
}

void BrokerMeter::look() { peak_seen_ = std::max(peak_seen_, resident_bytes()); }

BrokerUsage BrokerMeter::end() {
  look();
  const Reading last = read();
  const auto ticks = static_cast<double>(last.cpu_ticks - std::min(first_.cpu_ticks, last.cpu_ticks));
  BrokerUsage usage;
  usage.cpu = Duration(static_cast<Duration::rep>(ticks * 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK))));
  // The kernel's mark is exact if it rose while we measured; else the peak was before, and ours is what we saw.
  const bool rose = last.high_water_bytes > first_.high_water_bytes;
  usage.peak_rss_bytes = rose ? last.high_water_bytes : peak_seen_;
  if (last.written_bytes && first_.written_bytes) usage.written_bytes = *last.written_bytes - *first_.written_bytes;
  return usage;
}

std::uint64_t BrokerMeter::resident_bytes() const {
  std::uint64_t sum = 0;
  for (const int pid : pids_) sum += kib_of(pid, "VmRSS");
  return sum;
}

BrokerMeter::Reading BrokerMeter::read() const {
  Reading reading;
  std::uint64_t written = 0;
  bool all_written = true;
  for (const int pid : pids_) {
    reading.cpu_ticks += cpu_ticks_of_stat(read_file(pid, "stat"));
    reading.high_water_bytes += kib_of(pid, "VmHWM");
    const auto bytes = number_after(read_file(pid, "io"), "write_bytes");
    all_written = all_written && bytes.has_value();
    written += bytes.value_or(0);
  }
  if (all_written) reading.written_bytes = written;
  return reading;
}

}  // namespace quorate::perf
