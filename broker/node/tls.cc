#include "broker/node/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace quorate {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

struct FreeOpenSsl {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::unexpected<Error> refused(const std::string& what, const std::string& file, const error_code& error) {
  return failure(ErrorCode::invalid_argument, what + " '" + file + "' cannot be used: " + error.message());
}

/// RFC 4514: most specific part first, as RabbitMQ prints it.
std::string print_name(X509_NAME* name) {
  const std::unique_ptr<BIO, FreeOpenSsl> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

std::optional<std::string> common_name(X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return std::nullopt;
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return std::nullopt;
  std::string result(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return result;
}

int general_name_type(AlternativeNameType type) {
  switch (type) {
    case AlternativeNameType::dns:
      return GEN_DNS;
    case AlternativeNameType::ip:
      return GEN_IPADD;
    case AlternativeNameType::email:
      return GEN_EMAIL;
    case AlternativeNameType::uri:
      return GEN_URI;
    case AlternativeNameType::other_name:
      break;
  }
  return GEN_OTHERNAME;
}

std::optional<std::string> alternative_name(X509* certificate, AlternativeNameType type, std::uint32_t index) {
  const std::unique_ptr<GENERAL_NAMES, FreeOpenSsl> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return std::nullopt;
  std::uint32_t seen = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != general_name_type(type) || seen++ != index) continue;
    if (name->type == GEN_OTHERNAME) {
      const ASN1_TYPE* value = name->d.otherName->value;
      if (value->type != V_ASN1_UTF8STRING) return std::nullopt;
      return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value->value.utf8string)),
                         static_cast<std::size_t>(ASN1_STRING_length(value->value.utf8string)));
    }
    const ASN1_STRING* text = name->type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return std::nullopt;
}

bool allows(const TlsOptions& options, TlsVersion version) {
  return std::ranges::find(options.versions, version) != options.versions.end();
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : ":") + part;
  return joined;
}

}  // namespace

Result<amqp::TlsContext> make_tls_context(const TlsOptions& options) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, allows(options, TlsVersion::tls1_2) ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(native, allows(options, TlsVersion::tls1_3) ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (options.honor_cipher_order) SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
  if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(native, join(options.ciphers).c_str()) != 1) {
    return failure(ErrorCode::invalid_argument, "ssl_options.ciphers names no cipher that OpenSSL knows");
  }
  error_code error;
  context->set_password_callback(
      [password = options.key_password](std::size_t, ssl::context::password_purpose) { return password; }, error);
  if (context->use_certificate_chain_file(options.certificate_file, error); error) {
    return refused("ssl_options.certfile", options.certificate_file, error);
  }
  if (context->use_private_key_file(options.key_file, ssl::context::pem, error); error) {
    return refused("ssl_options.keyfile", options.key_file, error);
  }
  if (!options.ca_certificate_file.empty()) {
    if (context->load_verify_file(options.ca_certificate_file, error); error) {
      return refused("ssl_options.cacertfile", options.ca_certificate_file, error);
    }
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(options.ca_certificate_file.c_str()));
  }
  int mode = ssl::verify_none;
  if (options.verify == PeerVerification::peer) mode = ssl::verify_peer;
  if (options.verify == PeerVerification::peer && options.fail_if_no_peer_certificate) {
    mode |= ssl::verify_fail_if_no_peer_cert;
  }
  context->set_verify_mode(mode, error);
  context->set_verify_depth(static_cast<int>(options.depth) + 1, error);
  return context;
}

std::optional<std::string> certificate_name(SSL* connection, const Config& config) {
  const std::unique_ptr<X509, FreeOpenSsl> certificate(SSL_get1_peer_certificate(connection));
  if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return std::nullopt;
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  switch (config.certificate_login_from) {
    case CertificateName::distinguished_name:
      return print_name(subject);
    case CertificateName::common_name:
      return common_name(subject);
    case CertificateName::subject_alternative_name:
      return alternative_name(certificate.get(), config.certificate_login_name_type,
                              config.certificate_login_name_index);
  }
  return std::nullopt;
}

}  // namespace quorate
