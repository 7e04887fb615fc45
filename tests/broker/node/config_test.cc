// The configuration: RabbitMQ's file format, every row of the key table, and the exact words of each refusal.
#include "broker/node/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "broker/node/command_line.h"
#include "broker/node/config_keys.h"
#include "tests/storage/directories.h"

namespace quorate {
namespace {

Config read(std::string_view text) {
  auto loaded = parse_config(text, "q.conf");
  EXPECT_TRUE(loaded.has_value()) << loaded.error().text;
  return loaded ? loaded->config : Config{};
}

std::string refusal(std::string_view text) {
  const auto loaded = parse_config(text, "q.conf");
  return loaded ? "accepted" : loaded.error().text;
}

std::string read_page(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST(Config, RefusesABadLineWithItsPlaceAndWhatIsExpected) {
  struct Row {
    std::string_view text;
    std::string_view refusal;
  };
  const std::string long_name = "cluster_name = " + std::string(256, 'x');
  const Row rows[] = {
      {"hartbeat = 10", "q.conf:1: unknown configuration key 'hartbeat': did you mean 'heartbeat'?"},
      {"# c\n\nlistener.tcp.local = 1",
       "q.conf:3: unknown configuration key 'listener.tcp.local': did you mean 'listeners.tcp.local'?"},
      {"frames_max = 1", "q.conf:1: unknown configuration key 'frames_max': did you mean 'frame_max'?"},
      {"xyzzy.plugh = 1",
       "q.conf:1: unknown configuration key 'xyzzy.plugh'; `quorate --print-reference config` lists the keys"},
      {"cluster_formation.peer_discovery_backend = dns",
       "cluster_formation.peer_discovery_backend = dns needs cluster_formation.dns.hostname"},
      {"cluster_formation.dns.hostname = n",
       "cluster_formation.dns.hostname needs cluster_formation.peer_discovery_backend = dns"},
      {"heartbeat = soon", "q.conf:1: heartbeat: expected a number from 0 to 65535, found 'soon'"},
      {"heartbeat = 60s", "q.conf:1: heartbeat: expected a number from 0 to 65535, found '60s'"},
      {"heartbeat = -1", "q.conf:1: heartbeat: expected a number from 0 to 65535, found '-1'"},
      {"frame_max = 4095",
       "q.conf:1: frame_max: expected a size from 4096 to 2147483647 bytes, such as 131072, 128KiB or 16MB, found "
       "'4095'"},
      {"max_message_size = 536870913",
       "q.conf:1: max_message_size: expected a size from 0 to 536870912 bytes, such as 131072, 128KiB or 16MB, found "
       "'536870913'"},
      {"max_message_size = 99999999999PB",
       "q.conf:1: max_message_size: expected a size from 0 to 536870912 bytes, such as 131072, 128KiB or 16MB, found "
       "'99999999999PB'"},
      {"max_connections = many",
       "q.conf:1: max_connections: expected infinity or a number from 0 to 4294967294, found 'many'"},
      {"log.console = yes", "q.conf:1: log.console: expected true or false, found 'yes'"},
      {"log.console.formatter = xml", "q.conf:1: log.console.formatter: expected one of plaintext, json, found 'xml'"},
      {"listeners.tcp.1 = 127.0.0.1",
       "q.conf:1: listeners.tcp.1: expected a port, ip:port or [ipv6]:port, found '127.0.0.1'"},
      {"listeners.tcp.1 = ::1:5672",
       "q.conf:1: listeners.tcp.1: expected a port, ip:port or [ipv6]:port, found '::1:5672'"},
      {"listeners.tcp.1 = 65536", "q.conf:1: listeners.tcp.1: expected a port, ip:port or [ipv6]:port, found '65536'"},
      {"management.tcp.ip = foo", "q.conf:1: management.tcp.ip: expected an IP address, found 'foo'"},
      {"management.listener.ip = 127.0.0.1:80",
       "q.conf:1: management.listener.ip: expected an IP address, found '127.0.0.1:80'"},
      {"listeners.tcp = 5672", "q.conf:1: listeners.tcp: expected none, or one line for each item, found '5672'"},
      {"ssl_options.versions.1 = tlsv1",
       "q.conf:1: ssl_options.versions.1: expected one of tlsv1.2, tlsv1.3, found 'tlsv1'"},
      {"shards = 0", "q.conf:1: shards: expected auto or a number from 1 to 256, found '0'"},
      {"default_queue_type = stream", "q.conf:1: default_queue_type: expected one of classic, quorum, found 'stream'"},
      {"auth_backends.1 = ldap",
       "q.conf:1: auth_backends.1: expected internal: nothing else is supported, found 'ldap'"},
      {"proxy_protocol = true", "q.conf:1: proxy_protocol: expected false: nothing else is supported, found 'true'"},
      {"vm_memory_high_watermark.relative = 40",
       "q.conf:1: vm_memory_high_watermark.relative: expected a share from 0 to 1, such as 0.4, found '40'"},
      {"disk_free_limit.relative = nan",
       "q.conf:1: disk_free_limit.relative: expected a share from 0 to 100, such as 0.4, found 'nan'"},
      {"vm_memory_high_watermark.relative = 0.5x",
       "q.conf:1: vm_memory_high_watermark.relative: expected a share from 0 to 1, such as 0.4, found '0.5x'"},
      {"default_user = encrypted:abc",
       "q.conf:1: default_user: encrypted values are not supported; $(NAME) reads a secret from the environment"},
      {"heartbeat", "q.conf:1: expected 'key = value'"},
      {"heartbeat 60", "q.conf:1: expected 'key = value'"},
      {"= 60", "q.conf:1: expected 'key = value'"},
      {"heartbeat =", "q.conf:1: expected a value after '='"},
      {"heartbeat = # 60", "q.conf:1: expected a value after '='"},
      {"default_user = 'a", "q.conf:1: the value has no closing '"},
      {"default_user = 'a' b", "q.conf:1: unexpected text after the quoted value"},
      {"\n default_pass = ''", "q.conf:2: default_pass: expected a value"},
      {"data_dir = $(QUORATE_NOT_SET)/x", "q.conf:1: the environment variable 'QUORATE_NOT_SET' is not set"},
      {"data_dir = $(HOME", "q.conf:1: '$(' without ')'"},
      {"include nowhere.conf", "q.conf:1: cannot find 'nowhere.conf' to include"},
      {"listeners.ssl.1 = 5671", "listeners.ssl needs ssl_options.certfile and ssl_options.keyfile"},
      {"ssl_options.verify = verify_peer", "ssl_options.verify = verify_peer needs ssl_options.cacertfile"},
      {"ssl_options.fail_if_no_peer_cert = true",
       "ssl_options.fail_if_no_peer_cert = true needs ssl_options.verify = verify_peer"},
      {long_name, "cluster_name has more than 255 octets"},
  };
  for (const Row& row : rows) EXPECT_EQ(refusal(row.text), row.refusal) << row.text;
}

TEST(Config, ReadsTheFormatOfRabbitmqConf) {
  setenv("QUORATE_TEST_FOLDER", "/srv", 1);
  const Config config = read(
      "\xef\xbb\xbf# a comment\r\n"
      "  heartbeat=30   # and another\r\n"
      "heartbeat = 31\n"
      "default_user = 'a # b'\n"
      "default_pass = '''it's'''\n"
      "default_vhost = 'two\nlines'\n"
      "max_message_size = 64MiB\n"
      "frame_max = 16kB\n"
      "max_connections = infinity\n"
      "channel_max_per_node = 7\n"
      "data_dir = $(QUORATE_TEST_FOLDER)/q\n"
      "shards = 3\n"
      "anonymous_login_user = none\n"
      "log.file = false\n"
      "vm_memory_high_watermark.relative = 0.25\n"
      "vm_memory_high_watermark.absolute = 2GB\n"
      "disk_free_limit.relative = 1.5\n"
      "total_memory_available_override_value = 4GiB\n"
      "ssl_cert_login_from = common_name");
  EXPECT_EQ(config.alarms, (alarms::Limits{.memory_relative = 0.25,
                                           .memory_absolute = 2'000'000'000,
                                           .disk_relative = 1.5,
                                           .disk_absolute = {},
                                           .total_memory = 4ull << 30}));
  EXPECT_EQ(config.heartbeat, std::chrono::seconds(31));
  EXPECT_EQ(config.default_user, "a # b");
  EXPECT_EQ(config.default_pass, "it's");
  EXPECT_EQ(config.default_vhost, "two\nlines");
  EXPECT_EQ(config.message_size_max_bytes, 64u << 20);
  EXPECT_EQ(config.frame_max_bytes, 16'000u);
  EXPECT_EQ(config.connection_max, kUnlimited);
  EXPECT_EQ(config.channel_max_per_node, 7u);
  EXPECT_EQ(config.data_dir, "/srv/q");
  EXPECT_EQ(config.shards, 3u);
  EXPECT_EQ(config.anonymous_login_user, "");
  EXPECT_EQ(config.certificate_login_from, CertificateName::common_name);
}

TEST(Config, CountsTheLinesOfAQuotedValue) {
  EXPECT_EQ(refusal("default_user = 'a\nb\nc'\nx = 1").substr(0, 9), "q.conf:4:");
}

TEST(Config, ReadsListeners) {
  using Listeners = std::vector<ListenAddress>;
  EXPECT_EQ(read("").tcp_listeners, (Listeners{{"default", "", 5672}}));
  EXPECT_EQ(read("listeners.tcp = none").tcp_listeners, Listeners{});
  EXPECT_EQ(read("listeners.tcp.1 = 127.0.0.1:1\nlisteners.tcp.b\\.c = [::1]:2\nlisteners.tcp.1 = 3").tcp_listeners,
            (Listeners{{"b.c", "::1", 2}, {"1", "", 3}}));
  EXPECT_EQ(read("listeners.ssl.default = 5671\nssl_options.certfile = c\nssl_options.keyfile = k").tls_listeners,
            (Listeners{{"default", "", 5671}}));
}

TEST(Config, ReplacesAListAtItsFirstLine) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(read("auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL").auth_mechanisms,
            (Words{"PLAIN", "EXTERNAL"}));
  EXPECT_EQ(read("loopback_users = none").loopback_users, Words{});
  EXPECT_EQ(read("loopback_users.guest = false").loopback_users, Words{});
  EXPECT_EQ(read("loopback_users.ann = true\nloopback_users.bob = true").loopback_users, (Words{"ann", "bob"}));
  EXPECT_EQ(read("default_user_tags.monitoring = true").default_user_tags, Words{"monitoring"});
}

TEST(Config, AcceptsKeysWithoutMeaningHereAndSaysSo) {
  const auto loaded = parse_config("net_ticktime = 60\nmqtt.listeners.tcp.1 = 1883\nlog.queue.file = q.log", "q.conf");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text;
  EXPECT_EQ(loaded->warnings,
            (std::vector<std::string>{
                "q.conf:1: 'net_ticktime' is accepted without effect: concerns the Erlang runtime or an old store of "
                "RabbitMQ; Quorate has neither",
                "q.conf:2: 'mqtt.listeners.tcp.1' is accepted without effect: only AMQP 0-9-1 is built yet",
                "q.conf:3: 'log.queue.file' is accepted without effect: this operations setting is not built yet"}));
  EXPECT_EQ(loaded->config, Config{});
}

TEST(Config, TakesPauseMinorityForThePartitionHandlingThatAsksForNodes) {
  const auto loaded = parse_config(
      "cluster_partition_handling = pause_if_all_down\n"
      "cluster_partition_handling.pause_if_all_down.recover = autoheal\n"
      "cluster_partition_handling.pause_if_all_down.nodes.1 = rabbit@n1\n",
      "q.conf");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text;
  EXPECT_EQ(loaded->config.cluster.partition_handling, PartitionHandling::pause_minority);
  ASSERT_EQ(loaded->warnings.size(), 3u);
  EXPECT_EQ(loaded->warnings.front(),
            "q.conf:1: 'cluster_partition_handling = pause_if_all_down' is taken for pause_minority: a majority of the "
            "cluster decides, whichever nodes are named");
  EXPECT_EQ(parse_config("cluster_partition_handling = pause", "q.conf").error().text,
            "q.conf:1: cluster_partition_handling: expected one of pause_minority, ignore, autoheal, found 'pause'");
}

TEST(Config, LetsAssignmentsWinOverTheFile) {
  const auto loaded = parse_config("heartbeat = 1\n", "q.conf", {"heartbeat=2", "heartbeat = 3"});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text;
  EXPECT_EQ(loaded->config.heartbeat, std::chrono::seconds(3));
  EXPECT_EQ(parse_config("", "q.conf", {"heartbeat=x"}).error().text,
            "--set: heartbeat: expected a number from 0 to 65535, found 'x'");
  EXPECT_EQ(parse_config("", "q.conf", {"heartbeat"}).error().text, "--set heartbeat: expected key=value");
}

TEST(Config, NeverRepeatsASecret) {
  Config config;
  config.default_pass = config.tls.key_password = config.anonymous_login_pass = "hunter2";
  EXPECT_EQ(print_config(config).find("hunter2"), std::string::npos);
  EXPECT_EQ(refusal("default_pass = ''"), "q.conf:1: default_pass: expected a value");
}

TEST(Config, ReadsBackWhatItPrints) {
  EXPECT_EQ(read(print_config(Config{})), Config{});
  const Config changed = read(
      "listeners.tcp = none\nloopback_users = none\ndefault_user_tags.none = false\ndefault_user = 'a # b'\n"
      "ssl_options.versions.1 = tlsv1.3\nssl_options.ciphers.1 = X\nlog.queue.level = notice\nmax_connections = 5\n"
      "default_vhost = '''it's'''\nlog.file = q.log\nshards = 2\nanonymous_login_user = none");
  EXPECT_EQ(read(print_config(changed)), changed);
}

TEST(Config, ReadsFoldersAndIncludes) {
  const storage::TestDirectory folder;
  std::filesystem::create_directory(folder / "more");
  std::ofstream(folder / "10.conf") << "heartbeat = 1\nshards = 1\ninclude more/*.conf\n";
  std::ofstream(folder / "20.conf") << "shards = 2\n";
  std::ofstream(folder / "20.txt") << "shards = 9\n";
  std::ofstream(folder / "more/a.conf") << "heartbeat = 7\n";
  const auto loaded = load_config(folder.path());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text;
  EXPECT_EQ(loaded->config.heartbeat, std::chrono::seconds(7));
  EXPECT_EQ(loaded->config.shards, 2u);
  EXPECT_TRUE(loaded->config.node_name.starts_with("rabbit@"));
  EXPECT_EQ(loaded->config.cluster_name, "");
  std::ofstream(folder / "30.conf") << "include 30.conf\n";
  EXPECT_TRUE(load_config(folder.path()).error().text.ends_with("too many files include each other"));
  EXPECT_EQ(load_config("/nowhere/q.conf").error().text, "/nowhere/q.conf: cannot read the configuration file");
}

TEST(Config, TranslatesLogSettings) {
  const log::Options both =
      log_options(read("log.dir = /l\nlog.file = q.log\nlog.file.level = debug\nlog.connection.level = error"));
  EXPECT_EQ(both.file, "/l/q.log");
  EXPECT_EQ(both.level, log::Level::debug);
  EXPECT_EQ(both.category_levels[static_cast<std::size_t>(log::Category::connection)], log::Level::error);
  EXPECT_EQ(log_options(read("log.console.level = warning")).level, log::Level::warning);
}

TEST(Config, SurvivesEveryCutOfAFile) {
  const std::string_view whole =
      "a.b = 'x\ny'\nheartbeat = $(HOME)\ninclude no*\nlisteners.tcp.a\\.b = [::1]:5\nshards = '''2''' # c\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    (void)parse_config(whole.substr(0, length), "q.conf").has_value();
  }
}

TEST(ConfigKeys, AreSortedUniqueAndDocumented) {
  const auto keys = config_keys();
  const auto inert = inert_config_keys();
  EXPECT_TRUE(std::ranges::is_sorted(keys, {}, &ConfigKey::name));
  EXPECT_TRUE(std::ranges::is_sorted(inert, {}, &InertKey::name));
  EXPECT_EQ(std::ranges::adjacent_find(keys, {}, &ConfigKey::name), keys.end());
  EXPECT_EQ(std::ranges::adjacent_find(inert, {}, &InertKey::name), inert.end());
  for (const ConfigKey& key : keys) {
    EXPECT_TRUE(key.doc.ends_with(".")) << key.name;
    for (const InertKey& other : inert) EXPECT_NE(key.name, other.name);
  }
}

TEST(ConfigKeys, PrintsThePageOfTheReference) {
  const std::filesystem::path page = std::filesystem::path(QUORATE_SOURCE_DIR) / "docs/reference/config.md";
  EXPECT_EQ(read_page(page), config_reference())
      << "rewrite it: build/dev/bin/quorate --print-reference config > docs/reference/config.md";
}

TEST(CommandLine, KeepsAssignmentsInOrderAndTheDataFolderLast) {
  const auto outcome =
      parse_command_line({"--data-dir", "/d", "--set", "heartbeat=1", "--config=q.conf", "--set", "data_dir=/e"});
  ASSERT_TRUE(outcome.start.has_value()) << outcome.text;
  EXPECT_EQ(outcome.start->config_file, "q.conf");
  EXPECT_EQ(outcome.start->assignments, (std::vector<std::string>{"heartbeat=1", "data_dir=/e", "data_dir=/d"}));
}

TEST(CommandLine, AnswersHelpVersionAndMistakes) {
  const auto help = parse_command_line({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("--data-dir"), std::string::npos);
  EXPECT_NE(help.text.find("listeners.tcp.$name"), std::string::npos);
  EXPECT_EQ(parse_command_line({"--version"}).text, "quorate " QUORATE_VERSION "\n");
  EXPECT_EQ(parse_command_line({"--print-reference", "config"}).start->reference, "config");
  EXPECT_EQ(parse_command_line({"--print-reference", "poems"}).exit_code, 2);
  EXPECT_EQ(parse_command_line({"--frobnicate"}).exit_code, 2);
  EXPECT_EQ(parse_command_line({"stray"}).exit_code, 2);
}

}  // namespace quorate
