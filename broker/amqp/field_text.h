// Values and tables as text, for logs, docs and transcripts: {x-max-length=10,x-mode=lazy,nested={on=true},list=[1,2]}.
// Whatever Value holds is printed so that it is read back as the same type:
//
//   value  := true | false | void | number | number:type | text | text:type | "quoted" | {table} | [array]
//   number := 10 (signedint, long when it does not fit), 1.5 (double)
//   type   := byte unsignedbyte short unsignedshort signedint unsignedint long float double decimal timestamp binary
//             or the tag of the wire: b B s u I i l f d D T x S
//
// Inside quotes a backslash escapes a quote, a backslash, n, r, t and xHH.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace quorate::amqp {

/// One `name=value` of a transcript line. `value` is unquoted; `quoted` says that it was quoted and is text for sure.
struct Assignment {
  std::string name;
  std::string value;
  bool quoted = false;
  bool operator==(const Assignment&) const = default;
};

/// Splits `a=1 b="two words" c={x=1, y=2}` at blanks outside quotes and brackets.
std::expected<std::vector<Assignment>, std::string> split_assignments(std::string_view text);

std::string print_value(const Value& value);
std::string print_table(const Table& table);
std::expected<Value, std::string> parse_value(std::string_view text);
/// With or without the braces around it.
std::expected<Table, std::string> parse_table(std::string_view text);

/// `text` as it stands if no reader could misunderstand it, else in quotes.
std::string quote_text(std::string_view text);

}  // namespace quorate::amqp
