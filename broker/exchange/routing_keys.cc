#include "broker/exchange/routing_keys.h"

#include <fmt/format.h>

#include <array>

#include "broker/message/field_cursor.h"

namespace quorate::exchange {

std::expected<void, std::string> RoutingKeys::read(std::string_view routing_key, ByteView headers) {
  keys_.assign(1, routing_key);
  has_bcc_ = false;
  static constexpr std::array<std::string_view, 2> kCopyHeaders = {"CC", "BCC"};
  for (const std::string_view name : kCopyHeaders) {
    const auto copies = find_field_value(headers, name);
    if (!copies) continue;
    if (copies->tag != 'A') {
      keys_.resize(1);
      return std::unexpected(
          fmt::format("invalid message: {{unacceptable_type_in_header,\"{}\",{}}}", name, type_name(*copies)));
    }
    has_bcc_ = has_bcc_ || name == "BCC";
    FieldCursor items(copies->payload);
    for (FieldValue item; items.next_value(item);) {
      if (const auto key = item.text()) keys_.push_back(*key);  // RabbitMQ passes over items of other types
    }
  }
  return {};
}

}  // namespace quorate::exchange
