#include "broker/amqp/properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/mp11/algorithm.hpp>
#include <charconv>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/amqp/table_codec.h"

namespace quorate::amqp {
namespace {

constexpr std::uint16_t kContinuationFlag = 0x0001;
constexpr std::uint16_t kUnassignedFlag = 0x0002;
constexpr std::size_t kShortStringMaxBytes = 255;

static_assert(
    [] {
      for (std::size_t i = 0; i < kPropertyRows.size(); ++i) {
        if (std::to_underlying(kPropertyRows[i].property) != i) return false;
      }
      return kPropertyRows.back().flag() == 0x0004;
    }(),
    "the rows stand in the order of their flags");

// The members of Properties in the order of kPropertyRows.
constexpr std::tuple kMembers = {
    &Properties::content_type, &Properties::content_encoding, &Properties::headers,  &Properties::delivery_mode,
    &Properties::priority,     &Properties::correlation_id,   &Properties::reply_to, &Properties::expiration,
    &Properties::message_id,   &Properties::timestamp,        &Properties::type,     &Properties::user_id,
    &Properties::app_id,       &Properties::cluster_id,
};
static_assert(std::tuple_size_v<decltype(kMembers)> == kPropertyRows.size());

/// Calls f(row, member pointer) for each property in order.
template <class F>
constexpr void for_each_property(F&& f) {
  boost::mp11::mp_for_each<boost::mp11::mp_iota_c<kPropertyRows.size()>>(
      [&](auto index) { f(kPropertyRows[index], std::get<index>(kMembers)); });
}

std::unexpected<Error> refuse(std::string text) {
  return failure(ErrorCode::invalid_argument, "malformed content properties: " + std::move(text));
}

bool skip_value(ByteReader& reader, PropertyType type, ByteView& octets) {
  std::uint8_t short_size = 0;
  std::uint32_t long_size = 0;
  switch (type) {
    case PropertyType::short_string:
      return reader.read(short_size) && reader.read_bytes(short_size, octets);
    case PropertyType::table:
      return reader.read(long_size) && reader.read_bytes(long_size, octets);
    case PropertyType::octet:
      return reader.read_bytes(sizeof(std::uint8_t), octets);
    case PropertyType::timestamp:
      return reader.read_bytes(sizeof(std::uint64_t), octets);
  }
  std::unreachable();
}

void write_value(ByteWriter& writer, const std::string& value) {
  CHECK_LE(value.size(), kShortStringMaxBytes);
  writer.write(static_cast<std::uint8_t>(value.size()));
  writer.write_bytes(as_bytes(value));
}
void write_value(ByteWriter& writer, std::uint8_t value) { writer.write(value); }
void write_value(ByteWriter& writer, std::uint64_t value) { writer.write(value); }
void write_value(ByteWriter& writer, const Table& value) {
  const std::vector<std::byte> encoded = encode_table(value);
  writer.write(static_cast<std::uint32_t>(encoded.size()));
  writer.write_bytes(encoded);
}

std::string print_field(const std::string& value) { return quote_text(value); }
std::string print_field(std::uint64_t value) { return fmt::format("{}", value); }
std::string print_field(const Table& value) { return print_table(value); }

using Complaint = std::optional<std::string>;

Complaint parse_field(std::string_view text, std::optional<std::string>& out) {
  out = std::string(text);
  return text.size() <= kShortStringMaxBytes ? std::nullopt : Complaint("longer than 255 octets");
}
template <std::unsigned_integral T>
Complaint parse_field(std::string_view text, std::optional<T>& out) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fmt::format("'{}' is no number of {} bits", text, 8 * sizeof(T));
  }
  out = number;
  return std::nullopt;
}
Complaint parse_field(std::string_view text, std::optional<Table>& out) {
  auto table = parse_table(text);
  if (!table) return table.error();
  if (!is_encodable(*table)) return "a name is longer than 255 octets";
  out = std::move(*table);
  return std::nullopt;
}

}  // namespace

Result<PropertiesView> PropertiesView::parse(ByteView encoded) {
  ByteReader reader(encoded);
  PropertiesView view;
  if (!reader.read(view.flags_)) return refuse("the flags are cut short");
  if ((view.flags_ & kContinuationFlag) != 0) return refuse("more than one word of flags");
  if ((view.flags_ & kUnassignedFlag) != 0) return refuse("a reserved flag is set");
  for (const PropertyRow& row : kPropertyRows) {
    if ((view.flags_ & row.flag()) == 0) continue;
    view.offsets_[std::to_underlying(row.property)] = static_cast<std::uint32_t>(encoded.size() - reader.remaining());
    ByteView octets;
    if (!skip_value(reader, row.type, octets)) return refuse(fmt::format("{} is cut short", row.name));
    if (row.type != PropertyType::table) continue;
    if (const auto valid = validate_table(octets); !valid) return std::unexpected(valid.error());
  }
  if (!reader.done()) return refuse("octets after the last property");
  view.encoded_ = encoded;
  return view;
}

bool PropertiesView::has(Property property) const {
  return (flags_ & kPropertyRows[std::to_underlying(property)].flag()) != 0;
}

const std::byte* PropertiesView::at(Property property) const {
  return encoded_.data() + offsets_[std::to_underlying(property)];
}

std::optional<std::string_view> PropertiesView::text(Property property) const {
  if (!has(property)) return std::nullopt;
  const std::byte* value = at(property);
  return std::string_view(reinterpret_cast<const char*>(value + 1), static_cast<std::size_t>(*value));
}

std::optional<std::uint8_t> PropertiesView::octet(Property property) const {
  if (!has(property)) return std::nullopt;
  return static_cast<std::uint8_t>(*at(property));
}

std::optional<std::uint64_t> PropertiesView::timestamp() const {
  if (!has(Property::timestamp)) return std::nullopt;
  std::uint64_t seconds = 0;
  std::memcpy(&seconds, at(Property::timestamp), sizeof(seconds));
  return big_endian(seconds);
}

std::optional<TableView> PropertiesView::headers() const {
  if (!has(Property::headers)) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, at(Property::headers), sizeof(size));
  return TableView(ByteView(at(Property::headers) + sizeof(size), big_endian(size)));
}

Properties Properties::from(const PropertiesView& view) {
  Properties properties;
  const auto copy = [](std::optional<std::string_view> text) {
    return text ? std::optional<std::string>(*text) : std::nullopt;
  };
  properties.content_type = copy(view.content_type());
  properties.content_encoding = copy(view.content_encoding());
  if (const auto headers = view.headers()) {
    auto table = decode_table(headers->encoded);
    CHECK(table.has_value());  // parse() has validated it
    properties.headers = std::move(*table);
  }
  properties.delivery_mode = view.delivery_mode();
  properties.priority = view.priority();
  properties.correlation_id = copy(view.correlation_id());
  properties.reply_to = copy(view.reply_to());
  properties.expiration = copy(view.expiration());
  properties.message_id = copy(view.message_id());
  properties.timestamp = view.timestamp();
  properties.type = copy(view.type());
  properties.user_id = copy(view.user_id());
  properties.app_id = copy(view.app_id());
  properties.cluster_id = copy(view.cluster_id());
  return properties;
}

void encode_properties(const Properties& properties, std::vector<std::byte>& out) {
  ByteWriter writer(out);
  const std::size_t flags_at = out.size();
  std::uint16_t flags = 0;
  writer.write(flags);
  for_each_property([&](const PropertyRow& row, auto member) {
    if (!(properties.*member)) return;
    flags |= row.flag();
    write_value(writer, *(properties.*member));
  });
  writer.patch(flags_at, flags);
}

std::vector<std::byte> encode_properties(const Properties& properties) {
  std::vector<std::byte> out;
  encode_properties(properties, out);
  return out;
}

std::string print(const Properties& properties) {
  std::string text;
  for_each_property([&](const PropertyRow& row, auto member) {
    if (!(properties.*member)) return;
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", row.name, print_field(*(properties.*member)));
  });
  return text;
}

std::string print(const PropertiesView& properties) { return print(Properties::from(properties)); }

std::expected<ParsedProperties, std::string> parse_properties(const std::vector<Assignment>& assignments) {
  ParsedProperties parsed;
  std::string error;
  for (const Assignment& assignment : assignments) {
    bool is_property = false;
    for_each_property([&](const PropertyRow& row, auto member) {
      if (row.name != assignment.name) return;
      is_property = true;
      const auto complaint = parse_field(assignment.value, parsed.properties.*member);
      if (complaint) error = fmt::format("{}: {}", row.name, *complaint);
    });
    if (!is_property) parsed.others.push_back(assignment);
  }
  if (!error.empty()) return std::unexpected(error);
  return parsed;
}

}  // namespace quorate::amqp
