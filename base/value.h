// Value and Table: the arguments of declarations, headers and properties, decoded. The types are AMQP's field types
// as RabbitMQ spells them (features.md P045); how they look on the wire is broker/amqp/table_codec.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace quorate {

class Value;

/// Name and value in the order of the wire; names may repeat, find() returns the first.
struct Table {
  std::vector<std::pair<std::string, Value>> fields;
  const Value* find(std::string_view name) const;
  bool operator==(const Table&) const;
};

struct Array {
  std::vector<Value> items;
  bool operator==(const Array&) const;
};

struct Decimal {
  std::uint8_t scale = 0;
  std::uint32_t unscaled = 0;
  bool operator==(const Decimal&) const = default;
};

/// Seconds since 1970.
struct Timestamp {
  std::uint64_t seconds = 0;
  bool operator==(const Timestamp&) const = default;
};

struct ByteArray {
  std::string octets;
  bool operator==(const ByteArray&) const = default;
};

struct Void {
  bool operator==(const Void&) const = default;
};

class Value {
 public:
  using Variant =
      std::variant<Void, bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                   std::int64_t, float, double, Decimal, std::string, ByteArray, Timestamp, Array, Table>;

  Value() = default;
  template <class T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Value> && std::is_constructible_v<Variant, T>)
  Value(T&& value) : variant_(std::forward<T>(value)) {}  // NOLINT: a Value is any of its alternatives

  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&variant_);
  }
  const Variant& variant() const { return variant_; }

  /// True with the value for any integer type; the width on the wire does not matter to RabbitMQ's checks.
  bool integer(std::int64_t& out) const;
  /// RabbitMQ's name of the type in its error texts: "longstr", "signedint", "bool", …
  std::string_view type_name() const;
  /// The value as RabbitMQ's error texts print it.
  std::string print() const;

  bool operator==(const Value&) const = default;

 private:
  Variant variant_;
};

}  // namespace quorate
