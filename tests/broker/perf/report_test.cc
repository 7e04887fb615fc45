// What a run says at its end: the words, the keys of the JSON object that scripts read, and the verdict on losses.
#include "broker/perf/report.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "broker/perf/verdict.h"

namespace quorate::perf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Plan plan_of(unsigned producers, unsigned consumers) {
  Plan plan;
  plan.id = "r";
  plan.queues = {"q"};
  plan.size = {.min = 16, .max = 16};
  plan.producers = producers;
  plan.consumers = consumers;
  plan.confirm_window = 10;
  return plan;
}

Outcome two_seconds() {
  Outcome outcome;
  outcome.seconds = 2;
  outcome.measured.counters = {.sent = 1000, .confirmed = 900, .received = 800};
  outcome.whole.counters = {.sent = 1000, .confirmed = 1000, .nacked = 1, .returned = 2, .received = 1000};
  outcome.measured.confirm_latency.record(milliseconds(4));
  outcome.lost = 3;
  outcome.duplicated = 5;
  outcome.judged = true;
  return outcome;
}

SentFlow sent(unsigned producer, std::uint64_t count, std::vector<std::uint64_t> excused = {}) {
  return {.producer = producer, .sent = count, .excused = std::move(excused)};
}

SeenSet seen(std::initializer_list<std::uint64_t> sequences) {
  SeenSet set;
  for (const std::uint64_t sequence : sequences) set.insert(sequence);
  return set;
}

}  // namespace

TEST(Report, JsonHasItsKeys) {
  Outcome outcome = two_seconds();
  outcome.broker = BrokerUsage{.cpu = milliseconds(10), .peak_rss_bytes = 77, .written_bytes = 99};
  const auto result = boost::json::parse(print_json(plan_of(1, 1), outcome)).as_object();
  EXPECT_EQ(result.at("id"), "r");
  EXPECT_EQ(result.at("seconds"), 2.0);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, int>>{{"sent", 1000},
                                                                                     {"confirmed", 1000},
                                                                                     {"nacked", 1},
                                                                                     {"returned", 2},
                                                                                     {"received", 1000},
                                                                                     {"lost", 3},
                                                                                     {"duplicated", 5},
                                                                                     {"disordered", 0}}) {
    EXPECT_EQ(result.at(key).to_number<int>(), value) << key;
  }
  EXPECT_EQ(result.at("rate").at("sent"), 500.0);
  EXPECT_EQ(result.at("rate").at("confirmed"), 450.0);
  EXPECT_EQ(result.at("rate").at("received"), 400.0);
  for (const char* mark : {"p50", "p90", "p99", "p999", "max"}) {
    EXPECT_EQ(result.at("confirm_latency_us").at(mark), 4000.0) << mark;
    EXPECT_EQ(result.at("delivery_latency_us").at(mark), 0.0) << mark;
  }
  EXPECT_EQ(result.at("broker").at("cpu_us").to_number<int>(), 10'000);
  EXPECT_EQ(result.at("broker").at("cpu_us_per_message"), 10.0);
  EXPECT_EQ(result.at("broker").at("peak_rss_bytes").to_number<int>(), 77);
  EXPECT_EQ(result.at("broker").at("written_bytes").to_number<int>(), 99);
  EXPECT_FALSE(result.contains("churn"));
  EXPECT_FALSE(result.contains("failure"));
}

TEST(Report, JsonLeavesOutWhatWasNotMeasured) {
  Outcome outcome;
  outcome.broker = BrokerUsage{};
  outcome.failure = "no route";
  Plan plan = plan_of(1, 0);
  plan.churn = Churn::queues;
  const auto result = boost::json::parse(print_json(plan, outcome)).as_object();
  EXPECT_FALSE(result.at("broker").as_object().contains("written_bytes"));
  EXPECT_TRUE(result.at("churn").as_object().contains("per_second"));
  EXPECT_EQ(result.at("failure"), "no route");
  EXPECT_FALSE(boost::json::parse(print_json(plan_of(1, 1), Outcome{})).as_object().contains("broker"));
}

TEST(Report, RateAndSecondsGiveTheCountOfAShortRun) {
  Outcome outcome = two_seconds();
  outcome.seconds = 0.0475;
  const auto result = boost::json::parse(print_json(plan_of(1, 1), outcome)).as_object();
  EXPECT_NEAR(result.at("rate").at("sent").as_double() * result.at("seconds").as_double(), 1000, 0.1);
}

TEST(Report, ALineSpeaksAsPerfTest) {
  Stats stats;
  stats.counters = {.sent = 20, .confirmed = 10, .received = 6};
  stats.delivery_latency.record(milliseconds(1));
  EXPECT_EQ(print_interval(plan_of(1, 1), stats, seconds(3), seconds(2)),
            "id: r, time 3.000 s, sent: 10 msg/s, confirmed: 5 msg/s, nacked: 0 msg/s, received: 3 msg/s, "
            "min/median/75th/95th/99th consumer latency: 1000/1000/1000/1000/1000 µs");
  EXPECT_EQ(print_interval(plan_of(0, 1), Stats{}, seconds(1), seconds(1)), "id: r, time 1.000 s, received: 0 msg/s");
}

TEST(Report, TheSummaryNamesWhatWentWrong) {
  Outcome outcome = two_seconds();
  EXPECT_NE(print_summary(plan_of(1, 1), outcome).find("lost 3, duplicated 5"), std::string::npos);
  outcome.failure = "closed";
  EXPECT_NE(print_summary(plan_of(1, 1), outcome).find("FAILED: closed"), std::string::npos);
}

TEST(Verdict, TakesTheThreadsOfAQueueTogether) {
  std::vector<Ledger> ledgers(2);
  ledgers[0].sent = {sent(0, 6, {5})};
  ledgers[0].seen[{0, 0}] = seen({0, 2});
  ledgers[1].seen[{0, 0}] = seen({1, 2, 4});
  const Verdict verdict = judge_ledgers(plan_of(1, 2), std::move(ledgers));
  EXPECT_EQ(verdict.missing, 1u);  // 3
  EXPECT_EQ(verdict.duplicated, 1u);
}

TEST(Verdict, WantsEachMessageFromEverySource) {
  Plan plan = plan_of(2, 2);
  plan.queues = {"a", "b"};
  plan.exchange = "x";
  plan.exchange_type = "fanout";
  std::vector<Ledger> ledgers(1);
  ledgers[0].sent = {sent(0, 1), sent(1, 2)};
  ledgers[0].seen[{0, 0}] = seen({0});
  ledgers[0].seen[{1, 0}] = seen({0});
  ledgers[0].seen[{0, 1}] = seen({0, 1});
  EXPECT_EQ(judge_ledgers(plan, std::move(ledgers)).missing, 2u);  // queue b got nothing of producer 1
}

}  // namespace quorate::perf
