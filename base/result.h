// Result<T>: the one spelling of an operation that the world may refuse (a disk, a file, a peer's bytes).
// The text is written for an operator: what failed, on which object, and what to do if that is known.
#pragma once
#include <expected>
#include <string>
#include <utility>

namespace quorate {

enum class ErrorCode : unsigned char {
  invalid_argument,  // the caller's words are wrong: a config value, a command line, a malformed table
  not_found,
  already_exists,
  corruption,   // bytes at rest that do not match their checksum or grammar
  io,           // the disk or the operating system said no
  unavailable,  // not now: shutting down, over a limit
};

struct Error {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string text;
  bool operator==(const Error&) const = default;
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> failure(ErrorCode code, std::string text) {
  return std::unexpected(Error{.code = code, .text = std::move(text)});
}

}  // namespace quorate
