// FieldCursor: the fields of an encoded table, read where they lie. What routes or logs in by a table looks at a few
// of its fields and needs no decoded Table; nothing is copied or allocated. The grammar is in
// broker/amqp/table_codec.h. Also how Erlang would compare and print such fields, because RabbitMQ's routing and its
// error texts follow from that.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace quorate {

/// Borrows the table's bytes.
struct FieldValue {
  char tag = 'V';
  ByteView payload;  // without the size in front of strings, arrays and tables

  /// The octets of a long string ('S'); none for any other type.
  std::optional<std::string_view> text() const;
};

struct Field {
  std::string_view name;
  FieldValue value;
};

/// Steps through a table (next) or an array (next_value). Ends early at the first malformed field.
class FieldCursor {
 public:
  explicit FieldCursor(ByteView encoded) : rest_(encoded) {}
  bool next(Field& out);
  bool next_value(FieldValue& out);
  bool malformed() const { return malformed_; }

 private:
  bool fail();

  ByteView rest_;
  bool malformed_ = false;
};

/// The first field of that name.
std::optional<FieldValue> find_field_value(ByteView table, std::string_view name);

/// Erlang's =:= of what RabbitMQ decodes: integers and timestamps are equal across widths, so are float and double,
/// and longstr and binary; an integer never equals a float or a text. Arrays and tables compare with their types.
bool is_exactly_equal(const FieldValue& a, const FieldValue& b);

/// RabbitMQ's name of the type: "longstr", "signedint", …
std::string_view type_name(const FieldValue& value);

/// How Erlang writes a term: ~p prints printable binaries as text, ~w never does.
enum class ErlangFormat : std::uint8_t { p, w };
std::string erlang_binary(std::string_view octets, ErlangFormat format);
std::string erlang_term(const FieldValue& value, ErlangFormat format);
std::string erlang_table(ByteView table, ErlangFormat format);

}  // namespace quorate
