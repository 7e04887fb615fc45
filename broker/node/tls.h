// TLS of the AMQP listeners: a context made from the configuration, and whom a client's certificate names.
#pragma once
#include <optional>
#include <string>

#include "base/result.h"
#include "broker/amqp/connection.h"
#include "broker/node/config.h"

namespace quorate {

/// Reads the files anew, so that calling it again is how certificates are reloaded. The error names the file.
Result<amqp::TlsContext> make_tls_context(const TlsOptions& options);

/// The login name in a peer's certificate as ssl_cert_login_from says; nothing without a certificate or such a name.
std::optional<std::string> certificate_name(SSL* connection, const Config& config);

}  // namespace quorate
