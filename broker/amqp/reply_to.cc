#include "broker/amqp/reply_to.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace quorate::amqp {

std::string print(const ReplyAddress& address) {
  return fmt::format("{}.{:x}.{:x}.{:x}.{:x}", kReplyTo, address.session.node.value(), address.session.epoch.value(),
                     address.session.serial, address.key);
}

std::optional<ReplyAddress> parse_reply_address(std::string_view name) {
  if (!name.starts_with(kReplyTo)) return std::nullopt;
  name.remove_prefix(kReplyTo.size());
  std::array<std::uint64_t, 4> parts{};
  for (std::uint64_t& part : parts) {
    if (!name.starts_with('.')) return std::nullopt;
    name.remove_prefix(1);
    const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), part, 16);
    if (fault != std::errc{}) return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  }
  const bool fits = parts[0] <= UINT32_MAX && parts[1] <= UINT32_MAX;
  if (!name.empty() || !fits) return std::nullopt;
  return ReplyAddress{.session = {.node = NodeId(static_cast<std::uint32_t>(parts[0])),
                                  .epoch = Epoch(static_cast<std::uint32_t>(parts[1])),
                                  .serial = parts[2]},
                      .key = parts[3]};
}

}  // namespace quorate::amqp
