// Any bytes as a field table. Reading is idempotent through bytes and through text, and both checks agree.
#include <optional>
#include <vector>

#include "base/check.h"
#include "broker/amqp/field_text.h"
#include "broker/amqp/table_codec.h"

using namespace quorate;
using namespace quorate::amqp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto table = decode_table(bytes);
  const auto valid = validate_table(bytes);
  CHECK_EQ(table.has_value(), valid.has_value());
  if (!table) {
    CHECK(table.error() == valid.error());
    find_field(bytes, "x-match");
    return 0;
  }
  CHECK(is_encodable(*table));
  const auto written = encode_table(*table);
  CHECK_EQ(written.size(), size);
  const auto again = decode_table(written);
  CHECK(again.has_value());
  CHECK(encode_table(*again) == written);  // compared as bytes because NaN differs from itself
  const auto parsed = parse_table(print_table(*table));
  CHECK(parsed.has_value());
  CHECK(print_table(*parsed) == print_table(*table));
  for (const auto& [name, value] : table->fields) {
    const std::optional<Value> found = find_field(bytes, name);
    CHECK(found.has_value());
    CHECK(print_value(*found) == print_value(*table->find(name)));
  }
  return 0;
}
