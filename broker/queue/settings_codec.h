// The settings of a queue as bytes, alike in Configure and in snapshots: docs/formats/queue_commands.md.
#pragma once
#include <cstdint>
#include <optional>

#include "base/cursor.h"
#include "broker/queue/commands.h"

namespace quorate::queue {

enum class SettingFlag : std::uint64_t {
  quorum = 1,
  single_active_consumer = 2,
  delivery_limit = 4,
  max_length = 8,
  max_length_bytes = 16,
  reject_publish = 32,
  message_ttl = 64,
  expires = 128,
  retry_failed = 256,
  retry_returned = 512,
  holds_all = 1024,
};

inline void put(ByteWriter& w, const Configure& c) {
  const auto flag = [](bool is_set, SettingFlag bit) { return is_set ? static_cast<std::uint64_t>(bit) : 0; };
  w.write_varint(
      flag(c.quorum, SettingFlag::quorum) | flag(c.single_active_consumer, SettingFlag::single_active_consumer) |
      flag(c.delivery_limit.has_value(), SettingFlag::delivery_limit) |
      flag(c.max_length.has_value(), SettingFlag::max_length) |
      flag(c.max_length_bytes.has_value(), SettingFlag::max_length_bytes) |
      flag(c.overflow == Overflow::reject_publish, SettingFlag::reject_publish) |
      flag(c.message_ttl_ms.has_value(), SettingFlag::message_ttl) |
      flag(c.expires_ms.has_value(), SettingFlag::expires) | flag(c.delayed_retry.failed, SettingFlag::retry_failed) |
      flag(c.delayed_retry.returned, SettingFlag::retry_returned) | flag(c.holds_all, SettingFlag::holds_all));
  w.write(c.priority_max);
  if (c.delivery_limit) w.write_varint(*c.delivery_limit);
  if (c.max_length) w.write_varint(*c.max_length);
  if (c.max_length_bytes) w.write_varint(*c.max_length_bytes);
  if (c.message_ttl_ms) w.write_varint(*c.message_ttl_ms);
  if (c.expires_ms) w.write_varint(*c.expires_ms);
  if (!c.delayed_retry.is_on()) return;
  w.write_varint(c.delayed_retry.min_ms);
  w.write_varint(c.delayed_retry.max_ms);
}

inline bool get(ByteReader& r, Configure& c) {
  std::uint64_t flags = 0;
  if (!r.read_varint(flags) || !r.read(c.priority_max)) return false;
  const auto has = [&](SettingFlag bit) { return (flags & static_cast<std::uint64_t>(bit)) != 0; };
  const auto read = [&](SettingFlag bit, std::optional<std::uint64_t>& value) {
    value.reset();
    return !has(bit) || r.read_varint(value.emplace());
  };
  c.quorum = has(SettingFlag::quorum);
  c.holds_all = has(SettingFlag::holds_all);
  c.single_active_consumer = has(SettingFlag::single_active_consumer);
  c.overflow = has(SettingFlag::reject_publish) ? Overflow::reject_publish : Overflow::drop_head;
  std::optional<std::uint64_t> delivery_limit;
  if (!read(SettingFlag::delivery_limit, delivery_limit) || !read(SettingFlag::max_length, c.max_length) ||
      !read(SettingFlag::max_length_bytes, c.max_length_bytes) || !read(SettingFlag::message_ttl, c.message_ttl_ms) ||
      !read(SettingFlag::expires, c.expires_ms)) {
    return false;
  }
  c.delayed_retry = {.failed = has(SettingFlag::retry_failed), .returned = has(SettingFlag::retry_returned)};
  if (c.delayed_retry.is_on() && (!r.read_varint(c.delayed_retry.min_ms) || !r.read_varint(c.delayed_retry.max_ms))) {
    return false;
  }
  c.delivery_limit.reset();
  if (!delivery_limit) return true;
  c.delivery_limit = static_cast<std::uint32_t>(*delivery_limit);
  return *delivery_limit <= UINT32_MAX;
}

}  // namespace quorate::queue
