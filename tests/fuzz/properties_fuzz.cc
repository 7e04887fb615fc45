// Any bytes as the properties of a content header: once accepted, no accessor may fail, and writing them again says
// the same.
#include <string>
#include <vector>

#include "base/check.h"
#include "broker/amqp/properties.h"

using namespace quorate;
using namespace quorate::amqp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto view = PropertiesView::parse({reinterpret_cast<const std::byte*>(data), size});
  if (!view) return 0;
  const Properties properties = Properties::from(*view);
  const auto written = encode_properties(properties);
  CHECK_EQ(written.size(), size);
  const auto again = PropertiesView::parse(written);
  CHECK(again.has_value());
  const std::string text = print(*view);
  CHECK(print(*again) == text);
  const auto assignments = split_assignments(text);
  CHECK(assignments.has_value());
  const auto parsed = parse_properties(*assignments);
  CHECK(parsed.has_value());
  CHECK(print(parsed->properties) == text);
  return 0;
}
