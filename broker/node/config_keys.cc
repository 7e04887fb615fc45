#include "broker/node/config_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "broker/node/config_values.h"

namespace quorate {
namespace {

using namespace config_values;

// --- kinds of row ----------------------------------------------------------------------------------------------------

/// field<&Config::tls, &TlsOptions::depth>(config) is config.tls.depth.
template <auto... kPath>
constexpr auto& field(auto& config) {
  return (config.*....*kPath);
}

/// listeners.tcp.$name with the operator's word in place of the last segment.
std::string with_item(std::string_view name, std::string_view item) {
  std::string key(name.substr(0, name.rfind('.') + 1));
  for (const char c : item) key.append(c == '.' ? "\\." : std::string(1, c));
  return key;
}

template <class Kind, auto... kPath>
constexpr ConfigKey one(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .set = [](Config& config, std::string_view,
                    std::string_view value) { return Kind::parse(value, field<kPath...>(config)); },
          .print =
              [](const Config& config, std::string_view key) {
                return std::vector{KeyValue{std::string(key), Kind::print(field<kPath...>(config))}};
              }};
}

constexpr ConfigKey secret(ConfigKey key) {
  key.secrecy = Secrecy::secret;
  return key;
}

/// Another spelling of a key: set the same, printed by the first one only.
constexpr ConfigKey alias(ConfigKey key) {
  key.print = nullptr;
  return key;
}

/// name.1 = value, name.2 = value …, in the order of the file.
template <class Kind, auto... kPath>
constexpr ConfigKey list(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .set = [](Config& config, std::string_view, std::string_view value) -> Accepted {
            typename std::remove_reference_t<decltype(field<kPath...>(config))>::value_type item{};
            if (auto accepted = Kind::parse(value, item); !accepted) return accepted;
            field<kPath...>(config).push_back(std::move(item));
            return {};
          },
          .clear = [](Config& config) { field<kPath...>(config).clear(); },
          .print =
              [](const Config& config, std::string_view key) {
                std::vector<KeyValue> lines;
                for (const auto& item : field<kPath...>(config)) {
                  lines.push_back({with_item(key, std::to_string(lines.size() + 1)), Kind::print(item)});
                }
                return lines;
              }};
}

/// name.word = true: the words that are true.
template <auto... kPath>
constexpr ConfigKey words(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .set = [](Config& config, std::string_view item, std::string_view value) -> Accepted {
            bool included = false;
            if (auto accepted = Flag::parse(value, included); !accepted) return accepted;
            if (included) field<kPath...>(config).emplace_back(item);
            return {};
          },
          .clear = [](Config& config) { field<kPath...>(config).clear(); },
          .print =
              [](const Config& config, std::string_view key) {
                std::vector<KeyValue> lines;
                for (const auto& item : field<kPath...>(config)) lines.push_back({with_item(key, item), "true"});
                if (lines.empty()) {
                  const Config defaults;
                  for (const auto& item : field<kPath...>(defaults)) lines.push_back({with_item(key, item), "false"});
                }
                return lines;
              }};
}

/// name.word = address.
template <auto... kPath>
constexpr ConfigKey listeners(std::string_view name, std::string_view doc) {
  ConfigKey key = list<Address, kPath...>(name, doc);
  key.set = [](Config& config, std::string_view item, std::string_view value) -> Accepted {
    ListenAddress address{.name = std::string(item), .host = "", .port = 0};
    if (auto accepted = Address::parse(value, address); !accepted) return accepted;
    field<kPath...>(config).push_back(std::move(address));
    return {};
  };
  key.print = [](const Config& config, std::string_view key_name) {
    std::vector<KeyValue> lines;
    for (const auto& address : field<kPath...>(config)) {
      lines.push_back({with_item(key_name, address.name), Address::print(address)});
    }
    if (lines.empty()) lines.push_back({std::string(key_name.substr(0, key_name.rfind('.'))), "none"});
    return lines;
  };
  return key;
}

/// name.tag = value.
template <auto... kPath>
constexpr ConfigKey tags(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .set = [](Config& config, std::string_view item, std::string_view value) -> Accepted {
            return Text::parse(value, field<kPath...>(config)[std::string(item)]);
          },
          .clear = [](Config& config) { field<kPath...>(config).clear(); },
          .print =
              [](const Config& config, std::string_view key) {
                std::vector<KeyValue> lines;
                for (const auto& [tag, value] : field<kPath...>(config)) lines.push_back({with_item(key, tag), value});
                return lines;
              }};
}

/// name = none: the list name.$ is empty.
template <auto... kPath>
constexpr ConfigKey none(std::string_view name, std::string_view doc) {
  return {.name = name, .doc = doc, .set = [](Config& config, std::string_view, std::string_view value) {
            if (value != kNone) return expected("none, or one line for each item");
            field<kPath...>(config).clear();
            return Accepted{};
          }};
}

/// A key that has only one meaning here: another value would weaken security or break clients, so it stops the start.
template <const auto& kValues>
constexpr ConfigKey fixed(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .set = [](Config&, std::string_view, std::string_view value) -> Accepted {
            if (std::ranges::find(kValues, value) != kValues.end()) return {};
            return expected(fmt::format("{}: nothing else is supported", kValues.front()));
          },
          .print =
              [](const Config&, std::string_view key) {
                std::string line(key);
                if (const auto open = line.find("$n"); open != std::string::npos) line.replace(open, 2, "1");
                return std::vector{KeyValue{std::move(line), std::string(kValues.front())}};
              }};
}

// --- the rows, sorted by name ----------------------------------------------------------------------------------------

using A = alarms::Limits;
using C = Config;
using K = ClusterOptions;
using L = LogOptions;
using S = SocketOptions;
using T = TlsOptions;
using FrameSize = Size<limits::kFrameMinBytes, (1ull << 31) - 1>;
using Milliseconds = Number<1, 86'400'000>;
using Level = OneOf<kLevels>;
using Bytes = OptionalSize<0, std::numeric_limits<std::uint64_t>::max()>;
using BufferSize = Size<0, 1ull << 30>;
using Port = NumberOr<0, 65'535, kNone, kNoPort>;
using Shards = NumberOr<1, 256, kAuto, 0>;

constexpr ConfigKey kKeys[] = {
    secret(one<Text, &C::anonymous_login_pass>("anonymous_login_pass", "Password of anonymous_login_user.")),
    one<TextOr<kNone>, &C::anonymous_login_user>(
        "anonymous_login_user", "The user that SASL ANONYMOUS logs in as; `none` refuses anonymous clients."),
    fixed<kInternal>("auth_backends.$n", "Where users are looked up: in this cluster's own database."),
    fixed<kInternal>("auth_backends.$n.authn", "The same for authentication alone."),
    fixed<kInternal>("auth_backends.$n.authz", "The same for authorisation alone."),
    list<OneOf<kMechanisms>, &C::auth_mechanisms>(
        "auth_mechanisms.$n", "SASL mechanisms offered: PLAIN, AMQPLAIN, ANONYMOUS, EXTERNAL (client certificate)."),
    one<Number<0, 65'535>, &C::channel_max>(
        "channel_max", "Channels that a connection may have open; 0 leaves the protocol's limit of 65535."),
    one<Limit, &C::channel_max_per_node>("channel_max_per_node",
                                         "Channels open on this node, all connections together."),
    one<Text, &C::cluster, &K::listen_host>(
        "cluster.listener.ip",
        "Address for the other nodes of the cluster. Without TLS and cluster.secret only this machine's own."),
    one<Number<1, 65'535>, &C::cluster, &K::port>("cluster.listener.port", "Port for the other nodes of the cluster."),
    secret(one<Text, &C::cluster, &K::secret>("cluster.secret", "What the nodes of a cluster know each other by.")),
    one<Text, &C::cluster, &K::ca_certificate_file>("cluster.ssl_options.cacertfile",
                                                    "PEM file of the authorities that sign the nodes' certificates."),
    one<Text, &C::cluster, &K::certificate_file>(
        "cluster.ssl_options.certfile", "PEM file of this node's certificate for the others; with it they use TLS."),
    one<Text, &C::cluster, &K::key_file>("cluster.ssl_options.keyfile", "PEM file of its private key."),
    list<Seed, &C::cluster, &K::seeds>(
        "cluster_formation.classic_config.nodes.$n",
        "The nodes that form the cluster, this one among them: the same list on every node."),
    one<Text, &C::cluster, &K::discovery_hostname>(
        "cluster_formation.dns.hostname",
        "Host name whose addresses are those of the nodes, with peer_discovery_backend = dns."),
    one<OneOf<kDiscoveries>, &C::cluster, &K::discovery>(
        "cluster_formation.peer_discovery_backend",
        "Where a node looks for others before it belongs to a cluster: classic_config, a list; dns, a host name."),
    one<Number<1, 64>, &C::cluster, &K::founders_min>(
        "cluster_formation.target_cluster_size_hint",
        "With dns: as many nodes, or more, found the cluster together; whoever comes later joins it."),
    one<Text, &C::cluster_name>(
        "cluster_name",
        "Name of the cluster, told to clients in server-properties. Each start of a node that has it sets "
        "it for all nodes. Without it, what set_cluster_name has set, else the first node."),
    one<OneOf<kPartitionHandlings>, &C::cluster, &K::partition_handling>(
        "cluster_partition_handling",
        "pause_minority: a node without a majority serves no clients until it is back; ignore: it serves what needs no "
        "majority; autoheal: the same as ignore, for there is nothing to heal by discarding; pause_if_all_down: taken "
        "for pause_minority, with a warning."),
    alias(one<Limit, &C::connection_max>("connection_max", "Another spelling of max_connections.")),
    one<Limit, &C::consumer_max_per_channel>("consumer_max_per_channel", "Consumers that a channel may have."),
    one<Timeout, &C::consumer_timeout_ms>(
        "consumer_timeout", "Milliseconds after which a delivery that was not settled goes to somebody else."),
    one<Text, &C::data_dir>("data_dir", "Folder of everything the node keeps. One process at a time may use it."),
    secret(one<Text, &C::default_pass>("default_pass", "Password of default_user.")),
    one<Text, &C::default_permission_configure>(
        "default_permissions.configure", "What default_user may declare and delete: a regular expression over names."),
    one<Text, &C::default_permission_read>("default_permissions.read", "What default_user may consume from."),
    one<Text, &C::default_permission_write>("default_permissions.write", "What default_user may publish to."),
    one<OneOf<kQueueTypes>, &C::default_queue_type>(
        "default_queue_type",
        "Type of a queue declared without x-queue-type where its virtual host names none either; an exclusive, "
        "auto-delete or transient one is always classic."),
    one<Text, &C::default_user>("default_user", "User created when the node starts on an empty data folder."),
    words<&C::default_user_tags>("default_user_tags.$tag", "Tags of default_user."),
    one<Text, &C::default_vhost>("default_vhost", "Virtual host created when the node starts on an empty data folder."),
    one<Bytes, &C::alarms, &A::disk_absolute>(
        "disk_free_limit.absolute",
        "Publishers are blocked while the volume of data_dir has less free; 50MB when neither is set."),
    one<Share<100>, &C::alarms, &A::disk_relative>(
        "disk_free_limit.relative", "The same as a multiple of the memory available; disk_free_limit.absolute wins."),
    one<FrameSize, &C::frame_max_bytes>("frame_max", "Largest AMQP frame that is negotiated."),
    one<Milliseconds, &C::handshake_timeout>(
        "handshake_timeout", "Milliseconds from accepting a client until it has opened its virtual host."),
    one<Number<0, 65'535>, &C::heartbeat>("heartbeat",
                                          "Seconds between heartbeats suggested to clients; 0 suggests none."),
    one<FrameSize, &C::initial_frame_max_bytes>("initial_frame_max", "Largest frame before the client has logged in."),
    one<NumberOr<1, 86'400, kNone, 0>, &C::leader_rebalancing_interval>(
        "leader_rebalancing.interval",
        "Seconds between looks whether a node leads clearly more than its share of quorum queues; `none`: leaders "
        "stay."),
    one<Number<1, 1'000>, &C::leader_rebalancing_transfers>("leader_rebalancing.transfers",
                                                            "Leaders that one such look moves at most."),
    none<&C::tls_listeners>("listeners.ssl", "`none`: no TLS listener."),
    listeners<&C::tls_listeners>("listeners.ssl.$name",
                                 "Address for AMQP over TLS, usually port 5671: `port`, `ip:port`, `[ipv6]:port`, or "
                                 "`host:port` for all addresses of a host name."),
    none<&C::tcp_listeners>("listeners.tcp", "`none`: no listener without TLS."),
    listeners<&C::tcp_listeners>(
        "listeners.tcp.$name",
        "Address for AMQP: `port`, `ip:port`, `[ipv6]:port`, or `host:port` for all addresses of a host name."),
    one<Level, &C::log, &L::channel_level>("log.channel.level", "Least severe line about channels that is written."),
    one<Level, &C::log, &L::connection_level>("log.connection.level",
                                              "Least severe line about connections that is written."),
    one<Flag, &C::log, &L::console>("log.console", "Write the log to standard output."),
    one<OneOf<kFormats>, &C::log, &L::format>("log.console.formatter", "plaintext, or json: one object per line."),
    one<Level, &C::log, &L::console_level>("log.console.level",
                                           "Least severe line: debug, info, warning, error, critical or none."),
    one<Level, &C::log, &L::default_level>("log.default.level", "Least severe line of no other category."),
    one<Text, &C::log, &L::directory>("log.dir", "Folder of log.file when that is a relative path."),
    one<TextOr<kFalse>, &C::log, &L::file>("log.file", "Also write the log to this file; `false`: to no file."),
    one<Level, &C::log, &L::file_level>(
        "log.file.level", "Least severe line in the file. With a console as well, the more detailed holds."),
    one<Level, &C::log, &L::queue_level>("log.queue.level", "Least severe line about queues that is written."),
    one<Level, &C::log, &L::storage_level>("log.storage.level",
                                           "Least severe line about the log database that is written."),
    one<Level, &C::log, &L::user_level>(
        "log.user.level", "Least severe line about users, and about what operators change, that is written."),
    none<&C::loopback_users>("loopback_users", "`none`: every user may log in from everywhere."),
    words<&C::loopback_users>("loopback_users.$user", "Users that may log in only from this machine."),
    alias(one<Ip, &C::management_ip>("management.listener.ip", "Another spelling of management.tcp.ip.")),
    alias(one<Port, &C::management_port>("management.listener.port", "Another spelling of management.tcp.port.")),
    one<Ip, &C::management_ip>("management.tcp.ip", "Address for the HTTP API; `::`: every address of the machine."),
    one<Port, &C::management_port>("management.tcp.port",
                                   "Port for the HTTP API; `none`: no HTTP listener, 0: a free port."),
    alias(one<Number<0, 65'535>, &C::channel_max>("max_channels_per_connection", "Another spelling of channel_max.")),
    one<Limit, &C::connection_max>("max_connections", "Client connections open on this node."),
    one<Size<0, limits::kBodySizeMaxBytes>, &C::message_size_max_bytes>(
        "max_message_size", "Largest body of a message; a larger one closes its channel."),
    one<Text, &C::node_name>("node_name", "Name of this node in its cluster. Without it, rabbit@ and the host's name."),
    tags<&C::node_tags>("node_tags.$tag",
                        "What is to be known of this node. `zone`: members of a queue go to nodes of different zones."),
    fixed<kSha256>("password_hashing_module", "How passwords are stored: salted SHA-256."),
    fixed<kOff>("proxy_protocol", "The PROXY protocol in front of AMQP."),
    one<OneOf<kLocators>, &C::balances_leaders>("queue_leader_locator",
                                                "Where a queue without x-queue-leader-locator begins: "
                                                "client-local, on its client's node; balanced, on the "
                                                "one that the fewest of its type began with."),
    one<Number<1, 7>, &C::cluster, &K::initial_quorum_size>(
        "quorum_queue.initial_cluster_size",
        "Members of a quorum queue that does not name x-quorum-initial-group-size."),
    one<Flag, &C::relaxed_redeclaration>(
        "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
        "A quorum queue may be declared again as a classic one; of its arguments only limits, TTL, expiry, "
        "dead-lettering and single active consumer must be the same."),
    one<Shards, &C::shards>("shards", "Threads that share connections and queues; `auto`: one per core it may use."),
    one<OneOf<kCertificateNames>, &C::certificate_login_from>(
        "ssl_cert_login_from",
        "The part of a client's certificate that is its user name: distinguished_name, common_name or "
        "subject_alternative_name."),
    one<Number<0, 255>, &C::certificate_login_name_index>("ssl_cert_login_san_index",
                                                          "Which alternative name of that type, from 0."),
    one<OneOf<kAlternativeNames>, &C::certificate_login_name_type>(
        "ssl_cert_login_san_type", "Type of alternative name: dns, ip, email, uri or other_name."),
    one<Milliseconds, &C::tls_handshake_timeout>("ssl_handshake_timeout", "Milliseconds for the TLS handshake."),
    one<Text, &C::tls, &T::ca_certificate_file>("ssl_options.cacertfile",
                                                "PEM file of the authorities that sign clients' certificates."),
    one<Text, &C::tls, &T::certificate_file>("ssl_options.certfile",
                                             "PEM file of the node's certificate, followed by its chain."),
    list<Text, &C::tls, &T::ciphers>("ssl_options.ciphers.$n",
                                     "Cipher suites by OpenSSL's names. Without it, OpenSSL's default."),
    fixed<kOff>("ssl_options.crl_check", "Revocation lists."),
    one<Number<0, 255>, &C::tls, &T::depth>("ssl_options.depth",
                                            "Intermediate certificates allowed in a client's chain."),
    one<Flag, &C::tls, &T::fail_if_no_peer_certificate>("ssl_options.fail_if_no_peer_cert",
                                                        "Refuse a client without a certificate; needs verify_peer."),
    one<Flag, &C::tls, &T::honor_cipher_order>("ssl_options.honor_cipher_order",
                                               "Choose the cipher suite by the node's order, not the client's."),
    one<Text, &C::tls, &T::key_file>("ssl_options.keyfile", "PEM file of the private key of certfile."),
    secret(one<Text, &C::tls, &T::key_password>("ssl_options.password", "Password of keyfile.")),
    one<OneOf<kVerifications>, &C::tls, &T::verify>(
        "ssl_options.verify", "verify_peer: check the client's certificate; verify_none: do not ask for one."),
    list<OneOf<kTlsVersions>, &C::tls, &T::versions>("ssl_options.versions.$n", "TLS versions: tlsv1.2, tlsv1.3."),
    one<Number<1, 65'535>, &C::sockets, &S::backlog>("tcp_listen_options.backlog",
                                                     "Connections that wait to be accepted."),
    one<Flag, &C::sockets, &S::keepalive>("tcp_listen_options.keepalive", "TCP keepalive on clients' sockets."),
    one<Flag, &C::sockets, &S::nodelay>("tcp_listen_options.nodelay", "TCP_NODELAY on clients' sockets."),
    one<BufferSize, &C::sockets, &S::receive_buffer_bytes>(
        "tcp_listen_options.recbuf", "Receive buffer of clients' sockets; 0: the operating system's choice."),
    one<BufferSize, &C::sockets, &S::send_buffer_bytes>(
        "tcp_listen_options.sndbuf", "Send buffer of clients' sockets; 0: the operating system's choice."),
    one<Bytes, &C::alarms, &A::total_memory>(
        "total_memory_available_override_value",
        "The memory available, in place of the least of the machine's and the limits of its cgroups."),
    one<Bytes, &C::alarms, &A::memory_absolute>(
        "vm_memory_high_watermark.absolute",
        "Publishers are blocked while the process uses more memory, pages of files not counted; wins over "
        "vm_memory_high_watermark.relative."),
    one<Share<1>, &C::alarms, &A::memory_relative>("vm_memory_high_watermark.relative",
                                                   "The same as a share of the memory available; 0 blocks at once."),
};

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

}  // namespace quorate
