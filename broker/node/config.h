// What an operator may decide about a node: plain fields with their defaults. Each field has one row in config_keys.cc,
// from which come the parser of rabbitmq.conf's format, --help and docs/reference/config.md.
// Only broker/node knows Config; every component below takes its own Options.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "broker/alarms/limits.h"
#include "cluster/seed.h"

namespace quorate {

/// What `infinity` means to a limit.
inline constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

/// What `none` means to a port.
inline constexpr std::uint32_t kNoPort = 65'536;

/// One line `listeners.tcp.<name> = <address>`.
struct ListenAddress {
  std::string name = "default";
  std::string host;  // empty = every address of the machine, IPv6 and IPv4
  std::uint16_t port = 0;
  bool operator==(const ListenAddress&) const = default;
};

enum class PeerVerification : std::uint8_t { none, peer };
enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };
enum class CertificateName : std::uint8_t { distinguished_name, common_name, subject_alternative_name };
enum class AlternativeNameType : std::uint8_t { dns, ip, email, uri, other_name };

/// `ssl_options.*`: the certificates of the node and what it asks of a client's.
struct TlsOptions {
  std::string ca_certificate_file;
  std::string certificate_file;
  std::string key_file;
  std::string key_password;  // secret: no dump shows it
  PeerVerification verify = PeerVerification::none;
  bool fail_if_no_peer_certificate = false;
  std::uint32_t depth = 1;
  std::vector<TlsVersion> versions = {TlsVersion::tls1_3, TlsVersion::tls1_2};
  std::vector<std::string> ciphers;  // empty = OpenSSL's default; OpenSSL's names
  bool honor_cipher_order = true;
  bool operator==(const TlsOptions&) const = default;
};

/// `tcp_listen_options.*`: set on each listening socket and on what it accepts.
struct SocketOptions {
  std::uint32_t backlog = 128;
  bool nodelay = true;
  bool keepalive = false;
  std::uint32_t send_buffer_bytes = 0;     // 0 = the operating system's choice
  std::uint32_t receive_buffer_bytes = 0;  // 0 = the operating system's choice
  bool operator==(const SocketOptions&) const = default;
};

struct LogOptions {
  bool console = true;
  log::Level console_level = log::Level::info;
  log::Format format = log::Format::text;
  std::string directory;  // where a relative `file` is put; empty = the working directory
  std::string file;       // empty = none
  log::Level file_level = log::Level::info;
  // A category's level can only make it quieter than the outputs; debug = as the outputs say.
  log::Level default_level = log::Level::debug;
  log::Level connection_level = log::Level::debug;
  log::Level channel_level = log::Level::debug;
  log::Level queue_level = log::Level::debug;
  log::Level storage_level = log::Level::debug;
  log::Level user_level = log::Level::debug;
  bool operator==(const LogOptions&) const = default;
};

enum class PartitionHandling : std::uint8_t {
  pause_minority,  // without a majority: no clients, until it is back
  ignore,          // serve what needs no majority
  autoheal,        // as ignore: Raft leaves nothing to heal by discarding
};

/// Where a node that belongs to no cluster yet looks for others.
enum class PeerDiscovery : std::uint8_t {
  list,  // cluster_formation.classic_config
  dns,   // behind a host name
};

/// How this node meets the others of its cluster.
struct ClusterOptions {
  std::string listen_host;  // empty = all addresses; on loopback only without TLS and secret
  std::uint16_t port = 25'672;
  std::string secret;  // secret: no dump shows it
  std::string ca_certificate_file;
  std::string certificate_file;
  std::string key_file;
  PeerDiscovery discovery = PeerDiscovery::list;
  std::vector<cluster::Seed> seeds;
  std::string discovery_hostname;  // of PeerDiscovery::dns
  std::uint32_t founders_min = 3;  // of PeerDiscovery::dns: so many found a cluster together, or more
  PartitionHandling partition_handling = PartitionHandling::pause_minority;
  std::uint32_t initial_quorum_size = 3;  // members of a quorum queue that does not say otherwise
  bool operator==(const ClusterOptions&) const = default;

  /// How many nodes the cluster is to have.
  std::size_t target_size() const {
    return discovery == PeerDiscovery::dns ? founders_min : std::max<std::size_t>(seeds.size(), 1);
  }
  /// Something was said about other nodes; without it nothing listens for them.
  bool has_others() const {
    return !(listen_host.empty() && secret.empty() && certificate_file.empty() && key_file.empty() &&
             ca_certificate_file.empty() && seeds.empty() && discovery == PeerDiscovery::list);
  }
};

struct Config {
  // --- the node ---
  std::string node_name;     // load_config fills in rabbit@<host name>
  std::string cluster_name;  // given to the cluster at each start; empty: it keeps what it has
  std::string data_dir = "/var/lib/quorate";
  std::uint32_t shards = 0;  // 0 = auto: one per core

  ClusterOptions cluster;
  std::map<std::string, std::string> node_tags;         // "zone" is where queues' members spread over
  bool balances_leaders = false;                        // of new queues: else they begin on the client's node
  std::chrono::seconds leader_rebalancing_interval{0};  // 0 = never
  std::uint32_t leader_rebalancing_transfers = 5;       // in each

  // --- listeners ---
  std::vector<ListenAddress> tcp_listeners = {{.name = "default", .host = "", .port = 5672}};
  std::vector<ListenAddress> tls_listeners;
  SocketOptions sockets;
  TlsOptions tls;
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds tls_handshake_timeout{5'000};
  std::string management_ip = "::";        // "::" = every address of the machine, IPv6 and IPv4
  std::uint32_t management_port = 15'672;  // 0 = a free one; kNoPort = no HTTP listener

  // --- who may come in ---
  std::vector<std::string> auth_mechanisms = {"PLAIN", "AMQPLAIN", "ANONYMOUS"};
  std::string anonymous_login_user = "guest";  // empty = nobody logs in anonymously
  std::string anonymous_login_pass = "guest";  // secret: no dump shows it
  CertificateName certificate_login_from = CertificateName::distinguished_name;
  AlternativeNameType certificate_login_name_type = AlternativeNameType::dns;
  std::uint32_t certificate_login_name_index = 0;
  std::vector<std::string> loopback_users = {"guest"};

  // --- what the first start creates ---
  std::string default_vhost = "/";
  std::string default_user = "guest";
  std::string default_pass = "guest";  // secret: no dump shows it
  std::vector<std::string> default_user_tags = {"administrator"};
  std::string default_permission_configure = ".*";
  std::string default_permission_write = ".*";
  std::string default_permission_read = ".*";
  std::string default_queue_type = "classic";
  bool relaxed_redeclaration = false;  // of a quorum queue as a classic one

  // --- what AMQP clients are offered, and limits ---
  std::chrono::seconds heartbeat{60};  // 0 = off
  std::uint32_t frame_max_bytes = 131'072;
  std::uint32_t initial_frame_max_bytes = 8'192;
  std::uint32_t channel_max = 2'047;  // per connection; 0 = no limit but the protocol's 65535
  std::uint32_t channel_max_per_node = kUnlimited;
  std::uint32_t connection_max = kUnlimited;
  std::uint32_t consumer_max_per_channel = kUnlimited;
  std::uint32_t consumer_timeout_ms = 1'800'000;  // kUnlimited = any time
  std::uint64_t message_size_max_bytes = 16'777'216;

  // --- when publishers are blocked ---
  alarms::Limits alarms;

  LogOptions log;

  bool operator==(const Config&) const = default;
};

/// A configuration and what its author should be told: keys accepted without effect, and why.
struct LoadedConfig {
  Config config;
  std::vector<std::string> warnings;
};

/// Reads `file` (a rabbitmq.conf, or a folder of *.conf read in byte order; empty = none), then applies `assignments`
/// ("key=value", later ones win). The first mistake is the error, as "FILE:LINE: what is wrong and what is expected".
Result<LoadedConfig> load_config(const std::string& file, const std::vector<std::string>& assignments = {});

/// The same for text at hand; `name` stands for the file in messages.
Result<LoadedConfig> parse_config(std::string_view text, const std::string& name,
                                  const std::vector<std::string>& assignments = {});

/// The configuration as text that parse_config reads back, one key per line; secrets are left out.
std::string print_config(const Config& config);

/// Those log settings in the words of base/log.h.
log::Options log_options(const Config& config);

}  // namespace quorate
