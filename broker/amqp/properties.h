// The fourteen properties of a basic message as rows, a view that reads them where they lie, and a struct to write
// them.
//
//   properties := flags:u16 value*        values of the flags set, from the highest bit down, in the order of the rows
//
// Bit 0 of the flags would announce another flag word and bit 1 is unassigned: both are refused, no client sets them.
#pragma once
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/value.h"
#include "broker/amqp/field_text.h"
#include "broker/amqp/methods.h"

namespace quorate::amqp {

enum class PropertyType : std::uint8_t { short_string, table, octet, timestamp };

enum class Property : std::uint8_t {
  content_type,
  content_encoding,
  headers,
  delivery_mode,
  priority,
  correlation_id,
  reply_to,
  expiration,
  message_id,
  timestamp,
  type,
  user_id,
  app_id,
  cluster_id,
};

struct PropertyRow {
  Property property = Property::content_type;
  std::string_view name;
  PropertyType type = PropertyType::short_string;
  /// The flag of a row follows from its place: bit 15 for the first.
  constexpr std::uint16_t flag() const {
    return static_cast<std::uint16_t>(0x8000u >> static_cast<unsigned>(property));
  }
};

inline constexpr std::array kPropertyRows = {
    PropertyRow{Property::content_type, "content_type", PropertyType::short_string},
    PropertyRow{Property::content_encoding, "content_encoding", PropertyType::short_string},
    PropertyRow{Property::headers, "headers", PropertyType::table},
    PropertyRow{Property::delivery_mode, "delivery_mode", PropertyType::octet},
    PropertyRow{Property::priority, "priority", PropertyType::octet},
    PropertyRow{Property::correlation_id, "correlation_id", PropertyType::short_string},
    PropertyRow{Property::reply_to, "reply_to", PropertyType::short_string},
    PropertyRow{Property::expiration, "expiration", PropertyType::short_string},
    PropertyRow{Property::message_id, "message_id", PropertyType::short_string},
    PropertyRow{Property::timestamp, "timestamp", PropertyType::timestamp},
    PropertyRow{Property::type, "type", PropertyType::short_string},
    PropertyRow{Property::user_id, "user_id", PropertyType::short_string},
    PropertyRow{Property::app_id, "app_id", PropertyType::short_string},
    PropertyRow{Property::cluster_id, "cluster_id", PropertyType::short_string},
};

/// Reads properties where they lie; borrows the bytes it was parsed from.
class PropertiesView {
 public:
  /// No property set.
  PropertiesView() = default;
  /// Checks everything once, headers included, so that the accessors cannot fail. Empty bytes are refused.
  static Result<PropertiesView> parse(ByteView encoded);

  bool has(Property property) const;
  std::optional<std::string_view> content_type() const { return text(Property::content_type); }
  std::optional<std::string_view> content_encoding() const { return text(Property::content_encoding); }
  /// A validated table; look fields up with find_field().
  std::optional<TableView> headers() const;
  std::optional<std::uint8_t> delivery_mode() const { return octet(Property::delivery_mode); }
  std::optional<std::uint8_t> priority() const { return octet(Property::priority); }
  std::optional<std::string_view> correlation_id() const { return text(Property::correlation_id); }
  std::optional<std::string_view> reply_to() const { return text(Property::reply_to); }
  std::optional<std::string_view> expiration() const { return text(Property::expiration); }
  std::optional<std::string_view> message_id() const { return text(Property::message_id); }
  std::optional<std::uint64_t> timestamp() const;
  std::optional<std::string_view> type() const { return text(Property::type); }
  std::optional<std::string_view> user_id() const { return text(Property::user_id); }
  std::optional<std::string_view> app_id() const { return text(Property::app_id); }
  std::optional<std::string_view> cluster_id() const { return text(Property::cluster_id); }

  /// Persistent is 2 and nothing else (features.md P133).
  bool is_persistent() const { return delivery_mode() == 2; }
  ByteView encoded() const { return encoded_; }

 private:
  std::optional<std::string_view> text(Property property) const;
  std::optional<std::uint8_t> octet(Property property) const;
  const std::byte* at(Property property) const;

  ByteView encoded_;
  std::uint16_t flags_ = 0;
  std::array<std::uint32_t, kPropertyRows.size()>
      offsets_{};  // of each value in encoded_; meaningful if its flag is set
};

/// Properties to be written: by the management API, by tests, and by whatever adds headers to a message.
struct Properties {
  std::optional<std::string> content_type;
  std::optional<std::string> content_encoding;
  std::optional<Table> headers;
  std::optional<std::uint8_t> delivery_mode;
  std::optional<std::uint8_t> priority;
  std::optional<std::string> correlation_id;
  std::optional<std::string> reply_to;
  std::optional<std::string> expiration;
  std::optional<std::string> message_id;
  std::optional<std::uint64_t> timestamp;
  std::optional<std::string> type;
  std::optional<std::string> user_id;
  std::optional<std::string> app_id;
  std::optional<std::string> cluster_id;
  bool operator==(const Properties&) const = default;

  static Properties from(const PropertiesView& view);
};

/// Appends flags and values. Strings longer than 255 octets are our bug.
void encode_properties(const Properties& properties, std::vector<std::byte>& out);
std::vector<std::byte> encode_properties(const Properties& properties);

/// `content_type=text/plain headers={a=1} delivery_mode=2`, in the order of the rows.
std::string print(const Properties& properties);
std::string print(const PropertiesView& properties);

/// What is left of a transcript line after the method took its fields.
struct ParsedProperties {
  Properties properties;
  std::vector<Assignment> others;  // names that are no property, such as `body`
};
std::expected<ParsedProperties, std::string> parse_properties(const std::vector<Assignment>& assignments);

}  // namespace quorate::amqp
