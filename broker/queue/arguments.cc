#include "broker/queue/arguments.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace quorate::queue {
namespace {

/// Empty when the value will do, else the reason as RabbitMQ prints it.
using Check = std::string (*)(const Value& value, const Table& all);

constexpr std::int64_t kDeliveryLimitDefault = 20;  // Q021
constexpr std::int64_t kTenYearsMs = 10LL * 365 * 24 * 3600 * 1000;

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
  return number > kTenYearsMs ? "{value_too_large," + std::to_string(number) + "}" : "";
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

std::string accept(const Value&, const Table&) { return ""; }
std::string other_type(const Value&, const Table&) { return "other queue type"; }

enum class Compared : bool { no, yes };

struct Row {
  std::string_view name;
  Check check = accept;
  Compared compared = Compared::yes;
};

constexpr std::array kRows = {
    Row{"x-consumer-disconnected-timeout", other_type},
    Row{"x-consumer-timeout", other_type},
    Row{"x-dead-letter-exchange", check_text},
    Row{"x-dead-letter-routing-key", check_dead_letter_key},
    Row{"x-dead-letter-strategy", other_type},
    Row{"x-delayed-retry-max", other_type},
    Row{"x-delayed-retry-min", other_type},
    Row{"x-delayed-retry-type", other_type},
    Row{"x-delivery-limit", other_type},
    Row{"x-expires", check_expires},
    Row{"x-initial-cluster-size", other_type},
    Row{"x-max-age", other_type},
    Row{"x-max-length", check_count},
    Row{"x-max-length-bytes", check_count},
    Row{"x-max-priority", check_priority_max},
    Row{"x-message-ttl", check_message_ttl},
    Row{"x-overflow", check_overflow},
    Row{"x-queue-leader-locator", check_leader_locator, Compared::no},
    Row{"x-queue-mode", accept, Compared::no},
    Row{"x-queue-type", check_type},
    Row{"x-queue-version", check_version, Compared::no},
    Row{"x-quorum-initial-group-size", other_type},
    Row{"x-single-active-consumer", check_truth},
    Row{"x-stream-filter-size-bytes", other_type},
    Row{"x-stream-max-segment-size-bytes", other_type},
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
    return given == nullptr || (row.name == "x-queue-type" && *given == Value(std::string("classic")));
  }
  std::int64_t a = 0;
  std::int64_t b = 0;
  if (received->integer(a) && current->integer(b)) return a == b;
  return *received == *current;
}

}  // namespace

ArgumentVerdict check_arguments(const Table& arguments, std::string_view queue) {
  for (const auto& [name, value] : arguments.fields) {
    const Row* row = find_row(name);
    if (row == nullptr) continue;
    const std::string why = row->check(value, arguments);
    if (why.empty()) continue;
    if (row->check == other_type) {
      return std::unexpected("invalid arg '" + name + "' for " + std::string(queue) +
                             " of queue type rabbit_classic_queue");
    }
    return std::unexpected("invalid arg '" + name + "' for " + std::string(queue) + ": " + why);
  }
  return {};
}

std::string ineffective_arguments(const Table& arguments) {
  std::string names;
  for (const auto& [name, value] : arguments.fields) {
    const bool has_effect = name == "x-queue-type" || find_row(name) == nullptr;
    if (!has_effect) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
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
                     .message_ttl_ms = count("x-message-ttl")};
  // A quorum queue takes reject-publish-dlx for drop-head, and has its priorities without asking (features.md §1.8).
  const bool is_rejecting = overflow_is("reject-publish") || (!quorum && overflow_is("reject-publish-dlx"));
  settings.overflow = is_rejecting ? Overflow::reject_publish : Overflow::drop_head;
  if (quorum) {
    const std::int64_t limit = number("x-delivery-limit").value_or(kDeliveryLimitDefault);
    if (limit >= 0) settings.delivery_limit = static_cast<std::uint32_t>(std::min<std::int64_t>(limit, UINT32_MAX));
    settings.priority_max = kQuorumPriorityMax;
  } else {
    settings.priority_max =
        static_cast<std::uint8_t>(std::min<std::uint64_t>(count("x-max-priority").value_or(0), UINT8_MAX));
  }
  return settings;
}

ArgumentVerdict check_same_arguments(const Table& received, const Table& current, std::string_view queue) {
  for (const Row& row : kRows) {
    const Value* asked = received.find(row.name);
    const Value* has = current.find(row.name);
    if (row.compared == Compared::no || is_same(row, asked, has)) continue;
    return std::unexpected("inequivalent arg '" + std::string(row.name) + "' for " + std::string(queue) +
                           ": received " + printed(asked) + " but current is " + printed(has));
  }
  return {};
}

}  // namespace quorate::queue
