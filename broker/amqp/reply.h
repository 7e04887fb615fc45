// Reply codes of AMQP 0-9-1 as rows, and AmqpError: what is wrong with a peer's request, as a value that closes its
// channel (soft) or its connection (hard). Texts are RabbitMQ's, because clients and their users match on them.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace quorate::amqp {

enum class ReplyCode : std::uint16_t {
  success = 200,
  content_too_large = 311,
  no_route = 312,
  no_consumers = 313,
  connection_forced = 320,
  invalid_path = 402,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  frame_error = 501,
  syntax_error = 502,
  command_invalid = 503,
  channel_error = 504,
  unexpected_frame = 505,
  resource_error = 506,
  not_allowed = 530,
  not_implemented = 540,
  internal_error = 541,
};

/// What an error closes.
enum class Severity : std::uint8_t { none, soft, hard };

struct ReplyRow {
  ReplyCode code = ReplyCode::success;
  std::string_view name;
  Severity severity = Severity::none;
};

inline constexpr std::array kReplyRows = {
    ReplyRow{ReplyCode::success, "REPLY_SUCCESS", Severity::none},
    ReplyRow{ReplyCode::content_too_large, "CONTENT_TOO_LARGE", Severity::soft},
    ReplyRow{ReplyCode::no_route, "NO_ROUTE", Severity::soft},
    ReplyRow{ReplyCode::no_consumers, "NO_CONSUMERS", Severity::soft},
    ReplyRow{ReplyCode::connection_forced, "CONNECTION_FORCED", Severity::hard},
    ReplyRow{ReplyCode::invalid_path, "INVALID_PATH", Severity::hard},
    ReplyRow{ReplyCode::access_refused, "ACCESS_REFUSED", Severity::soft},
    ReplyRow{ReplyCode::not_found, "NOT_FOUND", Severity::soft},
    ReplyRow{ReplyCode::resource_locked, "RESOURCE_LOCKED", Severity::soft},
    ReplyRow{ReplyCode::precondition_failed, "PRECONDITION_FAILED", Severity::soft},
    ReplyRow{ReplyCode::frame_error, "FRAME_ERROR", Severity::hard},
    ReplyRow{ReplyCode::syntax_error, "SYNTAX_ERROR", Severity::hard},
    ReplyRow{ReplyCode::command_invalid, "COMMAND_INVALID", Severity::hard},
    ReplyRow{ReplyCode::channel_error, "CHANNEL_ERROR", Severity::hard},
    ReplyRow{ReplyCode::unexpected_frame, "UNEXPECTED_FRAME", Severity::hard},
    ReplyRow{ReplyCode::resource_error, "RESOURCE_ERROR", Severity::hard},
    ReplyRow{ReplyCode::not_allowed, "NOT_ALLOWED", Severity::hard},
    ReplyRow{ReplyCode::not_implemented, "NOT_IMPLEMENTED", Severity::hard},
    ReplyRow{ReplyCode::internal_error, "INTERNAL_ERROR", Severity::hard},
};

constexpr const ReplyRow& reply_row(ReplyCode code) {
  for (const ReplyRow& row : kReplyRows) {
    if (row.code == code) return row;
  }
  fail_check("a reply code has a row", {}, std::source_location::current());
}

/// A text that fits the short string of a close method; longer ones end in "..." like RabbitMQ's.
/// Never cuts through a UTF-8 character.
inline std::string cut_reply_text(std::string text) {
  constexpr std::size_t kReplyTextMaxBytes = 255;
  constexpr std::string_view kEllipsis = "...";
  if (text.size() <= kReplyTextMaxBytes) return text;
  std::size_t end = kReplyTextMaxBytes - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  text += kEllipsis;
  return text;
}

struct AmqpError {
  ReplyCode code = ReplyCode::internal_error;
  std::string text;             // without the name of the code
  std::uint32_t method_id = 0;  // MethodInfo<T>::id of the method at fault; 0 if none

  bool is_hard() const { return reply_row(code).severity == Severity::hard; }
  /// "NOT_FOUND - no queue 'q' in vhost '/'"; the bare name when there is no text.
  std::string reply_text() const {
    const std::string name{reply_row(code).name};
    return text.empty() ? name : cut_reply_text(name + " - " + text);
  }
  bool operator==(const AmqpError&) const = default;
};

}  // namespace quorate::amqp
