#include "broker/auth/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace quorate::auth {

// Its digest is not that of any password we know of: it was drawn at random.
constinit const std::string_view kNobodysHash = "I+SDTnKvh36QEKr7BwIRV2ekfaQIwjuv2zJzKeContCU2yGA";

namespace {

struct AlgorithmRow {
  HashingAlgorithm algorithm;
  std::string_view name;
  const EVP_MD* (*digest)();
};

constexpr std::array<AlgorithmRow, 3> kAlgorithms = {{
    {HashingAlgorithm::sha256, "rabbit_password_hashing_sha256", &EVP_sha256},
    {HashingAlgorithm::sha512, "rabbit_password_hashing_sha512", &EVP_sha512},
    {HashingAlgorithm::md5, "rabbit_password_hashing_md5", &EVP_md5},
}};

const AlgorithmRow& row_of(HashingAlgorithm algorithm) {
  const auto* row = std::ranges::find(kAlgorithms, algorithm, &AlgorithmRow::algorithm);
  CHECK(row != kAlgorithms.end());
  return *row;
}

/// Empty when this OpenSSL does not do the algorithm: one in FIPS mode has no md5.
std::string salt_then_digest(std::string_view password, std::string_view salt, HashingAlgorithm algorithm) {
  std::string salted(salt);
  salted += password;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_size = 0;
  const int done =
      EVP_Digest(salted.data(), salted.size(), digest.data(), &digest_size, row_of(algorithm).digest(), nullptr);
  OPENSSL_cleanse(salted.data(), salted.size());
  if (done != 1) return {};
  std::string result(salt);
  result.append(reinterpret_cast<const char*>(digest.data()), digest_size);
  return result;
}

std::string encode_base64(std::string_view octets) {
  std::string text(4 * ((octets.size() + 2) / 3) + 1, '\0');  // EVP writes a final zero
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(octets.data()), static_cast<int>(octets.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// Nothing for what is no base64.
std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::size_t kEncodedMaxBytes = 256;  // sha512 makes 92
  if (text.empty() || text.size() % 4 != 0 || text.size() > kEncodedMaxBytes) return std::nullopt;
  std::string octets(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(octets.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  octets.resize(static_cast<std::size_t>(size) - padding);  // EVP counts the padding's zeros
  return octets;
}

}  // namespace

std::optional<HashingAlgorithm> find_hashing_algorithm(std::string_view name) {
  const auto* row = std::ranges::find(kAlgorithms, name, &AlgorithmRow::name);
  if (row == kAlgorithms.end()) return std::nullopt;
  return row->algorithm;
}

std::string_view name_of(HashingAlgorithm algorithm) { return row_of(algorithm).name; }

std::string hash_password(std::string_view password, const Salt& salt, HashingAlgorithm algorithm) {
  const std::string octets = salt_then_digest(password, as_text(salt), algorithm);
  CHECK(!octets.empty());  // new hashes are made with sha256 or sha512
  return encode_base64(octets);
}

bool verify_password(std::string_view password, std::string_view encoded, HashingAlgorithm algorithm) {
  if (password.empty()) return false;
  const auto stored = decode_base64(encoded);
  if (!stored || stored->size() < sizeof(Salt)) return false;
  const std::string_view salt = std::string_view(*stored).substr(0, sizeof(Salt));
  const std::string computed = salt_then_digest(password, salt, algorithm);
  if (computed.size() != stored->size()) return false;
  return CRYPTO_memcmp(computed.data(), stored->data(), computed.size()) == 0;
}

}  // namespace quorate::auth
