#include "broker/perf/report.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace quorate::perf {
namespace {

namespace json = boost::json;

struct Mark {
  std::string_view name;
  double fraction = 0;
};
constexpr Mark kMarks[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}};

double microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000; }
double to_seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

double rate(std::uint64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

std::string print_rate(std::string_view name, std::uint64_t count, Duration interval) {
  return fmt::format(", {}: {:.0f} msg/s", name, rate(count, to_seconds(interval)));
}

/// PerfTest's five figures.
std::string print_latency(std::string_view name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return "";
  const auto at = [&](double fraction) { return microseconds(latency.percentile(fraction)); };
  return fmt::format(", min/median/75th/95th/99th {} latency: {:.0f}/{:.0f}/{:.0f}/{:.0f}/{:.0f} µs", name,
                     microseconds(latency.min()), at(0.5), at(0.75), at(0.95), at(0.99));
}

std::string print_marks(std::string_view name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return "";
  std::string text = fmt::format("  {:9} latency µs:", name);
  for (const Mark& mark : kMarks) {
    text += fmt::format("  {} {:.0f}", mark.name, microseconds(latency.percentile(mark.fraction)));
  }
  return text + "\n";
}

double tenth(double value) { return std::round(value * 10) / 10; }

json::object marks_of(const LatencyHistogram& latency) {
  json::object marks;
  for (const Mark& mark : kMarks) marks[mark.name] = tenth(microseconds(latency.percentile(mark.fraction)));
  return marks;
}

/// What CPU time is divided by: a message is counted where it enters, or where it leaves if none entered.
std::uint64_t messages_of(const Counters& counters) {
  return counters.sent > 0 ? counters.sent : counters.received > 0 ? counters.received : counters.operations;
}

double cpu_per_message(const Outcome& outcome) {
  const std::uint64_t messages = messages_of(outcome.measured.counters);
  return messages == 0 ? 0 : microseconds(outcome.broker->cpu) / static_cast<double>(messages);
}

json::object broker_of(const Plan& plan, const Outcome& outcome) {
  json::object broker = {{"cpu_us", std::llround(microseconds(outcome.broker->cpu))},
                         {"cpu_us_per_message", std::round(cpu_per_message(outcome) * 1000) / 1000},
                         {"peak_rss_bytes", outcome.broker->peak_rss_bytes}};
  if (outcome.broker->written_bytes) broker["written_bytes"] = *outcome.broker->written_bytes;
  if (plan.idle_connections > 0) broker["bytes_per_connection"] = outcome.idle_bytes;
  return broker;
}

std::string print_broker(const Plan& plan, const Outcome& outcome) {
  std::string text =
      fmt::format("  broker: {:.2f} s of CPU, {:.2f} µs per {}, peak memory {:.1f} MB", to_seconds(outcome.broker->cpu),
                  cpu_per_message(outcome), plan.churn == Churn::none ? "message" : "operation",
                  static_cast<double>(outcome.broker->peak_rss_bytes) / 1e6);
  if (outcome.broker->written_bytes) {
    text += fmt::format(", written {:.1f} MB", static_cast<double>(*outcome.broker->written_bytes) / 1e6);
  }
  if (plan.idle_connections > 0) text += fmt::format(", {} bytes per idle connection", outcome.idle_bytes);
  return text + "\n";
}

std::string print_messages(const Outcome& outcome) {
  const Counters& counters = outcome.measured.counters;
  const Counters& all = outcome.whole.counters;
  std::string text = fmt::format("  sent {:.0f} msg/s, confirmed {:.0f} msg/s, received {:.0f} msg/s\n",
                                 rate(counters.sent, outcome.seconds), rate(counters.confirmed, outcome.seconds),
                                 rate(counters.received, outcome.seconds));
  text += print_marks("confirm", outcome.measured.confirm_latency);
  text += print_marks("delivery", outcome.measured.delivery_latency);
  text += fmt::format("  altogether: sent {}, confirmed {}, nacked {}, returned {}, received {}\n", all.sent,
                      all.confirmed, all.nacked, all.returned, all.received);
  if (!outcome.judged) return text;
  return text + fmt::format("  lost {}, duplicated {}, out of order {}, undelivered {}\n", outcome.lost,
                            outcome.duplicated, outcome.whole.flows.disordered, outcome.undelivered);
}

}  // namespace

std::string print_interval(const Plan& plan, const Stats& stats, Duration since_begin, Duration interval) {
  const Counters& counters = stats.counters;
  std::string text = fmt::format("id: {}, time {:.3f} s", plan.id, to_seconds(since_begin));
  if (plan.churn != Churn::none)
    text += fmt::format(", churn: {:.0f} ops/s", rate(counters.operations, to_seconds(interval)));
  if (plan.churn == Churn::none && plan.producers > 0) {
    text += print_rate("sent", counters.sent, interval);
    if (plan.mandatory) text += print_rate("returned", counters.returned, interval);
    if (plan.confirm_window) {
      text += print_rate("confirmed", counters.confirmed, interval);
      text += print_rate("nacked", counters.nacked, interval);
    }
  }
  if (plan.consumers > 0) text += print_rate("received", counters.received, interval);
  text += print_latency("consumer", stats.delivery_latency);
  text += print_latency("confirm", stats.confirm_latency);
  return text;
}

std::string print_summary(const Plan& plan, const Outcome& outcome) {
  std::string text = fmt::format("id: {}, {:.3f} s\n", plan.id, outcome.seconds);
  if (plan.churn != Churn::none) {
    const std::uint64_t operations = outcome.measured.counters.operations;
    text += fmt::format("  {} operations, {:.0f} a second\n", operations, rate(operations, outcome.seconds));
  } else if (plan.idle_connections == 0) {
    text += print_messages(outcome);
  }
  if (outcome.broker) text += print_broker(plan, outcome);
  if (!outcome.failure.empty()) text += "  FAILED: " + outcome.failure + "\n";
  return text;
}

std::string print_json(const Plan& plan, const Outcome& outcome) {
  const Counters& all = outcome.whole.counters;
  const Counters& counters = outcome.measured.counters;
  json::object result = {
      {"id", plan.id},
      {"seconds", std::round(outcome.seconds * 1e6) / 1e6},
      {"sent", all.sent},
      {"confirmed", all.confirmed},
      {"nacked", all.nacked},
      {"returned", all.returned},
      {"received", all.received},
      {"lost", outcome.lost},
      {"duplicated", outcome.duplicated},
      {"disordered", outcome.whole.flows.disordered},
      {"undelivered", outcome.undelivered},
      {"judged", outcome.judged},
      {"rate",
       {{"sent", tenth(rate(counters.sent, outcome.seconds))},
        {"confirmed", tenth(rate(counters.confirmed, outcome.seconds))},
        {"received", tenth(rate(counters.received, outcome.seconds))}}},
      {"confirm_latency_us", marks_of(outcome.measured.confirm_latency)},
      {"delivery_latency_us", marks_of(outcome.measured.delivery_latency)},
  };
  if (outcome.broker) result["broker"] = broker_of(plan, outcome);
  if (plan.churn != Churn::none) {
    result["churn"] = {{"operations", counters.operations},
                       {"per_second", tenth(rate(counters.operations, outcome.seconds))}};
  }
  if (!outcome.failure.empty()) result["failure"] = outcome.failure;
  return json::serialize(result) + "\n";
}

}  // namespace quorate::perf
