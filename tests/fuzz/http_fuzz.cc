// Any bytes as what an operator's client sends: the first line a path with its query, the rest a body for a control
// command. Nothing aborts, and every request is answered once.
#include <boost/json/parse.hpp>
#include <optional>

#include "base/check.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "broker/http/api.h"
#include "broker/http/endpoints.h"
#include "broker/http/json_fields.h"
#include "tests/broker/http/fake_view.h"

using namespace quorate;

namespace {

struct World {
  World() : api(view, http::api_routes()), control(view, ctl::commands()) {
    view.put_queue("/", "q", 3);
    view.put_connection("127.0.0.1:1 -> 127.0.0.1:5672", "guest");
  }
  http::FakeView view;
  http::Api api;
  ctl::Control control;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(text.find('\n'), text.size());
  const std::string target(text.substr(0, end));
  const std::string body(text.substr(std::min(end + 1, text.size())));

  World world;
  int answers = 0;
  const auto take = [&](const http::Response& response) {
    ++answers;
    if (response.body.empty()) return;
    boost::system::error_code error;
    boost::json::parse(response.body, error);
    CHECK(!error);
  };
  const auto get = [&](std::string authorization) {
    world.api.serve({.method = "GET",
                     .target = target,
                     .headers = {{"authorization", std::move(authorization)}},
                     .body = "",
                     .is_loopback = true},
                    take);
  };
  get("Basic Z3Vlc3Q6Z3Vlc3Q=");
  get(body);
  ctl::serve(world.control, {.method = "POST", .target = target, .headers = {}, .body = body}, take);
  CHECK_EQ(answers, 3);
  (void)ctl::read_reply(body);
  (void)http::json_table(body);
  return 0;
}
