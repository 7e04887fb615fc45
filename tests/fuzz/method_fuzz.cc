// Any bytes as the payload of a method frame: what can be read can be written, printed and read back from its text.
#include <string>
#include <vector>

#include "base/check.h"
#include "broker/amqp/method_codec.h"

using namespace quorate;
using namespace quorate::amqp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto method = decode_method({reinterpret_cast<const std::byte*>(data), size});
  if (!method) {
    CHECK_LE(to_amqp_error(method.error()).reply_text().size(), 255u);
    return 0;
  }
  std::vector<std::byte> written;
  encode_method(*method, written);
  CHECK_EQ(written.size(), size);
  const auto again = decode_method(written);
  CHECK(again.has_value());
  const std::string text = print(*method);
  CHECK(print(*again) == text);
  const auto parsed = parse_method(text);
  CHECK(parsed.has_value() || text.find("=malformed") != std::string::npos);
  if (parsed) CHECK(print(parsed->method()) == text);
  return 0;
}
