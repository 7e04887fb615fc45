#include "broker/queue/arguments.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/limits.h"
#include "broker/message/field_cursor.h"

namespace quorate::queue {
namespace {

/// Empty when the value will do, else the reason as RabbitMQ prints it.
using Check = std::string (*)(const Value& value, const Table& all);

constexpr std::string_view kQueueType = "x-queue-type";
constexpr std::int64_t kDeliveryLimitDefault = 20;  // Q021

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }
std::string wrong_type(std::string_view expected, const Value& value) {
  return quoted("expected " + std::string(expected) + ", got " + std::string(value.type_name()));
}

std::string check_count(const Value& value, const Table&) {
  std::int64_t number = 0;
  if (!value.integer(number)) return wrong_type("integer", value);
  return number < 0 ? "{value_negative," + std::to_string(number) + "}" : "";
}

std::string check_message_ttl(const Value& value, const Table& all) {
  if (std::string why = check_count(value, all); !why.empty()) return why;
  std::int64_t number = 0;
  value.integer(number);
  return number > static_cast<std::int64_t>(limits::kTtlMaxMs) ? "{value_too_large," + std::to_string(number) + "}"
                                                               : "";
}

std::string check_expires(const Value& value, const Table& all) {
  std::int64_t number = 0;
  if (value.integer(number) && number == 0) return "{value_zero,0}";
  return check_message_ttl(value, all);
}

std::string check_text(const Value& value, const Table&) {
  return value.get_if<std::string>() != nullptr ? "" : "{unacceptable_type," + std::string(value.type_name()) + "}";
}

std::string check_truth(const Value& value, const Table&) {
  return value.get_if<bool>() != nullptr ? "" : wrong_type("boolean", value);
}

std::string check_dead_letter_key(const Value& value, const Table& all) {
  if (std::string why = check_text(value, all); !why.empty()) return why;
  return all.find("x-dead-letter-exchange") != nullptr ? "" : "routing_key_but_no_dlx_defined";
}

std::string check_priority_max(const Value& value, const Table& all) {
  if (std::string why = check_count(value, all); !why.empty()) return why;
  std::int64_t number = 0;
  value.integer(number);
  return number > 255 ? "{max_value_exceeded," + std::to_string(number) + "}" : "";
}

std::string check_overflow(const Value& value, const Table& all) {
  if (std::string why = check_text(value, all); !why.empty()) return why;
  const std::string& text = *value.get_if<std::string>();
  const bool is_known = text == "drop-head" || text == "reject-publish" || text == "reject-publish-dlx";
  return is_known ? "" : "invalid_overflow";
}

std::string check_type(const Value& value, const Table& all) {
  if (std::string why = check_text(value, all); !why.empty()) return why;
  const std::string& type = *value.get_if<std::string>();
  if (type == "classic" || type == "quorum") return "";
  return quoted(type == "stream" ? "there are no stream queues yet" : "unsupported queue type '" + type + "'");
}

std::string check_version(const Value& value, const Table&) {
  std::int64_t number = 0;
  if (!value.integer(number)) return wrong_type("integer", value);
  return number == 2 ? "" : quoted("unsupported queue version '" + std::to_string(number) + "'");
}

std::string check_leader_locator(const Value& value, const Table& all) {
  if (std::string why = check_text(value, all); !why.empty()) return why;
  const std::string& text = *value.get_if<std::string>();
  const bool is_known = text == "client-local" || text == "balanced" || text == "random" || text == "least-leaders" ||
                        text == "min-masters";
  return is_known ? "" : "invalid_queue_locator_arg";
}

std::string check_strategy(const Value& value, const Table& all) {
  if (std::string why = check_text(value, all); !why.empty()) return why;
  const std::string& text = *value.get_if<std::string>();
  return text == "at-most-once" || text == "at-least-once" ? "" : "invalid_dlx_strategy";
}

std::string check_integer(const Value& value, const Table&) {
  std::int64_t number = 0;
  return value.integer(number) ? "" : wrong_type("integer", value);
}

std::string check_group_size(const Value& value, const Table& all) {
  std::int64_t number = 0;
  if (value.integer(number) && number == 0) return "{value_zero,0}";
  return check_count(value, all);
}

std::string accept(const Value&, const Table&) { return ""; }

/// Which types of queue know an argument; no row is for all and none at once.
enum class Knows : std::uint8_t { all, classic, quorum, others };
/// When a queue is declared again. `always`: even if the comparison is relaxed.
enum class Compared : std::uint8_t { no, yes, always };
enum class Effective : bool { no, yes };

struct Row {
  std::string_view name;
  Knows knows = Knows::all;
  Check check = accept;
  Effective effective = Effective::no;
  Compared compared = Compared::yes;

  bool is_for(cluster::QueueType type) const {
    return knows == Knows::all || knows == (type == cluster::QueueType::quorum ? Knows::quorum : Knows::classic);
  }
};

constexpr std::array kRows = {
    Row{"x-consumer-disconnected-timeout", Knows::quorum, check_count},
    Row{"x-consumer-timeout", Knows::all, check_count, Effective::yes},
    Row{"x-dead-letter-exchange", Knows::all, check_text, Effective::no, Compared::always},
    Row{"x-dead-letter-routing-key", Knows::all, check_dead_letter_key, Effective::no, Compared::always},
    Row{"x-dead-letter-strategy", Knows::quorum, check_strategy},
    Row{"x-delayed-retry-max", Knows::all, accept, Effective::yes},
    Row{"x-delayed-retry-min", Knows::all, accept, Effective::yes},
    Row{"x-delayed-retry-type", Knows::all, accept, Effective::yes},
    Row{"x-delivery-limit", Knows::all, check_integer, Effective::yes},
    Row{"x-expires", Knows::all, check_expires, Effective::yes, Compared::always},
    Row{"x-initial-cluster-size", Knows::others},
    Row{"x-max-age", Knows::others},
    Row{"x-max-in-memory-bytes", Knows::quorum, check_count},
    Row{"x-max-in-memory-length", Knows::quorum, check_count},
    Row{"x-max-length", Knows::all, check_count, Effective::yes, Compared::always},
    Row{"x-max-length-bytes", Knows::all, check_count, Effective::yes, Compared::always},
    Row{"x-max-priority", Knows::all, check_priority_max, Effective::yes},
    Row{"x-message-ttl", Knows::all, check_message_ttl, Effective::yes, Compared::always},
    Row{"x-overflow", Knows::all, check_overflow, Effective::yes},
    Row{"x-queue-leader-locator", Knows::all, check_leader_locator, Effective::yes, Compared::no},
    Row{"x-queue-mode", Knows::classic, accept, Effective::no, Compared::no},
    Row{kQueueType, Knows::all, check_type, Effective::yes},
    Row{"x-queue-version", Knows::classic, check_version, Effective::no, Compared::no},
    Row{"x-quorum-initial-group-size", Knows::quorum, check_group_size, Effective::yes},
    Row{"x-single-active-consumer", Knows::all, check_truth, Effective::yes, Compared::always},
    Row{"x-stream-filter-size-bytes", Knows::others},
    Row{"x-stream-max-segment-size-bytes", Knows::others},
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string printed(const Value* value) {
  if (value == nullptr) return "none";
  return "the value '" + value->print() + "' of type '" + std::string(value->type_name()) + "'";
}

bool is_same(const Row& row, const Value* received, const Value* current) {
  if (received == nullptr || current == nullptr) {
    const Value* given = received != nullptr ? received : current;
    // A classic queue is what one gets without asking.
    return given == nullptr || (row.name == kQueueType && *given == Value(std::string("classic")));
  }
  std::int64_t a = 0;
  std::int64_t b = 0;
  if (received->integer(a) && current->integer(b)) return a == b;
  return *received == *current;
}

}  // namespace

ArgumentVerdict check_arguments(const Table& arguments, std::string_view queue) {
  const auto refusal = [&](const std::string& name, const std::string& why) {
    return std::unexpected("invalid arg '" + name + "' for " + std::string(queue) + why);
  };
  for (const auto& [name, value] : arguments.fields) {
    const Row* row = find_row(name);
    const std::string why = row != nullptr ? row->check(value, arguments) : "";
    if (!why.empty()) return refusal(name, ": " + why);
  }
  const cluster::QueueType type = queue_type(arguments);
  const bool is_quorum = type == cluster::QueueType::quorum;
  for (const auto& [name, value] : arguments.fields) {
    const Row* row = find_row(name);
    if (row == nullptr || row->is_for(type)) continue;
    return refusal(name, std::string(" of queue type rabbit_") + (is_quorum ? "quorum" : "classic") + "_queue");
  }
  return {};
}

cluster::QueueType queue_type(const Table& arguments) {
  const Value* type = arguments.find(kQueueType);
  const bool is_quorum = type != nullptr && *type == Value(std::string("quorum"));
  return is_quorum ? cluster::QueueType::quorum : cluster::QueueType::classic;
}

cluster::QueueType declared_type(const cluster::Queue& queue) {
  const auto type = find_field_value(as_bytes(queue.arguments), kQueueType);
  const bool is_quorum = type && type->text() == "quorum";
  return is_quorum ? cluster::QueueType::quorum : cluster::QueueType::classic;
}

std::string ineffective_arguments(const Table& arguments) {
  std::string names;
  for (const auto& [name, value] : arguments.fields) {
    const Row* row = find_row(name);
    const bool is_ineffective = row != nullptr && row->effective == Effective::no;
    if (is_ineffective) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

/// As RabbitMQ 4.3, which does not look at these arguments when a queue is declared: what makes no sense has no effect.
DelayedRetry delayed_retry_from(const Table& arguments) {
  const auto milliseconds = [&](const char* name) -> std::uint64_t {
    const Value* value = arguments.find(name);
    std::int64_t number = 0;
    return value != nullptr && value->integer(number) && number > 0 ? static_cast<std::uint64_t>(number) : 0;
  };
  const Value* type = arguments.find("x-delayed-retry-type");
  const auto type_is = [&](std::string_view text) { return type != nullptr && *type == Value(std::string(text)); };
  const std::uint64_t min_ms = milliseconds("x-delayed-retry-min");
  if (min_ms == 0) return {};
  const std::uint64_t max_ms = milliseconds("x-delayed-retry-max");
  DelayedRetry retry{.failed = type_is("failed") || type_is("all"), .returned = type_is("returned") || type_is("all")};
  if (!retry.is_on()) return {};
  retry.min_ms = min_ms;
  retry.max_ms = max_ms == 0 ? min_ms : max_ms;
  return retry;
}

Configure settings_from(const Table& arguments, bool quorum) {
  const auto number = [&](std::string_view name) -> std::optional<std::int64_t> {
    const Value* value = arguments.find(name);
    std::int64_t found = 0;
    if (value == nullptr || !value->integer(found)) return std::nullopt;
    return found;
  };
  const auto count = [&](std::string_view name) -> std::optional<std::uint64_t> {
    const auto found = number(name);
    if (!found || *found < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*found);
  };
  const Value* overflow = arguments.find("x-overflow");
  const auto overflow_is = [&](std::string_view text) {
    return overflow != nullptr && *overflow == Value(std::string(text));
  };
  const Value* single = arguments.find("x-single-active-consumer");

  Configure settings{.quorum = quorum,
                     .single_active_consumer = single != nullptr && *single == Value(true),
                     .max_length = count("x-max-length"),
                     .max_length_bytes = count("x-max-length-bytes"),
                     .message_ttl_ms = count("x-message-ttl"),
                     .expires_ms = count("x-expires")};
  // A quorum queue takes reject-publish-dlx for drop-head, and has its priorities without asking (features.md §1.8).
  const bool is_rejecting = overflow_is("reject-publish") || (!quorum && overflow_is("reject-publish-dlx"));
  settings.overflow = is_rejecting ? Overflow::reject_publish : Overflow::drop_head;
  const std::optional<std::int64_t> limit = number("x-delivery-limit");
  if (const std::int64_t failures = limit.value_or(quorum ? kDeliveryLimitDefault : -1); failures >= 0) {
    settings.delivery_limit = static_cast<std::uint32_t>(std::min<std::int64_t>(failures, UINT32_MAX));
  }
  const std::uint64_t priorities = count("x-max-priority").value_or(quorum ? kQuorumPriorityMax : 0);
  settings.priority_max = static_cast<std::uint8_t>(std::min<std::uint64_t>(priorities, UINT8_MAX));
  settings.delayed_retry = delayed_retry_from(arguments);
  return settings;
}

ArgumentVerdict check_same_arguments(const Table& received, const Table& current, cluster::QueueType type,
                                     std::string_view queue, Equivalence extent) {
  const Compared least = extent == Equivalence::relaxed ? Compared::always : Compared::yes;
  for (const Row& row : kRows) {
    const Value* asked = received.find(row.name);
    const Value* has = current.find(row.name);
    const bool is_compared = row.compared >= least && row.is_for(queue_type(current));
    if (!is_compared || is_same(row, asked, has)) continue;
    const bool names_what_it_is = row.name == kQueueType && queue_type(received) == type;
    if (names_what_it_is) continue;
    return std::unexpected("inequivalent arg '" + std::string(row.name) + "' for " + std::string(queue) +
                           ": received " + printed(asked) + " but current is " + printed(has));
  }
  return {};
}

}  // namespace quorate::queue
