#include "broker/alarms/alarm_watch.h"

#include <utility>

#include "base/log.h"
#include "broker/alarms/alarm_text.h"

namespace quorate::alarms {
namespace {

constexpr auto kCategory = log::Category::general;

template <class T>
std::optional<Error> fault_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

}  // namespace

AlarmWatch::AlarmWatch(cluster::Shard& shard, Options options)
    : shard_(shard),
      options_(std::move(options)),
      alarms_(options_.node, options_.node_name, options_.limits),
      timer_(shard.io()) {}

void AlarmWatch::start() { look(); }

void AlarmWatch::look() {
  const auto used = memory_.used_bytes();
  const auto available = memory_.available();
  const auto disk_free = options_.disk_free_bytes();
  note(fault_of(used), used_fault_);
  note(fault_of(available), available_fault_);
  note(fault_of(disk_free), disk_fault_);
  Sample sample;
  if (used) sample.memory_used_bytes = *used;
  if (available) {
    sample.memory_available_bytes = available->bytes;
    memory_source_ = available->source;
  }
  if (disk_free) sample.disk_free_bytes = *disk_free;
  Changes changes;
  alarms_.on_sample(sample, shard_.now(), changes);
  log_limits();
  take_effect(changes);
  timer_.expires_after(alarms_.next_look());
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look();
  });
}

void AlarmWatch::set_limits(const Limits& limits) {
  Changes changes;
  alarms_.set_limits(limits, shard_.now(), changes);
  log_limits();
  take_effect(changes);
}

void AlarmWatch::set_remote(NodeId node, const std::string& name, Shortage shortage) {
  Changes changes;
  alarms_.set_remote(node, name, shortage, shard_.now(), changes);
  take_effect(changes);
}

void AlarmWatch::take_effect(const Changes& changes) {
  for (const Change& change : changes) {
    const auto level = change.is_on ? log::Level::warning : log::Level::info;
    log::event(kCategory, level, "{}", describe(change, alarms_, options_.data_dir));
  }
  std::string reason = alarms_.reason();
  if (reason == told_reason_) return;
  told_reason_ = std::move(reason);
  options_.on_change(told_reason_);
}

/// An alarm whose resource cannot be measured stays as it is.
void AlarmWatch::note(const std::optional<Error>& fault, std::optional<Error>& known) {
  if (fault && !known)
    log::warn(kCategory, "resource not measured reason=\"{}\"; its alarm stays as it is", fault->text);
  known = fault;
}

/// At the start, and when an operator or the limit of a container changes them.
void AlarmWatch::log_limits() {
  const bool is_own_word = alarms_.limits().total_memory.has_value();
  std::string line = describe_limits(alarms_, is_own_word ? "total_memory_available_override_value" : memory_source_);
  if (line == logged_limits_) return;
  logged_limits_ = std::move(line);
  log::info(kCategory, "{}", logged_limits_);
}

}  // namespace quorate::alarms
