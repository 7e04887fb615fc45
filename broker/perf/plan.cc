#include "broker/perf/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/perf/stamp.h"

namespace quorate::perf {
namespace {

constexpr std::uint32_t kBodyMaxBytes = 128u << 20;
constexpr std::size_t kPatternQueuesMax = 1'000'000;

std::unexpected<Error> refuse(std::string text) { return failure(ErrorCode::invalid_argument, std::move(text)); }

template <class T>
bool read_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Value read_value(std::string_view text) {
  std::int64_t number = 0;
  if (read_number(text, number)) return Value(number);
  if (text == "true" || text == "false") return Value(text == "true");
  return Value(std::string(text));
}

/// A direct or topic exchange delivers by equal keys here, as our binding keys are literal.
bool is_reached(const Plan& plan, unsigned producer, unsigned queue) {
  const std::string& key = plan.routing_key_of(producer);
  if (plan.exchange.empty()) return plan.queues[queue] == key;
  return plan.exchange_type == "fanout" || plan.binding_key_of(queue) == key;
}

}  // namespace

const std::string& Plan::routing_key_of(unsigned producer) const {
  return routing_key ? *routing_key : queues[agent_queue(producer)];
}

const std::string& Plan::binding_key_of(unsigned queue) const { return routing_key ? *routing_key : queues[queue]; }

std::vector<std::uint32_t> Plan::sources_for(unsigned producer) const {
  std::vector<std::uint32_t> sources;
  const bool knows_routes =
      exchange.empty() ||
      (!predeclared && (exchange_type == "fanout" || exchange_type == "direct" || exchange_type == "topic"));
  if (!knows_routes) return sources;
  for (unsigned consumer = 0; consumer < consumer_agents(); ++consumer) {
    const bool is_another = is_stream || consumer < queues.size();  // later consumers of a queue share its source
    if (is_another && is_reached(*this, producer, agent_queue(consumer))) sources.push_back(source_of(consumer));
  }
  return sources;
}

bool Plan::judges_losses() const {
  constexpr unsigned kCompactProducersMax = 256;  // a compact stamp tells no more apart
  const bool can_tell = size.min >= kStampBytes || producer_agents() <= kCompactProducersMax;
  return can_tell && producers > 0 && consumers > 0 && consume_count == 0;
}

Result<SizeRange> parse_size(std::string_view text) {
  SizeRange range;
  const auto colon = text.find(':');
  const bool is_read = read_number(text.substr(0, colon), range.min) &&
                       (colon == std::string_view::npos || read_number(text.substr(colon + 1), range.max));
  if (colon == std::string_view::npos) range.max = range.min;
  if (!is_read || range.max < range.min || range.max > kBodyMaxBytes) {
    return refuse(fmt::format("'{}' is no size: octets, or a range as 10:2000, up to {}", text, kBodyMaxBytes));
  }
  constexpr auto kMin = static_cast<std::uint32_t>(kBodyMinBytes);
  return SizeRange{.min = std::max(range.min, kMin), .max = std::max(range.max, kMin)};
}

Result<Table> parse_arguments(std::string_view text) {
  Table table;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(','));
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return refuse(fmt::format("'{}' is no argument: name=value,name=value", pair));
    }
    table.fields.emplace_back(std::string(pair.substr(0, equals)), read_value(pair.substr(equals + 1)));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
  }
  return table;
}

Result<std::vector<std::string>> expand_pattern(std::string_view pattern, std::uint32_t from, std::uint32_t to) {
  const auto percent = pattern.find('%');
  const auto end = percent == std::string_view::npos ? percent : pattern.find('d', percent);
  std::string_view width_text = end == std::string_view::npos ? "" : pattern.substr(percent + 1, end - percent - 1);
  std::uint32_t width = 0;
  const bool is_pattern = end != std::string_view::npos && pattern.find('%', percent + 1) == std::string_view::npos &&
                          (width_text.empty() || (width_text.starts_with('0') && read_number(width_text, width)));
  if (!is_pattern || width > 10) return refuse(fmt::format("'{}' is no pattern: it needs one %d", pattern));
  if (to < from || to - from >= kPatternQueuesMax) return refuse(fmt::format("no queues from {} to {}", from, to));
  std::vector<std::string> names;
  for (std::uint64_t number = from; number <= to; ++number) {
    names.push_back(fmt::format("{}{:0{}}{}", pattern.substr(0, percent), number, width, pattern.substr(end + 1)));
  }
  return names;
}

}  // namespace quorate::perf
