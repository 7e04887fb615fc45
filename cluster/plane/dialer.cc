#include "cluster/plane/dialer.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace quorate::cluster {
namespace {

// gRPC answers what is larger with an error. One entry may carry the largest body there is.
constexpr int kMessageMaxBytes = static_cast<int>(limits::kBodySizeMaxBytes + (64u << 20));

constexpr char kSecretKey[] = "quorate-secret-bin";  // "-bin": any octets
constexpr char kNameKey[] = "quorate-name-bin";
constexpr std::size_t kNameMaxBytes = 255;

// A peer that is silent for so long in spite of our ping is gone. Milliseconds.
constexpr int kKeepaliveIntervalMs = 1000;
constexpr int kKeepaliveTimeoutMs = 2000;
// gRPC's least time between attempts is also how long one may take.
constexpr int kConnectTimeoutMs = 1000;
constexpr int kConnectBackoffFirstMs = 50;
constexpr int kConnectBackoffMaxMs = 250;
constexpr int kResolveIntervalMs = 1000;

/// The same for both ends; `Target` is a ChannelArguments or a ServerBuilder.
template <class Set>
void set_keepalive(Set set) {
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveIntervalMs);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) return failure(ErrorCode::io, fmt::format("cannot read {}", path));
  if (content.empty()) return failure(ErrorCode::io, fmt::format("{} is empty or cannot be read", path));
  return content;
}

/// What gRPC says by itself would go to stderr; what matters of it we say in our own words.
void log_for_grpc(gpr_log_func_args* said) { log::debug(log::Category::cluster, "grpc text=\"{}\"", said->message); }

/// Takes as long for a wrong guess as for a right one of the same length.
bool is_same_secret(const std::string& ours, grpc::string_ref theirs) {
  if (ours.size() != theirs.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(ours[i]) ^ static_cast<unsigned char>(theirs.data()[i])));
  }
  return difference == 0;
}

}  // namespace

Result<void> Dialer::load() {
  gpr_set_log_function(log_for_grpc);
  if (!options_.tls) return {};
  const std::pair<const std::string*, std::string*> files[] = {{&options_.tls->cacertfile, &authority_},
                                                               {&options_.tls->certfile, &certificate_},
                                                               {&options_.tls->keyfile, &key_}};
  for (const auto& [path, content] : files) {
    auto read = read_file(*path);
    if (!read) return std::unexpected(read.error());
    *content = std::move(*read);
  }
  return {};
}

std::shared_ptr<grpc::Channel> Dialer::dial(const std::string& host, std::uint16_t port) const {
  grpc::ChannelArguments arguments;
  set_keepalive([&](const char* name, int value) { arguments.SetInt(name, value); });
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kConnectBackoffFirstMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kConnectBackoffMaxMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kResolveIntervalMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // a question may not be asked twice
  arguments.SetMaxReceiveMessageSize(kMessageMaxBytes);
  arguments.SetMaxSendMessageSize(kMessageMaxBytes);
  const auto credentials =
      options_.tls ? grpc::SslCredentials(
                         {.pem_root_certs = authority_, .pem_private_key = key_, .pem_cert_chain = certificate_})
                   : grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel("dns:///" + print_address(host, port), credentials, arguments);
}

void Dialer::sign(grpc::ClientContext& context) const {
  if (!options_.secret.empty()) context.AddMetadata(kSecretKey, options_.secret);
  if (!options_.node_name.empty()) context.AddMetadata(kNameKey, options_.node_name);
}

std::shared_ptr<grpc::ServerCredentials> Dialer::server_credentials() const {
  if (!options_.tls) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = authority_;
  options.pem_key_cert_pairs.push_back({.private_key = key_, .cert_chain = certificate_});
  return grpc::SslServerCredentials(options);
}

void Dialer::set_server_arguments(grpc::ServerBuilder& builder) {
  set_keepalive([&](const char* name, int value) { builder.AddChannelArgument(name, value); });
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepaliveIntervalMs / 2);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);  // peers ping as often as we do
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMessageMaxBytes);
  builder.SetMaxSendMessageSize(kMessageMaxBytes);
}

bool Dialer::is_signed(const grpc::ServerContext& context) const {
  if (options_.secret.empty()) return true;
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kSecretKey);
  return found != metadata.end() && is_same_secret(options_.secret, found->second);
}

std::string Dialer::caller_name(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kNameKey);
  if (found == metadata.end() || found->second.size() > kNameMaxBytes) return "";
  const std::string name(found->second.data(), found->second.size());
  const bool is_plain = std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '"'; });
  return is_plain ? name : "";
}

}  // namespace quorate::cluster
