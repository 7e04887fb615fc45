// Control before a broker of the test's making: what a command answers, in one line.
#pragma once
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/ctl/control.h"
#include "tests/broker/http/fake_view.h"

namespace quorate::ctl {

namespace json = boost::json;

class ControlTest : public testing::Test {
 protected:
  Outcome run(std::string_view command, std::string_view arguments = "{}") {
    std::optional<Outcome> outcome;
    Control(view, commands()).run(command, json::parse(arguments).as_object(), [&](Outcome answer) {
      outcome = std::move(answer);
    });
    CHECK(outcome.has_value());
    return std::move(*outcome);
  }
  /// "exit text" of an error.
  std::string error(std::string_view command, std::string_view arguments = "{}") {
    const Outcome outcome = run(command, arguments);
    if (outcome) return "no error";
    return std::to_string(static_cast<int>(outcome.error().exit)) + " " + outcome.error().text;
  }
  std::string data(std::string_view command, std::string_view arguments = "{}") {
    const Outcome outcome = run(command, arguments);
    return outcome ? json::serialize(outcome->data) : error(command, arguments);
  }

  http::FakeView view;
};

}  // namespace quorate::ctl
