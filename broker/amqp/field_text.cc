#include "broker/amqp/field_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/limits.h"

namespace quorate::amqp {
namespace {

using ValueResult = std::expected<Value, std::string>;

constexpr std::string_view kBlanks = " \t\r\n";

bool is_bare(char character) {
  constexpr std::string_view kMeaningful = "\"\\{}[],=";
  return character > ' ' && character <= '~' && kMeaningful.find(character) == std::string_view::npos;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class T>
ValueResult number_value(std::string_view text) {
  if (const auto number = parse_number<T>(text)) return Value(*number);
  return std::unexpected(fmt::format("'{}' is no number of that type", text));
}

ValueResult timestamp_value(std::string_view text) {
  if (const auto seconds = parse_number<std::uint64_t>(text)) return Value(Timestamp{.seconds = *seconds});
  return std::unexpected(fmt::format("'{}' is no number of seconds", text));
}

/// 314e-2 is 3.14.
ValueResult decimal_value(std::string_view text) {
  const std::size_t split = text.find("e-");
  const bool is_split = split != std::string_view::npos;
  const auto unscaled = parse_number<std::uint32_t>(text.substr(0, split));
  const auto scale = is_split ? parse_number<std::uint8_t>(text.substr(split + 2)) : std::optional<std::uint8_t>(0);
  if (!unscaled || !scale) return std::unexpected(fmt::format("'{}' is no decimal: write 314e-2", text));
  return Value(Decimal{.scale = *scale, .unscaled = *unscaled});
}

struct TypeRow {
  std::string_view name;
  char tag = 'S';
  ValueResult (*parse)(std::string_view) = nullptr;
};

constexpr std::array kTypeRows = {
    TypeRow{"byte", 'b', number_value<std::int8_t>},
    TypeRow{"unsignedbyte", 'B', number_value<std::uint8_t>},
    TypeRow{"short", 's', number_value<std::int16_t>},
    TypeRow{"unsignedshort", 'u', number_value<std::uint16_t>},
    TypeRow{"signedint", 'I', number_value<std::int32_t>},
    TypeRow{"unsignedint", 'i', number_value<std::uint32_t>},
    TypeRow{"long", 'l', number_value<std::int64_t>},
    TypeRow{"float", 'f', number_value<float>},
    TypeRow{"double", 'd', number_value<double>},
    TypeRow{"decimal", 'D', decimal_value},
    TypeRow{"timestamp", 'T', timestamp_value},
    TypeRow{"binary", 'x',
            [](std::string_view text) -> ValueResult { return Value(ByteArray{.octets = std::string(text)}); }},
    TypeRow{"longstr", 'S', [](std::string_view text) -> ValueResult { return Value(std::string(text)); }},
};

const TypeRow* find_type(std::string_view name) {
  for (const TypeRow& row : kTypeRows) {
    if (name == row.name || (name.size() == 1 && name.front() == row.tag)) return &row;
  }
  return nullptr;
}

/// What a word without quotes and without a type means.
Value bare_value(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (text == "void") return Void{};
  if (const auto number = parse_number<std::int32_t>(text)) return *number;
  if (const auto number = parse_number<std::int64_t>(text)) return *number;
  const bool looks_numeric = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  const auto number = looks_numeric ? parse_number<double>(text) : std::nullopt;
  if (number && std::isfinite(*number)) return *number;
  return std::string(text);
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    switch (character) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (character >= ' ' && character <= '~') {
          quoted += character;
        } else {
          quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(character));
        }
    }
  }
  return quoted + '"';
}

/// Reads the grammar of field_text.h from the front of a text.
class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool at(char character) const { return !text_.empty() && text_.front() == character; }
  bool take(char character) {
    if (!at(character)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(kBlanks), text_.size())); }

  ValueResult value(unsigned depth = 0) {
    if (depth > limits::kTableDepthMax) return std::unexpected("nested too deep");
    skip_blanks();
    if (take('{')) return wrap(fields('}', depth + 1));
    if (take('[')) return wrap(items(depth + 1));
    if (at('"')) return quoted_value();
    return unquoted_value();
  }

  /// Fields up to `end`, or up to the end of the text if `end` is 0.
  std::expected<Table, std::string> fields(char end, unsigned depth) {
    Table table;
    for (skip_blanks(); !closes(end); skip_blanks()) {
      auto name = this->name();
      if (!name) return std::unexpected(name.error());
      if (!take('=')) return std::unexpected(fmt::format("'=' is missing after '{}'", *name));
      auto field = value(depth);
      if (!field) return std::unexpected(field.error());
      table.fields.emplace_back(std::move(*name), std::move(*field));
      skip_blanks();
      if (!take(',') && !ends(end)) return std::unexpected(fmt::format("',' is missing before '{}'", text_));
    }
    return table;
  }

  /// The text between quotes; the reader stands on the first.
  std::expected<std::string, std::string> quoted() {
    take('"');
    std::string text;
    while (!text_.empty() && !at('"')) {
      char character = next();
      if (character == '\\') {
        const auto escaped = escape();
        if (!escaped) return std::unexpected("an escape is malformed");
        character = *escaped;
      }
      text += character;
    }
    if (!take('"')) return std::unexpected("a quote is not closed");
    return text;
  }

  /// Characters of which none has a meaning.
  std::string_view word() {
    std::size_t size = 0;
    while (size < text_.size() && is_bare(text_[size])) ++size;
    const std::string_view word = text_.substr(0, size);
    text_.remove_prefix(size);
    return word;
  }

  std::expected<std::string, std::string> name() {
    if (at('"')) return quoted();
    std::string name(word());
    if (name.empty()) return std::unexpected(fmt::format("a name is missing before '{}'", text_));
    return name;
  }

  std::string_view rest() const { return text_; }

 private:
  template <class T>
  static ValueResult wrap(std::expected<T, std::string> nested) {
    if (!nested) return std::unexpected(nested.error());
    return Value(std::move(*nested));
  }

  bool ends(char end) const { return end == 0 ? done() : at(end); }
  bool closes(char end) { return end == 0 ? done() : take(end); }

  char next() {
    const char character = text_.front();
    text_.remove_prefix(1);
    return character;
  }

  std::optional<char> escape() {
    if (text_.empty()) return std::nullopt;
    const char character = next();
    switch (character) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case '"':
      case '\\':
        return character;
      case 'x':
        break;
      default:
        return std::nullopt;
    }
    constexpr std::size_t kDigits = 2;
    if (text_.size() < kDigits) return std::nullopt;
    const std::string_view digits = text_.substr(0, kDigits);
    unsigned octet = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), octet, 16);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    text_.remove_prefix(kDigits);
    return static_cast<char>(octet);
  }

  std::expected<Array, std::string> items(unsigned depth) {
    Array array;
    for (skip_blanks(); !take(']'); skip_blanks()) {
      auto item = value(depth);
      if (!item) return std::unexpected(item.error());
      array.items.push_back(std::move(*item));
      skip_blanks();
      if (!take(',') && !at(']')) return std::unexpected(fmt::format("',' is missing before '{}'", text_));
    }
    return array;
  }

  ValueResult quoted_value() {
    const auto text = quoted();
    if (!text) return std::unexpected(text.error());
    if (!take(':')) return Value(*text);
    const std::string_view type = word();
    const TypeRow* row = find_type(type);
    if (row == nullptr) return std::unexpected(fmt::format("'{}' is no type", type));
    return row->parse(*text);
  }

  ValueResult unquoted_value() {
    const std::string_view text = word();
    if (text.empty()) return std::unexpected(fmt::format("a value is missing before '{}'", text_));
    const std::size_t colon = text.rfind(':');
    const TypeRow* row = colon == std::string_view::npos ? nullptr : find_type(text.substr(colon + 1));
    return row == nullptr ? bare_value(text) : row->parse(text.substr(0, colon));
  }

  std::string_view text_;
};

std::string print_text(const std::string& text) {
  std::string printed = quote_text(text);
  if (printed != text) return printed;
  const ValueResult read = TextReader(printed).value();
  return read && *read == Value(text) ? printed : quote(text);
}

std::string print_double(double value) {
  const std::string text = fmt::format("{}", value);
  return bare_value(text) == Value(value) ? text : text + ":d";
}

std::string print_long(std::int64_t value) {
  const bool is_signedint =
      value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max();
  return is_signedint ? fmt::format("{}:l", value) : fmt::format("{}", value);
}

std::string print_items(const Array& array) {
  std::string text;
  for (const Value& item : array.items) text += (text.empty() ? "" : ",") + print_value(item);
  return "[" + text + "]";
}

/// One overload per type that Value holds.
struct Printer {
  std::string operator()(const Void&) const { return "void"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int8_t value) const { return fmt::format("{}:b", value); }
  std::string operator()(std::uint8_t value) const { return fmt::format("{}:B", value); }
  std::string operator()(std::int16_t value) const { return fmt::format("{}:s", value); }
  std::string operator()(std::uint16_t value) const { return fmt::format("{}:u", value); }
  std::string operator()(std::int32_t value) const { return fmt::format("{}", value); }
  std::string operator()(std::uint32_t value) const { return fmt::format("{}:i", value); }
  std::string operator()(std::int64_t value) const { return print_long(value); }
  std::string operator()(float value) const { return fmt::format("{}:f", value); }
  std::string operator()(double value) const { return print_double(value); }
  std::string operator()(const Decimal& value) const { return fmt::format("{}e-{}:D", value.unscaled, value.scale); }
  std::string operator()(const std::string& value) const { return print_text(value); }
  std::string operator()(const ByteArray& value) const { return quote(value.octets) + ":x"; }
  std::string operator()(const Timestamp& value) const { return fmt::format("{}:T", value.seconds); }
  std::string operator()(const Array& value) const { return print_items(value); }
  std::string operator()(const Table& value) const { return print_table(value); }
};

/// The first word of `text`: up to a blank that is neither quoted nor inside brackets.
std::string_view first_word(std::string_view text) {
  int depth = 0;
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (is_quoted) {
      if (character == '\\') ++i;
      is_quoted = character != '"';
    } else if (character == '"') {
      is_quoted = true;
    } else if (character == '{' || character == '[') {
      ++depth;
    } else if (character == '}' || character == ']') {
      --depth;
    } else if (depth <= 0 && kBlanks.find(character) != std::string_view::npos) {
      return text.substr(0, i);
    }
  }
  return text;
}

std::expected<Assignment, std::string> parse_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return std::unexpected(fmt::format("'{}' is not of the form name=value", word));
  }
  const std::string_view value = word.substr(equals + 1);
  Assignment assignment{.name = std::string(word.substr(0, equals)), .value = std::string(value)};
  if (!value.starts_with('"')) return assignment;
  TextReader reader(value);
  auto text = reader.quoted();
  if (!text) return std::unexpected(text.error());
  if (!reader.done()) return assignment;  // a value with a type, such as "…":x
  assignment.value = std::move(*text);
  assignment.quoted = true;
  return assignment;
}

}  // namespace

std::expected<std::vector<Assignment>, std::string> split_assignments(std::string_view text) {
  std::vector<Assignment> assignments;
  TextReader reader(text);
  for (reader.skip_blanks(); !reader.done(); reader.skip_blanks()) {
    const std::string_view word = first_word(reader.rest());
    auto assignment = parse_assignment(word);
    if (!assignment) return std::unexpected(assignment.error());
    assignments.push_back(std::move(*assignment));
    reader = TextReader(reader.rest().substr(word.size()));
  }
  return assignments;
}

std::string print_value(const Value& value) { return std::visit(Printer{}, value.variant()); }

std::string print_table(const Table& table) {
  std::string text;
  for (const auto& [name, value] : table.fields) {
    text += (text.empty() ? "" : ",") + quote_text(name) + "=" + print_value(value);
  }
  return "{" + text + "}";
}

std::expected<Value, std::string> parse_value(std::string_view text) {
  TextReader reader(text);
  auto value = reader.value();
  if (!value) return value;
  reader.skip_blanks();
  if (!reader.done()) return std::unexpected(fmt::format("'{}' is left over", reader.rest()));
  return value;
}

std::expected<Table, std::string> parse_table(std::string_view text) {
  TextReader reader(text);
  reader.skip_blanks();
  const char end = reader.take('{') ? '}' : '\0';
  auto table = reader.fields(end, 1);
  if (!table) return table;
  reader.skip_blanks();
  if (!reader.done()) return std::unexpected(fmt::format("'{}' is left over", reader.rest()));
  return table;
}

std::string quote_text(std::string_view text) {
  for (const char character : text) {
    if (!is_bare(character)) return quote(text);
  }
  return text.empty() ? "\"\"" : std::string(text);
}

}  // namespace quorate::amqp
