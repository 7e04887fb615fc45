// RoutingKeys: every key under which one message is routed. Its own first, then those of the headers CC and BCC
// (features.md E003). Reused from message to message; borrows the message's bytes until the next read.
#pragma once
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace quorate::exchange {

class RoutingKeys {
 public:
  /// `headers` are the fields of the headers property as encoded, empty = none. The error is the text that follows
  /// "PRECONDITION_FAILED - "; afterwards only the message's own key is known.
  std::expected<void, std::string> read(std::string_view routing_key, ByteView headers);

  /// Never empty after a read; a topic permission is checked for each.
  std::span<const std::string_view> keys() const { return keys_; }
  /// The header BCC must not reach a consumer: true when the session has to take it out.
  bool has_bcc() const { return has_bcc_; }

 private:
  std::vector<std::string_view> keys_;
  bool has_bcc_ = false;
};

}  // namespace quorate::exchange
