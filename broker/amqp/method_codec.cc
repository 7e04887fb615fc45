#include "broker/amqp/method_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/describe/members.hpp>
#include <boost/mp11.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <charconv>
#include <deque>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/amqp/table_codec.h"

namespace quorate::amqp {
namespace {

constexpr std::size_t kShortStringMaxBytes = 255;

/// Calls f(name, member pointer) for each field of T in the order of its row.
template <class T, class F>
constexpr void for_each_field(F&& f) {
  using Fields = boost::describe::describe_members<T, boost::describe::mod_public>;
  static_assert(boost::mp11::mp_size<Fields>::value == boost::pfr::tuple_size_v<T>,
                "AMQP_METHOD must list every field of the struct");
  boost::mp11::mp_for_each<Fields>([&](auto field) { f(std::string_view{field.name}, field.pointer); });
}

bool is_reserved(std::string_view field) { return field.starts_with("reserved_"); }

// --- bytes ---

class MethodReader {
 public:
  explicit MethodReader(ByteView payload) : bytes_(payload) {}

  template <std::unsigned_integral T>
  void read(T& value) {
    bits_left_ = 0;
    bytes_.read(value);
  }
  void read(ShortString& value) { read_text<std::uint8_t>(value.text); }
  void read(LongString& value) { read_text<std::uint32_t>(value.text); }
  void read(TableView& value) { value.encoded = read_octets<std::uint32_t>(); }
  void read(Bit& value) {
    if (bits_left_ == 0) {
      bytes_.read(bits_);
      bits_left_ = 8;
    }
    value.on = (bits_ & 1) != 0;
    bits_ >>= 1;
    --bits_left_;
  }
  bool failed() const { return bytes_.failed(); }
  bool done() const { return bytes_.done(); }

 private:
  template <class Size>
  ByteView read_octets() {
    bits_left_ = 0;
    Size size = 0;
    ByteView octets;
    if (bytes_.read(size)) bytes_.read_bytes(size, octets);
    return octets;
  }
  template <class Size>
  void read_text(std::string_view& text) {
    text = as_text(read_octets<Size>());
  }

  ByteReader bytes_;  // once failed, every read fails: asked once at the end
  std::uint8_t bits_ = 0;
  int bits_left_ = 0;
};

class MethodWriter {
 public:
  explicit MethodWriter(std::vector<std::byte>& out) : out_(out), bytes_(out) {}

  template <std::unsigned_integral T>
  void write(T value) {
    bit_count_ = 0;
    bytes_.write(value);
  }
  void write(ShortString value) {
    CHECK_LE(value.text.size(), kShortStringMaxBytes);
    write(static_cast<std::uint8_t>(value.text.size()));
    bytes_.write_bytes(as_bytes(value.text));
  }
  void write(LongString value) { write_long(as_bytes(value.text)); }
  void write(TableView value) { write_long(value.encoded); }
  void write(Bit value) {
    if (bit_count_ % 8 == 0) out_.push_back(std::byte{0});
    if (value) out_.back() |= std::byte{1} << (bit_count_ % 8);
    ++bit_count_;
  }

 private:
  void write_long(ByteView octets) {
    CHECK_LE(octets.size(), std::size_t{UINT32_MAX});
    write(static_cast<std::uint32_t>(octets.size()));
    bytes_.write_bytes(octets);
  }

  std::vector<std::byte>& out_;
  ByteWriter bytes_;
  unsigned bit_count_ = 0;  // neighbours so far; their octet is the last of out_
};

// --- text ---

/// " name=value", or nothing for a value that says nothing.
class FieldPrinter {
 public:
  explicit FieldPrinter(std::string& out) : out_(out) {}

  template <std::unsigned_integral T>
  void print(std::string_view name, T value) {
    put(name, fmt::format("{}", value));
  }
  void print(std::string_view name, Bit value) {
    if (value) put(name, "true");
  }
  void print(std::string_view name, ShortString value) { print_text(name, value.text); }
  void print(std::string_view name, LongString value) { print_text(name, value.text); }
  void print(std::string_view name, TableView value) {
    if (value.encoded.empty()) return;
    const auto table = decode_table(value.encoded);
    put(name, table ? print_table(*table) : "malformed");
  }

 private:
  void print_text(std::string_view name, std::string_view text) {
    if (!text.empty()) put(name, quote_text(text));
  }
  void put(std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(out_), " {}={}", name, value);
  }

  std::string& out_;
};

/// Gives the fields of one method their values from text, and keeps what they then borrow.
class FieldParser {
 public:
  explicit FieldParser(std::vector<Assignment> assignments) : assignments_(std::move(assignments)) {
    used_.resize(assignments_.size());
  }

  template <class T>
  void parse(std::string_view name, T& field) {
    for (std::size_t i = 0; i < assignments_.size(); ++i) {
      if (assignments_[i].name != name || used_[i]) continue;
      used_[i] = true;
      if (const auto error = set(field, assignments_[i].value)) error_ = fmt::format("{}: {}", name, *error);
      return;
    }
  }

  const std::string& error() const { return error_; }
  std::vector<Assignment> others() && {
    std::vector<Assignment> others;
    for (std::size_t i = 0; i < assignments_.size(); ++i) {
      if (!used_[i]) others.push_back(std::move(assignments_[i]));
    }
    return others;
  }

 private:
  using Complaint = std::optional<std::string>;

  template <std::unsigned_integral T>
  static Complaint set(T& field, std::string_view text) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
    if (error == std::errc() && end == text.data() + text.size()) return std::nullopt;
    return fmt::format("'{}' is no number of {} bits", text, 8 * sizeof(T));
  }
  static Complaint set(Bit& field, std::string_view text) {
    field.on = text == "true";
    return text == "true" || text == "false" ? std::nullopt : Complaint("expected true or false");
  }
  static Complaint set(ShortString& field, std::string_view text) {
    field.text = text;
    return text.size() <= kShortStringMaxBytes ? std::nullopt : Complaint("longer than 255 octets");
  }
  static Complaint set(LongString& field, std::string_view text) {
    field.text = text;
    return std::nullopt;
  }
  Complaint set(TableView& field, std::string_view text) {
    const auto table = parse_table(text);
    if (!table) return table.error();
    if (!is_encodable(*table)) return "a name is longer than 255 octets";
    tables_.push_back(encode_table(*table));
    field.encoded = tables_.back();
    return std::nullopt;
  }

  std::vector<Assignment> assignments_;
  std::vector<bool> used_;
  std::deque<std::vector<std::byte>> tables_;
  std::string error_;
};

template <std::unsigned_integral T>
std::string type_name(T) {
  return fmt::format("u{}", 8 * sizeof(T));
}
std::string type_name(Bit) { return "bit"; }
std::string type_name(ShortString) { return "shortstr"; }
std::string type_name(LongString) { return "longstr"; }
std::string type_name(TableView) { return "table"; }

// --- one row per method ---

template <class T>
bool decode_as(MethodReader& reader, Method& out) {
  T& method = out.emplace<T>();
  for_each_field<T>([&](std::string_view, auto member) { reader.read(method.*member); });
  return !reader.failed();
}

/// The payload, or nothing when the parser has an error.
template <class T>
std::vector<std::byte> parse_as(FieldParser& parser) {
  T method;
  for_each_field<T>([&](std::string_view name, auto member) { parser.parse(name, method.*member); });
  std::vector<std::byte> payload;
  if (parser.error().empty()) encode_method(method, payload);
  return payload;
}

template <class T>
std::string describe_fields() {
  std::string text;
  for_each_field<T>([&](std::string_view name, auto member) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, type_name(T{}.*member));
  });
  return text;
}

struct MethodRow {
  std::uint32_t id = 0;
  std::string_view name;
  bool (*decode)(MethodReader&, Method&) = nullptr;
  std::vector<std::byte> (*parse)(FieldParser&) = nullptr;
  std::string (*describe)() = nullptr;
};

template <class... T>
constexpr auto make_rows(std::type_identity<std::variant<T...>>) {
  std::array rows = {
      MethodRow{MethodInfo<T>::id, MethodInfo<T>::name, &decode_as<T>, &parse_as<T>, &describe_fields<T>}...};
  std::ranges::sort(rows, {}, &MethodRow::id);
  return rows;
}
constexpr auto kRows = make_rows(std::type_identity<Method>{});
static_assert(std::ranges::adjacent_find(kRows, {}, &MethodRow::id) == kRows.end(), "two methods share an id");

const MethodRow* find_row(std::uint32_t id) {
  const auto* row = std::ranges::lower_bound(kRows, id, {}, &MethodRow::id);
  return row != kRows.end() && row->id == id ? row : nullptr;
}

const MethodRow* find_row(std::string_view name) {
  const auto* row = std::ranges::find(kRows, name, &MethodRow::name);
  return row != kRows.end() ? row : nullptr;
}

template <class T>
using InfoOf = MethodInfo<std::remove_cvref_t<T>>;

}  // namespace

std::uint32_t full_id(const Method& method) {
  return std::visit([](const auto& held) { return InfoOf<decltype(held)>::id; }, method);
}

std::string_view method_name(const Method& method) {
  return std::visit([](const auto& held) { return InfoOf<decltype(held)>::name; }, method);
}

std::string_view method_name(std::uint32_t full_id) {
  const MethodRow* row = find_row(full_id);
  return row == nullptr ? "" : row->name;
}

AmqpError to_amqp_error(const MethodError& error) {
  const std::string name = fmt::format("{}", method_name(error.id));
  switch (error.kind) {
    case MethodError::Kind::unknown_method:
      return {.code = ReplyCode::not_implemented,
              .text = fmt::format("unknown method {{{},{}}}", class_id(error.id), method_id(error.id)),
              .method_id = error.id};
    case MethodError::Kind::truncated:
      return {.code = ReplyCode::syntax_error,
              .text = fmt::format("method '{}' is cut short", name),
              .method_id = error.id};
    case MethodError::Kind::trailing_bytes:
      return {.code = ReplyCode::syntax_error,
              .text = fmt::format("method '{}' has octets after its fields", name),
              .method_id = error.id};
  }
  std::unreachable();
}

std::expected<Method, MethodError> decode_method(ByteView payload) {
  using Kind = MethodError::Kind;
  MethodReader reader(payload);
  std::uint32_t id = 0;
  reader.read(id);
  if (reader.failed()) return std::unexpected(MethodError{.kind = Kind::truncated});
  const MethodRow* row = find_row(id);
  if (row == nullptr) return std::unexpected(MethodError{.kind = Kind::unknown_method, .id = id});
  std::expected<Method, MethodError> method;
  if (!row->decode(reader, *method)) return std::unexpected(MethodError{.kind = Kind::truncated, .id = id});
  if (!reader.done()) return std::unexpected(MethodError{.kind = Kind::trailing_bytes, .id = id});
  return method;
}

void encode_method(const Method& method, std::vector<std::byte>& out) {
  std::visit(
      [&](const auto& held) {
        using T = std::remove_cvref_t<decltype(held)>;
        MethodWriter writer(out);
        writer.write(MethodInfo<T>::id);
        for_each_field<T>([&](std::string_view, auto member) { writer.write(held.*member); });
      },
      method);
}

std::string print(const Method& method) {
  return std::visit(
      [](const auto& held) {
        using T = std::remove_cvref_t<decltype(held)>;
        std::string text(MethodInfo<T>::name);
        FieldPrinter printer(text);
        for_each_field<T>([&](std::string_view name, auto member) {
          if (!is_reserved(name)) printer.print(name, held.*member);
        });
        return text;
      },
      method);
}

Method OwnedMethod::method() const {
  const auto decoded = decode_method(payload);
  CHECK(decoded.has_value());
  return *decoded;
}

std::expected<OwnedMethod, std::string> parse_method(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view name = text.substr(0, text.find_first_of(kBlanks));
  const MethodRow* row = find_row(name);
  if (row == nullptr) return std::unexpected(fmt::format("'{}' is no method", name));
  auto assignments = split_assignments(text.substr(name.size()));
  if (!assignments) return std::unexpected(assignments.error());
  FieldParser parser(std::move(*assignments));
  OwnedMethod method{.payload = row->parse(parser)};
  if (!parser.error().empty()) return std::unexpected(fmt::format("{} {}", name, parser.error()));
  method.others = std::move(parser).others();
  return method;
}

std::string print_method_reference() {
  std::string text =
      "# AMQP 0-9-1 methods\n\n"
      "Printed from the rows of `broker/amqp/methods.h`; a test compares this page with them. Fields stand in the "
      "order "
      "of the\nwire. In transcripts they keep these names, and the reserved ones are never written.\n\n"
      "| method | class | method id | fields |\n|---|---|---|---|\n";
  for (const MethodRow& row : kRows) {
    text += fmt::format("| {} | {} | {} | {} |\n", row.name, class_id(row.id), method_id(row.id), row.describe());
  }
  return text;
}

}  // namespace quorate::amqp
