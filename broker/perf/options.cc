#include "broker/perf/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

namespace quorate::perf {
namespace {

constexpr int kExitUsage = 2;
constexpr std::uint32_t kUnlimitedWindow = 1u << 20;  // -c 0: confirms, and no limit that anybody meets
constexpr std::uint32_t kConfirmsMax = 1u << 26;
constexpr std::uint16_t kStreamPrefetch = 200;
constexpr std::uint32_t kChannelsMax = 2047;  // what RabbitMQ allows

/// PerfTest's short names of several letters, which CLI11 would read as several options.
constexpr std::pair<std::string_view, std::string_view> kLongShortNames[] = {
    {"-ad", "--auto-delete"},
    {"-qa", "--queue-args"},
    {"-qp", "--queue-pattern"},
    {"-qpf", "--queue-pattern-from"},
    {"-qpt", "--queue-pattern-to"},
    {"-qq", "--quorum-queue"},
    {"-sco", "--stream-consumer-offset"},
    {"-sq", "--stream-queue"},
    {"-st", "--shutdown-timeout"},
};

const std::map<std::string, Churn> kChurns = {{"connections", Churn::connections},
                                              {"channels", Churn::channels},
                                              {"queues", Churn::queues},
                                              {"bindings", Churn::bindings}};

/// Words that need more than a number to be understood.
struct Words {
  std::vector<std::string> uris;
  std::string size = "12";
  std::int64_t confirm = -1;
  std::vector<std::string> flags;
  std::string queue;
  std::string pattern;
  std::uint32_t pattern_from = 1;
  std::uint32_t pattern_to = 1;
  std::vector<std::string> queue_arguments;
  std::string auto_delete;
  bool is_quorum = false;
  bool is_stream = false;
  bool is_classic = false;
  std::string stream_offset;
  std::string routing_key;
  double publishing_interval = 0;
  double seconds = 0;
  double warmup = 0;
  double interval = 1;
  double drain = 10;
};

void add_places(CLI::App& app, Words& words, Plan& plan) {
  app.add_option("-h,--uri", words.uris, "amqp://user:password@host:port/vhost; may be repeated")
      ->envname("QUORATE_PERF_URI")
      ->delimiter(',');
  app.add_option("-d,--id", plan.id, "Name of the run, at the front of each line")->default_str("perf");
  app.add_option("--threads", plan.threads, "Threads among which the connections are dealt")->check(CLI::Range(1, 64));
  app.add_option("-x,--producers", plan.producers, "Connections that publish")->check(CLI::Range(0, 60'000));
  app.add_option("-y,--consumers", plan.consumers, "Connections that consume")->check(CLI::Range(0, 60'000));
  app.add_option("-X,--producer-channel-count", plan.producer_channels, "Channels of each, all publishing")
      ->check(CLI::Range(1u, kChannelsMax));
  app.add_option("-Y,--consumer-channel-count", plan.consumer_channels, "Channels of each, all consuming")
      ->check(CLI::Range(1u, kChannelsMax));
}

void add_messages(CLI::App& app, Words& words, Plan& plan) {
  app.add_option("-s,--size", words.size, "Octets of a body, or a range as 10:2000; at least 12");
  app.add_option("-c,--confirm", words.confirm,
                 "Unconfirmed messages of a channel at most; 0 any number, -1 no confirms")
      ->check(CLI::Range(std::int64_t{-1}, std::int64_t{kConfirmsMax}));
  app.add_option("-f,--flag", words.flags, "persistent or mandatory; may be repeated")
      ->check(CLI::IsMember({"persistent", "mandatory"}))
      ->delimiter(',');
  app.add_option("-q,--qos", plan.prefetch, "Prefetch of a consumer; 0 is unlimited");
  app.add_option("-A,--multi-ack-every", plan.multi_ack_every, "One ack, with multiple set, for so many messages");
  app.add_flag("-a,--autoack", plan.auto_ack, "No acks");
  app.add_option("-r,--rate", plan.publish_rate, "Messages a second of each publishing channel")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-P,--publishing-interval", words.publishing_interval, "Seconds between its messages, instead of -r")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-R,--consumer-rate", plan.consume_rate, "Messages a second of each consuming channel")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-C,--pmessages", plan.publish_count, "Messages of each publishing channel, then it ends");
  app.add_option("-D,--cmessages", plan.consume_count, "Messages of each consuming channel, then it ends");
}

void add_topology(CLI::App& app, Words& words, Plan& plan) {
  app.add_option("-u,--queue", words.queue, "Its name")->default_str("quorate-perf");
  app.add_option("--queue-pattern", words.pattern, "Several queues, as perf-%d or perf-%03d; also -qp");
  app.add_option("--queue-pattern-from", words.pattern_from, "First number; also -qpf");
  app.add_option("--queue-pattern-to", words.pattern_to, "Last number; also -qpt");
  app.add_flag("--quorum-queue", words.is_quorum, "x-queue-type=quorum, durable, persistent messages; also -qq");
  app.add_flag("--stream-queue", words.is_stream, "x-queue-type=stream, likewise, and prefetch 200; also -sq");
  app.add_flag("--classic-queue", words.is_classic, "x-queue-type=classic");
  app.add_option("--queue-args", words.queue_arguments, "Arguments of queues: k=v,k=v; also -qa");
  app.add_option("--auto-delete", words.auto_delete, "Whether queues go with their last consumer; also -ad")
      ->check(CLI::IsMember({"true", "false"}))
      ->default_str("true");
  app.add_option("-e,--exchange", plan.exchange, "Exchange to publish to; the default exchange unless given");
  app.add_option("-t,--type", plan.exchange_type, "Its type")->default_str("direct");
  app.add_option("-k,--routing-key", words.routing_key, "Routing key of all, and of bindings; else the queue's name");
  app.add_flag("-p,--predeclared", plan.predeclared, "Declares and binds nothing");
  app.add_option("--stream-consumer-offset", words.stream_offset, "x-stream-offset of consumers; also -sco");
}

void add_course(CLI::App& app, Words& words, Plan& plan) {
  app.add_option("-z,--time", words.seconds, "Seconds of the measurement; else until -C or -D, or a signal")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--warmup", words.warmup, "Seconds in front of it that do not count")->check(CLI::NonNegativeNumber);
  app.add_option("-i,--interval", words.interval, "Seconds between lines")->check(CLI::PositiveNumber);
  app.add_option("--shutdown-timeout", words.drain, "Seconds to wait at the end for what is under way; also -st")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--churn", plan.churn,
                 "Opens and closes, declares and deletes: connections, channels, queues, bindings")
      ->transform(CLI::CheckedTransformer(kChurns));
  app.add_option("--churn-outstanding", plan.churn_outstanding, "Requests of a channel under way at once")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--idle-connections", plan.idle_connections, "Opens and holds so many connections")
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--idle-channels", plan.idle_channels, "Channels on each of them")
      ->check(CLI::Range(0u, kChannelsMax));
  app.add_option("--broker-pid", plan.broker_pids, "Processes of the broker, whose CPU time and memory are measured")
      ->delimiter(',');
  app.add_option("--json", plan.json_file, "File for the result as JSON, - for standard output")->type_name("FILE");
}

Duration seconds(double count) { return Duration(static_cast<Duration::rep>(std::llround(count * 1e9))); }

std::optional<std::string> settle_uris(const Words& words, Plan& plan) {
  for (const std::string& word : words.uris) {
    auto uri = parse_uri(word);
    if (!uri) return uri.error().text;
    plan.uris.push_back(std::move(*uri));
  }
  if (plan.uris.empty()) plan.uris.emplace_back();
  return std::nullopt;
}

std::optional<std::string> settle_queues(const Words& words, Plan& plan) {
  plan.queues = {words.queue.empty() ? "quorate-perf" : words.queue};
  if (!words.pattern.empty()) {
    auto names = expand_pattern(words.pattern, words.pattern_from, words.pattern_to);
    if (!names) return names.error().text;
    plan.queues = std::move(*names);
  }
  for (const std::string& word : words.queue_arguments) {
    auto arguments = parse_arguments(word);
    if (!arguments) return arguments.error().text;
    std::ranges::move(arguments->fields, std::back_inserter(plan.queue_arguments.fields));
  }
  if (words.is_quorum + words.is_stream + words.is_classic > 1) return "a queue has one type";
  const char* type = words.is_quorum ? "quorum" : words.is_stream ? "stream" : words.is_classic ? "classic" : nullptr;
  if (type != nullptr) plan.queue_arguments.fields.emplace_back("x-queue-type", std::string(type));
  const Value* given_type = plan.queue_arguments.find("x-queue-type");
  plan.is_stream = given_type != nullptr && *given_type == Value(std::string("stream"));
  const bool is_replicated = words.is_quorum || words.is_stream;
  plan.persistent = is_replicated || std::ranges::find(words.flags, "persistent") != words.flags.end();
  plan.mandatory = std::ranges::find(words.flags, "mandatory") != words.flags.end();
  plan.durable = plan.persistent;
  plan.auto_delete = words.auto_delete.empty() ? !is_replicated : words.auto_delete == "true";
  if (plan.is_stream && plan.prefetch == 0) plan.prefetch = kStreamPrefetch;
  return std::nullopt;
}

std::optional<std::string> settle_messages(const Words& words, Plan& plan) {
  const auto size = parse_size(words.size);
  if (!size) return size.error().text;
  plan.size = *size;
  if (words.confirm >= 0) {
    plan.confirm_window = words.confirm == 0 ? kUnlimitedWindow : static_cast<std::uint32_t>(words.confirm);
  }
  if (words.publishing_interval > 0) plan.publish_rate = 1 / words.publishing_interval;
  if (!words.routing_key.empty()) plan.routing_key = words.routing_key;
  if (!words.stream_offset.empty()) {
    auto offset = parse_arguments("x-stream-offset=" + words.stream_offset);
    if (!offset) return offset.error().text;
    plan.consumer_arguments = std::move(*offset);
  }
  if (plan.prefetch != 0 && plan.multi_ack_every > plan.prefetch) {
    return "-A above -q: the ack would never be due";
  }
  return std::nullopt;
}

std::optional<std::string> settle_course(const Words& words, Plan& plan) {
  if (plan.id.empty()) plan.id = "perf";
  if (words.seconds > 0) plan.duration = seconds(words.seconds);
  plan.warmup = seconds(words.warmup);
  plan.interval = seconds(words.interval);
  plan.drain_max = seconds(words.drain);
  if (plan.churn != Churn::none) plan.consumers = 0;
  if (plan.churn == Churn::channels && plan.churn_outstanding > kChannelsMax) return "a connection has 2047 channels";
  if (plan.idle_connections > 0) plan.producers = plan.consumers = 0;
  const bool is_idle = plan.producers == 0 && plan.consumers == 0 && plan.idle_connections == 0;
  if (is_idle) return "nothing to do: -x 0 and -y 0";
  return std::nullopt;
}

/// What becomes a short string on the wire.
std::optional<std::string> settle_names(const Words&, Plan& plan) {
  constexpr std::size_t kNameMax = 255;
  constexpr std::size_t kNumberingMax = 55;  // what agents put behind a name
  std::vector<std::string_view> names = {plan.exchange, plan.exchange_type};
  if (plan.routing_key) names.emplace_back(*plan.routing_key);
  for (const Uri& uri : plan.uris) names.emplace_back(uri.vhost);
  names.insert(names.end(), plan.queues.begin(), plan.queues.end());
  for (const std::string_view name : names) {
    if (name.size() > kNameMax) return "a name has at most 255 octets: " + std::string(name);
  }
  const bool is_numbered_too_long = plan.churn != Churn::none && plan.queues.front().size() > kNameMax - kNumberingMax;
  if (plan.id.size() > kNameMax - kNumberingMax || is_numbered_too_long) return "--id or the queue's name is too long";
  return std::nullopt;
}

std::vector<std::string> spell_out(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& word : arguments) {
    const auto row = std::ranges::find(kLongShortNames, word, &std::pair<std::string_view, std::string_view>::first);
    words.emplace_back(row == std::end(kLongShortNames) ? word : row->second);
  }
  return words;
}

}  // namespace

PlanOutcome parse_options(const std::vector<std::string>& arguments) {
  Plan plan;
  Words words;
  CLI::App app{"Loads an AMQP 0-9-1 broker with messages, and measures.", "quorate-perf"};
  app.set_help_flag("--help", "This text");
  app.set_version_flag("--version", "quorate-perf " QUORATE_VERSION);
  add_places(app, words, plan);
  add_messages(app, words, plan);
  add_topology(app, words, plan);
  add_course(app, words, plan);
  std::vector<std::string> spelled = spell_out(arguments);
  std::ranges::reverse(spelled);  // CLI11 takes words from the back
  try {
    app.parse(std::move(spelled));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream mistake;
    const int code = app.exit(error, out, mistake);
    return {
        .plan = std::nullopt, .text = code == 0 ? out.str() : mistake.str(), .exit_code = code == 0 ? 0 : kExitUsage};
  }
  using Settle = std::optional<std::string> (*)(const Words&, Plan&);
  for (const Settle settle : {settle_uris, settle_queues, settle_messages, settle_course, settle_names}) {
    if (const auto mistake = settle(words, plan)) {
      return {.plan = std::nullopt, .text = *mistake + "\n", .exit_code = kExitUsage};
    }
  }
  return {.plan = std::move(plan), .text = "", .exit_code = 0};
}

}  // namespace quorate::perf
