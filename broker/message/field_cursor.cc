#include "broker/message/field_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/cursor.h"
#include "base/limits.h"

namespace quorate {

namespace {

/// What two values have in common when they may be equal at all.
enum class Kind : std::uint8_t { integer, real, text, boolean, decimal, array, table, empty };

struct TagRow {
  char tag;
  Kind kind;
  std::int8_t size;  // of the payload; kSized: a u32 in front tells
  std::string_view type;
};

constexpr std::int8_t kSized = -1;

constexpr std::array<TagRow, 18> kTags = {{
    {'S', Kind::text, kSized, "longstr"},
    {'I', Kind::integer, 4, "signedint"},
    {'l', Kind::integer, 8, "long"},
    {'L', Kind::integer, 8, "long"},
    {'t', Kind::boolean, 1, "bool"},
    {'T', Kind::integer, 8, "timestamp"},
    {'F', Kind::table, kSized, "table"},
    {'A', Kind::array, kSized, "array"},
    {'V', Kind::empty, 0, "void"},
    {'d', Kind::real, 8, "double"},
    {'f', Kind::real, 4, "float"},
    {'b', Kind::integer, 1, "byte"},
    {'B', Kind::integer, 1, "unsignedbyte"},
    {'s', Kind::integer, 2, "short"},
    {'u', Kind::integer, 2, "unsignedshort"},
    {'i', Kind::integer, 4, "unsignedint"},
    {'D', Kind::decimal, 5, "decimal"},
    {'x', Kind::text, kSized, "binary"},
}};

const TagRow* find_tag(char tag) {
  const auto* row = std::ranges::find(kTags, tag, &TagRow::tag);
  return row == kTags.end() ? nullptr : row;
}

const TagRow& row_of(const FieldValue& value) {
  const TagRow* row = find_tag(value.tag);
  CHECK(row != nullptr);
  return *row;
}

template <class T>
T read_payload(ByteView payload) {
  T value = 0;
  ByteReader reader(payload);
  CHECK(reader.read(value));
  return value;
}

/// Wide enough for a timestamp, which has no sign, and for every signed width.
__extension__ using Integer = __int128;

Integer integer_of(const FieldValue& value) {
  const ByteView payload = value.payload;
  switch (value.tag) {
    case 'b':
      return static_cast<std::int8_t>(read_payload<std::uint8_t>(payload));
    case 'B':
      return read_payload<std::uint8_t>(payload);
    case 's':
      return static_cast<std::int16_t>(read_payload<std::uint16_t>(payload));
    case 'u':
      return read_payload<std::uint16_t>(payload);
    case 'I':
      return static_cast<std::int32_t>(read_payload<std::uint32_t>(payload));
    case 'i':
      return read_payload<std::uint32_t>(payload);
    case 'T':
      return read_payload<std::uint64_t>(payload);
    default:
      return static_cast<std::int64_t>(read_payload<std::uint64_t>(payload));
  }
}

double real_of(const FieldValue& value) {
  if (value.tag == 'f') return std::bit_cast<float>(read_payload<std::uint32_t>(value.payload));
  return std::bit_cast<double>(read_payload<std::uint64_t>(value.payload));
}

bool boolean_of(const FieldValue& value) { return value.payload.front() != std::byte{0}; }

std::string erlang_float(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".ein") == std::string::npos) text += ".0";
  return text;
}

std::string print_table(ByteView table, ErlangFormat format, unsigned depth);

/// `depth` bounds the recursion: a hostile table nests as deep as it is long.
std::string print_term(const FieldValue& value, ErlangFormat format, unsigned depth) {
  if (depth > limits::kTableDepthMax) return "...";
  switch (row_of(value).kind) {
    case Kind::integer:
      if (value.tag == 'T') return fmt::format("{}", static_cast<std::uint64_t>(integer_of(value)));
      return fmt::format("{}", static_cast<std::int64_t>(integer_of(value)));
    case Kind::real:
      return erlang_float(real_of(value));
    case Kind::text:
      return erlang_binary(as_text(value.payload), format);
    case Kind::boolean:
      return boolean_of(value) ? "true" : "false";
    case Kind::decimal:
      return fmt::format("{{{},{}}}", read_payload<std::uint8_t>(value.payload),
                         read_payload<std::uint32_t>(value.payload.subspan(1)));
    case Kind::table:
      return print_table(value.payload, format, depth + 1);
    case Kind::empty:
      return "undefined";
    case Kind::array:
      break;
  }
  std::string text;
  FieldCursor items(value.payload);
  for (FieldValue item; items.next_value(item);) {
    text += fmt::format("{}{{{},{}}}", text.empty() ? "" : ",", type_name(item), print_term(item, format, depth + 1));
  }
  return "[" + text + "]";
}

std::string print_table(ByteView table, ErlangFormat format, unsigned depth) {
  std::string text;
  FieldCursor fields(table);
  for (Field field; fields.next(field);) {
    text += fmt::format("{}{{{},{},{}}}", text.empty() ? "" : ",", erlang_binary(field.name, format),
                        type_name(field.value), print_term(field.value, format, depth));
  }
  return "[" + text + "]";
}

}  // namespace

std::optional<std::string_view> FieldValue::text() const {
  if (tag != 'S') return std::nullopt;
  return as_text(payload);
}

bool FieldCursor::next(Field& out) {
  if (rest_.empty()) return false;
  const auto size = static_cast<std::size_t>(rest_.front());
  if (rest_.size() - 1 < size) return fail();
  out.name = as_text(rest_.subspan(1, size));
  rest_ = rest_.subspan(1 + size);
  if (rest_.empty()) return fail();
  return next_value(out.value);
}

bool FieldCursor::next_value(FieldValue& out) {
  if (rest_.empty()) return false;
  const TagRow* row = find_tag(static_cast<char>(rest_.front()));
  if (row == nullptr) return fail();
  ByteReader reader(rest_.subspan(1));
  std::uint32_t size = 0;
  if (row->size != kSized) size = static_cast<std::uint32_t>(row->size);
  if (row->size == kSized && !reader.read(size)) return fail();
  out.tag = row->tag;
  if (!reader.read_bytes(size, out.payload)) return fail();
  rest_ = reader.rest();
  return true;
}

bool FieldCursor::fail() {
  malformed_ = true;
  rest_ = {};
  return false;
}

std::optional<FieldValue> find_field_value(ByteView table, std::string_view name) {
  FieldCursor fields(table);
  for (Field field; fields.next(field);) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

bool is_exactly_equal(const FieldValue& a, const FieldValue& b) {
  const Kind kind = row_of(a).kind;
  if (kind != row_of(b).kind) return false;
  switch (kind) {
    case Kind::integer:
      return integer_of(a) == integer_of(b);
    case Kind::real:
      return real_of(a) == real_of(b);
    case Kind::boolean:
      return boolean_of(a) == boolean_of(b);
    case Kind::empty:
      return true;
    // Encoded arrays and tables hold the types of their items, and a value has one encoding per type.
    case Kind::text:
    case Kind::decimal:
    case Kind::array:
    case Kind::table:
      break;
  }
  return as_text(a.payload) == as_text(b.payload);
}

std::string_view type_name(const FieldValue& value) { return row_of(value).type; }

std::string erlang_binary(std::string_view octets, ErlangFormat format) {
  const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (format == ErlangFormat::p && !octets.empty() && std::ranges::all_of(octets, is_printable)) {
    std::string text;
    for (const char c : octets) text += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return "<<\"" + text + "\">>";
  }
  std::string text;
  for (const char c : octets) text += fmt::format("{}{}", text.empty() ? "" : ",", static_cast<unsigned char>(c));
  return "<<" + text + ">>";
}

std::string erlang_term(const FieldValue& value, ErlangFormat format) { return print_term(value, format, 0); }

std::string erlang_table(ByteView table, ErlangFormat format) { return print_table(table, format, 0); }

}  // namespace quorate
