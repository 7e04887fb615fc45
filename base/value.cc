#include "base/value.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

namespace quorate {

const Value* Table::find(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return &value;
  }
  return nullptr;
}

bool Table::operator==(const Table& other) const { return fields == other.fields; }
bool Array::operator==(const Array& other) const { return items == other.items; }

bool Value::integer(std::int64_t& out) const {
  return std::visit(
      [&](const auto& value) {
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          out = static_cast<std::int64_t>(value);
          return true;
        }
        return false;
      },
      variant_);
}

std::string_view Value::type_name() const {
  static constexpr std::array<std::string_view, std::variant_size_v<Variant>> kNames = {
      "void",  "bool",   "byte",    "unsignedbyte", "short",  "unsignedshort", "signedint", "unsignedint", "long",
      "float", "double", "decimal", "longstr",      "binary", "timestamp",     "array",     "table"};
  return kNames[variant_.index()];
}

std::string Value::print() const {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Void>) return "undefined";
        if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
        if constexpr (std::is_same_v<T, std::string>) return value;
        if constexpr (std::is_same_v<T, ByteArray>) return value.octets;
        if constexpr (std::is_same_v<T, Timestamp>) return fmt::format("{}", value.seconds);
        if constexpr (std::is_same_v<T, Decimal>) return fmt::format("{}e-{}", value.unscaled, value.scale);
        if constexpr (std::is_same_v<T, Array>) {
          std::string text;
          for (const Value& item : value.items) text += (text.empty() ? "" : ",") + item.print();
          return "[" + text + "]";
        }
        if constexpr (std::is_same_v<T, Table>) {
          std::string text;
          for (const auto& [name, field] : value.fields) {
            text += (text.empty() ? "" : ",") + name + "=" + field.print();
          }
          return "{" + text + "}";
        }
        if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) return fmt::format("{}", value);
        return {};
      },
      variant_);
}

}  // namespace quorate
