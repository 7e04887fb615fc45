// Direct reply-to (features.md E044): an answer goes straight to the channel that asked, without a queue. What the
// requester calls amq.rabbitmq.reply-to becomes, in the message, an address that names its session and carries a key
// that nobody can guess:
//   address := "amq.rabbitmq.reply-to." node "." epoch "." serial "." key      hexadecimal numbers
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/queue/commands.h"

namespace quorate::amqp {

inline constexpr std::string_view kReplyTo = "amq.rabbitmq.reply-to";

struct ReplyAddress {
  queue::SessionId session;
  std::uint64_t key = 0;
  bool operator==(const ReplyAddress&) const = default;
};

std::string print(const ReplyAddress& address);
/// Nothing when `name` is no such address.
std::optional<ReplyAddress> parse_reply_address(std::string_view name);

/// Replies come under the id of no queue.
inline constexpr GroupId kNoQueue{0};

}  // namespace quorate::amqp
