// Password hashes in RabbitMQ's format, so that its definitions files log in here and ours there (features.md A004):
//   encoded := base64( salt digest )      salt := 4 octets      digest := H( salt password )
// Pure: the caller brings the salt's randomness. One pass of H is cheap by design of the format; it is no bcrypt.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorate::auth {

enum class HashingAlgorithm : std::uint8_t { sha256, sha512, md5 };

/// By the name in definitions, "rabbit_password_hashing_sha256"; nothing for an unknown one.
std::optional<HashingAlgorithm> find_hashing_algorithm(std::string_view name);
std::string_view name_of(HashingAlgorithm algorithm);

using Salt = std::array<std::byte, 4>;

/// For sha256 and sha512; md5 is there to read old definitions.
std::string hash_password(std::string_view password, const Salt& salt,
                          HashingAlgorithm algorithm = HashingAlgorithm::sha256);

/// True when `encoded` is the hash of `password`. A blank password never is, and a malformed or empty hash (a user
/// without password) has none. The time taken tells nothing about the digest.
bool verify_password(std::string_view password, std::string_view encoded,
                     HashingAlgorithm algorithm = HashingAlgorithm::sha256);

/// A hash of no known password, to verify against when the user does not exist: refusal then takes as long.
extern const std::string_view kNobodysHash;

}  // namespace quorate::auth
