#include "broker/amqp/table_codec.h"

#include <fmt/format.h>

#include <bit>
#include <string>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"

namespace quorate::amqp {
namespace {

constexpr std::size_t kNameMaxBytes = 255;

std::unexpected<Error> refuse(std::string text) {
  return failure(ErrorCode::invalid_argument, "malformed field table: " + std::move(text));
}

/// One value as it lies in the table: its tag, and its octets without the size in front.
struct RawValue {
  char tag = 'V';
  ByteView octets;
};

/// Octets of the fixed-size types, or nothing for sized and unknown ones.
constexpr std::optional<std::size_t> fixed_size(char tag) {
  switch (tag) {
    case 'V':
      return 0;
    case 't':
    case 'b':
    case 'B':
      return 1;
    case 's':
    case 'u':
      return 2;
    case 'I':
    case 'i':
    case 'f':
      return 4;
    case 'D':
      return 5;
    case 'l':
    case 'L':
    case 'd':
    case 'T':
      return 8;
    default:
      return std::nullopt;
  }
}

constexpr bool is_sized(char tag) { return tag == 'S' || tag == 'x' || tag == 'A' || tag == 'F'; }

Result<RawValue> read_raw(ByteReader& reader) {
  std::uint8_t tag = 0;
  if (!reader.read(tag)) return refuse("a value is missing");
  RawValue value{.tag = static_cast<char>(tag)};
  std::uint32_t size = 0;
  if (const auto fixed = fixed_size(value.tag)) {
    size = static_cast<std::uint32_t>(*fixed);
  } else if (!is_sized(value.tag)) {
    const bool is_printable = tag > ' ' && tag <= '~';
    return refuse(is_printable ? fmt::format("unknown type '{}'", value.tag) : fmt::format("unknown type {}", tag));
  } else if (!reader.read(size)) {
    return refuse(fmt::format("a value of type '{}' is cut short", value.tag));
  }
  if (!reader.read_bytes(size, value.octets)) {
    return refuse(fmt::format("a value of type '{}' is cut short", value.tag));
  }
  return value;
}

Result<std::string_view> read_name(ByteReader& reader) {
  std::uint8_t size = 0;
  ByteView name;
  if (!reader.read(size) || !reader.read_bytes(size, name)) return refuse("a name is cut short");
  return as_text(name);
}

template <class T>
T read_fixed(ByteView octets) {
  T value = 0;
  const bool whole = ByteReader(octets).read(value);
  CHECK(whole);
  return value;
}

Decimal read_decimal(ByteView octets) {
  return {.scale = static_cast<std::uint8_t>(octets[0]), .unscaled = read_fixed<std::uint32_t>(octets.subspan(1))};
}

Result<Value> decode_value(const RawValue& raw, unsigned depth);

Result<Table> decode_fields(ByteView encoded, unsigned depth) {
  if (depth > limits::kTableDepthMax) return refuse(fmt::format("nested deeper than {}", limits::kTableDepthMax));
  Table table;
  for (ByteReader reader(encoded); !reader.done();) {
    const auto name = read_name(reader);
    if (!name) return std::unexpected(name.error());
    const auto raw = read_raw(reader);
    if (!raw) return std::unexpected(raw.error());
    auto value = decode_value(*raw, depth);
    if (!value) return std::unexpected(value.error());
    table.fields.emplace_back(*name, std::move(*value));
  }
  return table;
}

Result<Array> decode_items(ByteView encoded, unsigned depth) {
  if (depth > limits::kTableDepthMax) return refuse(fmt::format("nested deeper than {}", limits::kTableDepthMax));
  Array array;
  for (ByteReader reader(encoded); !reader.done();) {
    const auto raw = read_raw(reader);
    if (!raw) return std::unexpected(raw.error());
    auto value = decode_value(*raw, depth);
    if (!value) return std::unexpected(value.error());
    array.items.push_back(std::move(*value));
  }
  return array;
}

template <class T>
Result<Value> nested(Result<T> decoded) {
  if (!decoded) return std::unexpected(decoded.error());
  return Value(std::move(*decoded));
}

Result<Value> decode_value(const RawValue& raw, unsigned depth) {
  const ByteView octets = raw.octets;
  switch (raw.tag) {
    case 'V':
      return Value(Void{});
    case 't':
      return Value(octets[0] != std::byte{0});
    case 'b':
      return Value(static_cast<std::int8_t>(octets[0]));
    case 'B':
      return Value(static_cast<std::uint8_t>(octets[0]));
    case 's':
      return Value(static_cast<std::int16_t>(read_fixed<std::uint16_t>(octets)));
    case 'u':
      return Value(read_fixed<std::uint16_t>(octets));
    case 'I':
      return Value(static_cast<std::int32_t>(read_fixed<std::uint32_t>(octets)));
    case 'i':
      return Value(read_fixed<std::uint32_t>(octets));
    case 'l':
    case 'L':
      return Value(static_cast<std::int64_t>(read_fixed<std::uint64_t>(octets)));
    case 'f':
      return Value(std::bit_cast<float>(read_fixed<std::uint32_t>(octets)));
    case 'd':
      return Value(std::bit_cast<double>(read_fixed<std::uint64_t>(octets)));
    case 'D':
      return Value(read_decimal(octets));
    case 'S':
      return Value(std::string(as_text(octets)));
    case 'x':
      return Value(ByteArray{.octets = std::string(as_text(octets))});
    case 'T':
      return Value(Timestamp{.seconds = read_fixed<std::uint64_t>(octets)});
    case 'A':
      return nested(decode_items(octets, depth + 1));
    case 'F':
      return nested(decode_fields(octets, depth + 1));
    default:
      break;
  }
  fail_check("read_raw() lets known tags through only", {}, std::source_location::current());
}

Result<void> validate_value(const RawValue& raw, unsigned depth);

/// `fields` are named, the items of an array are not; that is all the difference.
enum class Names : bool { absent, present };

Result<void> validate_values(ByteView encoded, Names names, unsigned depth) {
  if (depth > limits::kTableDepthMax) return refuse(fmt::format("nested deeper than {}", limits::kTableDepthMax));
  for (ByteReader reader(encoded); !reader.done();) {
    if (names == Names::present) {
      const auto name = read_name(reader);
      if (!name) return std::unexpected(name.error());
    }
    const auto raw = read_raw(reader);
    if (!raw) return std::unexpected(raw.error());
    if (const auto valid = validate_value(*raw, depth); !valid) return valid;
  }
  return {};
}

Result<void> validate_value(const RawValue& raw, unsigned depth) {
  if (raw.tag == 'A') return validate_values(raw.octets, Names::absent, depth + 1);
  if (raw.tag == 'F') return validate_values(raw.octets, Names::present, depth + 1);
  return {};
}

/// Writes values behind their tags; sizes of nested ones are patched in when they are known.
class TableWriter {
 public:
  explicit TableWriter(std::vector<std::byte>& out) : out_(out), bytes_(out) {}

  void write(const Table& table) {
    for (const auto& [name, value] : table.fields) {
      CHECK_LE(name.size(), kNameMaxBytes);
      bytes_.write(static_cast<std::uint8_t>(name.size()));
      bytes_.write_bytes(as_bytes(name));
      write(value);
    }
  }

 private:
  void write(const Value& value) {
    std::visit([this](const auto& held) { write_held(held); }, value.variant());
  }

  void write_held(const Void&) { tag('V'); }
  void write_held(bool value) { fixed('t', static_cast<std::uint8_t>(value ? 1 : 0)); }
  void write_held(std::int8_t value) { fixed('b', static_cast<std::uint8_t>(value)); }
  void write_held(std::uint8_t value) { fixed('B', value); }
  void write_held(std::int16_t value) { fixed('s', static_cast<std::uint16_t>(value)); }
  void write_held(std::uint16_t value) { fixed('u', value); }
  void write_held(std::int32_t value) { fixed('I', static_cast<std::uint32_t>(value)); }
  void write_held(std::uint32_t value) { fixed('i', value); }
  void write_held(std::int64_t value) { fixed('l', static_cast<std::uint64_t>(value)); }
  void write_held(float value) { fixed('f', std::bit_cast<std::uint32_t>(value)); }
  void write_held(double value) { fixed('d', std::bit_cast<std::uint64_t>(value)); }
  void write_held(const Decimal& value) {
    fixed('D', value.scale);
    bytes_.write(value.unscaled);
  }
  void write_held(const std::string& value) { sized('S', value); }
  void write_held(const ByteArray& value) { sized('x', value.octets); }
  void write_held(const Timestamp& value) { fixed('T', value.seconds); }
  void write_held(const Array& value) {
    nested('A', [&] {
      for (const Value& item : value.items) write(item);
    });
  }
  void write_held(const Table& value) {
    nested('F', [&] { write(value); });
  }

  void tag(char value) { bytes_.write(static_cast<std::uint8_t>(value)); }
  template <class T>
  void fixed(char type, T value) {
    tag(type);
    bytes_.write(value);
  }
  void sized(char type, std::string_view octets) {
    fixed(type, static_cast<std::uint32_t>(octets.size()));
    bytes_.write_bytes(as_bytes(octets));
  }
  template <class F>
  void nested(char type, F&& write_content) {
    fixed(type, std::uint32_t{0});
    const std::size_t start = out_.size();
    write_content();
    bytes_.patch(start - sizeof(std::uint32_t), static_cast<std::uint32_t>(out_.size() - start));
  }

  std::vector<std::byte>& out_;
  ByteWriter bytes_;
};

bool is_encodable(const Value& value) {
  if (const auto* table = value.get_if<Table>()) return amqp::is_encodable(*table);
  if (const auto* array = value.get_if<Array>()) {
    return std::ranges::all_of(array->items, [](const Value& item) { return is_encodable(item); });
  }
  return true;
}

}  // namespace

Result<Table> decode_table(ByteView encoded) { return decode_fields(encoded, 1); }

Result<void> validate_table(ByteView encoded) { return validate_values(encoded, Names::present, 1); }

void encode_table(const Table& table, std::vector<std::byte>& out) { TableWriter(out).write(table); }

std::vector<std::byte> encode_table(const Table& table) {
  std::vector<std::byte> out;
  encode_table(table, out);
  return out;
}

bool is_encodable(const Table& table) {
  return std::ranges::all_of(table.fields, [](const auto& field) {
    return field.first.size() <= kNameMaxBytes && is_encodable(field.second);
  });
}

std::optional<Value> find_field(ByteView encoded, std::string_view name) {
  for (ByteReader reader(encoded); !reader.done();) {
    const auto found = read_name(reader);
    if (!found) return std::nullopt;
    const auto raw = read_raw(reader);
    if (!raw) return std::nullopt;
    if (*found != name) continue;
    auto value = decode_value(*raw, 1);
    if (!value) return std::nullopt;
    return std::move(*value);
  }
  return std::nullopt;
}

}  // namespace quorate::amqp
