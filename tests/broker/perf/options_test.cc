// The command line: PerfTest's names, what they come to, and what is refused in which words.
#include "broker/perf/options.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>

namespace quorate::perf {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

PlanOutcome parse(const std::string& line) { return parse_options(split(line)); }

}  // namespace

TEST(Options, HavePerfTestsNamesAndMeanings) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  struct Row {
    std::string line;
    std::function<bool(const Plan&)> holds;
  };
  const Value number(std::int64_t{5});
  const Row rows[] = {
      {"", [](const Plan& p) { return p.producers == 1 && p.consumers == 1 && p.id == "perf" && !p.duration; }},
      {"", [](const Plan& p) { return p.uris == std::vector<Uri>{Uri{}} && p.threads == 1 && p.exchange.empty(); }},
      {"", [](const Plan& p) { return p.auto_delete && !p.durable && !p.persistent && !p.confirm_window; }},
      {"",
       [](const Plan& p) {
         return p.size == SizeRange{12, 12} && p.queues == std::vector<std::string>{"quorate-perf"};
       }},
      {"-h amqp://a,amqp://b --uri amqp://c",
       [](const Plan& p) { return p.uris.size() == 3 && p.uris[2].host == "c"; }},
      {"-x 3 -y 4 -X 5 -Y 6", [](const Plan& p) { return p.producer_agents() == 15 && p.consumer_agents() == 24; }},
      {"-s 1000", [](const Plan& p) { return p.size == SizeRange{1000, 1000}; }},
      {"-s 10:2000", [](const Plan& p) { return p.size == SizeRange{12, 2000}; }},
      {"-c 100", [](const Plan& p) { return p.confirm_window == 100u; }},
      {"-c -1", [](const Plan& p) { return !p.confirm_window; }},
      {"-c 0", [](const Plan& p) { return p.confirm_window > 1'000'000u; }},
      {"-q 50 -A 10", [](const Plan& p) { return p.prefetch == 50 && p.multi_ack_every == 10 && !p.auto_ack; }},
      {"-a", [](const Plan& p) { return p.auto_ack; }},
      {"-f persistent", [](const Plan& p) { return p.persistent && p.durable && !p.mandatory; }},
      {"-f persistent -f mandatory", [](const Plan& p) { return p.persistent && p.mandatory; }},
      {"-f mandatory", [](const Plan& p) { return !p.persistent && !p.durable && p.mandatory; }},
      {"-u work", [](const Plan& p) { return p.queues == std::vector<std::string>{"work"}; }},
      {"-qp q-%d -qpf 2 -qpt 3", [](const Plan& p) { return p.queues == std::vector<std::string>{"q-2", "q-3"}; }},
      {"--queue-pattern q-%d --queue-pattern-to 1", [](const Plan& p) { return p.queues.front() == "q-1"; }},
      {"-qq", [](const Plan& p) { return p.durable && p.persistent && !p.auto_delete && !p.is_stream; }},
      {"--quorum-queue",
       [](const Plan& p) { return *p.queue_arguments.find("x-queue-type") == Value(std::string("quorum")); }},
      {"-sq -sco first",
       [](const Plan& p) {
         return p.is_stream && p.prefetch == 200 &&
                *p.consumer_arguments.find("x-stream-offset") == Value(std::string("first"));
       }},
      {"-sq -q 7 -sco 5",
       [&](const Plan& p) { return p.prefetch == 7 && *p.consumer_arguments.find("x-stream-offset") == number; }},
      {"--classic-queue",
       [](const Plan& p) {
         return !p.durable && *p.queue_arguments.find("x-queue-type") == Value(std::string("classic"));
       }},
      {"-qa x-max-length=5,x-overflow=reject-publish -qa x-queue-type=stream",
       [&](const Plan& p) { return p.is_stream && *p.queue_arguments.find("x-max-length") == number; }},
      {"-ad false", [](const Plan& p) { return !p.auto_delete; }},
      {"-qq -ad true", [](const Plan& p) { return p.auto_delete; }},
      {"-e logs -t topic -k a.b",
       [](const Plan& p) { return p.exchange == "logs" && p.exchange_type == "topic" && p.routing_key == "a.b"; }},
      {"-r 0.5 -R 10", [](const Plan& p) { return p.publish_rate == 0.5 && p.consume_rate == 10; }},
      {"-P 0.1", [](const Plan& p) { return p.publish_rate == 10; }},
      {"-C 7 -D 8", [](const Plan& p) { return p.publish_count == 7 && p.consume_count == 8; }},
      {"-z 1.5 -i 0.5 --warmup 2 -st 3",
       [](const Plan& p) {
         return p.duration == milliseconds(1500) && p.interval == milliseconds(500) && p.warmup == seconds(2) &&
                p.drain_max == seconds(3);
       }},
      {"-p", [](const Plan& p) { return p.predeclared && !p.declares(); }},
      {"--id nine --threads 2", [](const Plan& p) { return p.id == "nine" && p.threads == 2; }},
      {"--churn queues --churn-outstanding 9",
       [](const Plan& p) { return p.churn == Churn::queues && p.churn_outstanding == 9 && p.consumers == 0; }},
      {"--idle-connections 10 --idle-channels 2",
       [](const Plan& p) {
         return p.idle_connections == 10 && p.idle_channels == 2 && p.producers + p.consumers == 0;
       }},
      {"--broker-pid 1,2 --broker-pid 3", [](const Plan& p) { return p.broker_pids == std::vector<int>{1, 2, 3}; }},
      {"--json -", [](const Plan& p) { return p.json_file == "-"; }},
  };
  for (const Row& row : rows) {
    const PlanOutcome outcome = parse(row.line);
    ASSERT_TRUE(outcome.plan) << row.line << ": " << outcome.text;
    EXPECT_TRUE(row.holds(*outcome.plan)) << row.line;
  }
}

TEST(Options, MistakesAreNamedAndEndWithTwo) {
  struct Row {
    std::string line;
    std::string said;
  };
  const Row rows[] = {
      {"-h http://a", "'http://a' is no URI of a broker"},
      {"-s 5000:10", "'5000:10' is no size"},
      {"-f durable", "durable not in"},
      {"-ad maybe", "maybe not in"},
      {"-qa nonsense", "'nonsense' is no argument"},
      {"-qp plain", "'plain' is no pattern"},
      {"-qp q-%d -qpf 3 -qpt 2", "no queues from 3 to 2"},
      {"-qq -sq", "a queue has one type"},
      {"-q 10 -A 20", "-A above -q"},
      {"-x 0 -y 0", "nothing to do"},
      {"--churn houses", "houses"},
      {"--churn channels --churn-outstanding 3000", "2047"},
      {"--threads 0", "0 not in range"},
      {"-u " + std::string(256, 'q'), "a name has at most 255 octets"},
      {"--id " + std::string(201, 'i'), "too long"},
      {"--nonsense", "--nonsense"},
  };
  for (const Row& row : rows) {
    const PlanOutcome outcome = parse(row.line);
    EXPECT_FALSE(outcome.plan) << row.line;
    EXPECT_EQ(outcome.exit_code, 2) << row.line;
    EXPECT_NE(outcome.text.find(row.said), std::string::npos) << row.line << ": " << outcome.text;
  }
}

TEST(Options, HelpAndVersionAreNoMistakes) {
  for (const std::string line : {"--help", "--version"}) {
    const PlanOutcome outcome = parse(line);
    EXPECT_FALSE(outcome.plan);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.text.find("quorate-perf"), std::string::npos);
  }
}

}  // namespace quorate::perf
