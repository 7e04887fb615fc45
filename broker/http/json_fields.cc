#include "broker/http/json_fields.h"

#include <algorithm>
#include <bit>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstdint>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "broker/message/field_cursor.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Length of the well-formed UTF-8 sequence at the front; 0 when there is none (RFC 3629: no overlong form, no
/// surrogate, nothing beyond U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

std::uint64_t unsigned_of(ByteView payload) {
  std::uint64_t number = 0;
  for (const std::byte octet : payload) number = number << 8 | std::to_integer<std::uint64_t>(octet);
  return number;
}

/// Two's complement of the payload's width.
std::int64_t signed_of(ByteView payload) {
  if (payload.empty()) return 0;
  const unsigned unused = 64 - 8 * static_cast<unsigned>(std::min<std::size_t>(payload.size(), 8));
  return static_cast<std::int64_t>(unsigned_of(payload) << unused) >> unused;
}

json::value number_or_null(double number) { return std::isfinite(number) ? json::value(number) : json::value(nullptr); }

json::object table_of(ByteView encoded, unsigned depth);

json::value value_of(const FieldValue& field, unsigned depth) {
  const ByteView payload = field.payload;
  switch (field.tag) {
    case 't':
      return unsigned_of(payload) != 0;
    case 'b':
    case 's':
    case 'I':
    case 'l':
    case 'L':
      return signed_of(payload);
    case 'B':
    case 'u':
    case 'i':
    case 'T':
      return unsigned_of(payload);
    case 'f':
      return number_or_null(std::bit_cast<float>(static_cast<std::uint32_t>(unsigned_of(payload))));
    case 'd':
      return number_or_null(std::bit_cast<double>(unsigned_of(payload)));
    case 'D':
      return payload.size() < 5 ? json::value(nullptr)
                                : number_or_null(static_cast<double>(unsigned_of(payload.subspan(1))) /
                                                 std::pow(10.0, std::to_integer<int>(payload[0])));
    case 'S':
    case 'x':
      return json::string(json_text(as_text(payload)));
    case 'A': {
      json::array items;
      FieldCursor cursor(payload);
      FieldValue item;
      while (depth < limits::kTableDepthMax && cursor.next_value(item)) items.push_back(value_of(item, depth + 1));
      return items;
    }
    case 'F':
      return table_of(payload, depth + 1);
    default:
      return nullptr;
  }
}

json::object table_of(ByteView encoded, unsigned depth) {
  json::object object;
  FieldCursor cursor(encoded);
  Field field;
  while (depth <= limits::kTableDepthMax && cursor.next(field)) {
    // Of fields with one name the first counts.
    const std::string name = json_text(field.name);
    if (!object.contains(name)) object.emplace(name, value_of(field.value, depth));
  }
  return object;
}

}  // namespace

std::string json_text(std::string_view octets) {
  std::string text;
  text.reserve(octets.size());
  while (!octets.empty()) {
    const std::size_t length = utf8_length(octets);
    text += length == 0 ? kReplacement : octets.substr(0, length);
    octets.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

json::object json_table(std::string_view encoded) { return table_of(as_bytes(encoded), 0); }

json::array json_strings(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.push_back(json::value(json_text(text)));
  return array;
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void put_counter(json::object& to, std::string_view key, std::uint64_t value) {
  to[key] = value;
  to[std::string(key) + "_details"] = json::object{{"rate", 0}};
}

}  // namespace quorate::http
