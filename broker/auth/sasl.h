// SASL at the door of a connection: which mechanisms are offered, and whom a response claims to be (features.md
// P008–P013). Pure: nobody is looked up and no password is compared here; the session does that with the Credentials.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace quorate::auth {

struct Credentials {
  enum class Kind : std::uint8_t {
    password,  // compare `password` with the user's hash
    external,  // TLS has proved the name; there is no password
  };
  Kind kind = Kind::password;
  std::string user;
  std::string password;
  bool operator==(const Credentials&) const = default;
};

/// What decides which mechanisms this connection is offered. Borrowed for the call.
struct SaslOptions {
  struct Login {
    std::string_view user;
    std::string_view password;
  };
  std::span<const std::string> mechanisms;  // auth_mechanisms, in the order of the configuration
  std::optional<Login> anonymous_login;     // anonymous_login_user and _pass; none turns ANONYMOUS off
  bool is_tls = false;                      // EXTERNAL is offered on TLS only
  std::optional<std::string_view> peer_name =
      {};  // from the peer's certificate (ssl_cert_login_from); none = no certificate
};

struct SaslError {
  enum class Kind : std::uint8_t {
    unknown_mechanism,  // COMMAND_INVALID
    malformed,          // SYNTAX_ERROR
    refused,            // ACCESS_REFUSED: the client is told login_refusal(), `text` is for the log
  };
  Kind kind = Kind::malformed;
  std::string text;
  bool operator==(const SaslError&) const = default;
};

/// The longstr of connection.start: "PLAIN AMQPLAIN ANONYMOUS".
std::string offered_mechanisms(const SaslOptions& options);

std::expected<Credentials, SaslError> parse_response(std::string_view mechanism, ByteView response,
                                                     const SaslOptions& options);

/// What a refused client is told, whatever the reason.
std::string login_refusal(std::string_view mechanism);

}  // namespace quorate::auth
