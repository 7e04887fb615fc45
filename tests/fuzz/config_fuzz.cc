// Any text as a configuration file. What is accepted is printed as text that reads back equal.
#include <string_view>

#include "base/check.h"
#include "broker/node/config.h"

using namespace quorate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool reads_the_world =
      text.find("include") != std::string_view::npos || text.find("$(") != std::string_view::npos;
  if (reads_the_world) return 0;
  const auto loaded = parse_config(text, "fuzz.conf");
  if (!loaded) {
    CHECK(!loaded.error().text.empty());
    return 0;
  }
  auto again = parse_config(print_config(loaded->config), "printed.conf");
  CHECK(again.has_value());
  again->config.default_pass = loaded->config.default_pass;  // secrets are not printed
  again->config.anonymous_login_pass = loaded->config.anonymous_login_pass;
  again->config.tls.key_password = loaded->config.tls.key_password;
  CHECK(again->config == loaded->config);
  return 0;
}
