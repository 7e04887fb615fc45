// What every connection of the plane has in common, at both ends: credentials, the secret, and how soon a silent peer
// is noticed and a returned one dialled again. Immutable after construction.
#pragma once
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "cluster/plane/plane_options.h"

namespace quorate::cluster {

inline constexpr char kCarryMethod[] = "/quorate.proto.Plane/Carry";
inline constexpr char kAskMethod[] = "/quorate.proto.Plane/Ask";

class Dialer {
 public:
  explicit Dialer(const PlaneOptions& options) : options_(options) {}
  /// Reads the certificates; from here on what gRPC has to say goes through our log.
  Result<void> load();

  /// A connection of its own; dialled when the first call is made.
  std::shared_ptr<grpc::Channel> dial(const std::string& host, std::uint16_t port) const;
  void sign(grpc::ClientContext& context) const;

  std::shared_ptr<grpc::ServerCredentials> server_credentials() const;
  static void set_server_arguments(grpc::ServerBuilder& builder);
  bool is_signed(const grpc::ServerContext& context) const;
  /// As the caller calls itself, be it true or not; empty when it says nothing that fits into a line of the log.
  static std::string caller_name(const grpc::ServerContext& context);

 private:
  const PlaneOptions& options_;
  std::string authority_;
  std::string certificate_;
  std::string key_;
};

}  // namespace quorate::cluster
