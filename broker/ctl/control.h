// The control commands of a node: a table of rows, and the one entry through which every door runs them. A new command
// is a row in commands_that_*.cc and its function.
// A command takes named arguments as JSON and answers with JSON or with an error that carries the exit code which
// rabbitmqctl's users know (sysexits.h, management.md §3.2).
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/broker_view.h"

namespace quorate::ctl {

/// The timeout "infinity": ten years, so that no sum with it overflows.
constexpr std::chrono::milliseconds kForever = std::chrono::years(10);

/// Exit codes, by their names in sysexits.h.
enum class Exit : int {
  ok = 0,
  usage = 64,
  dataerr = 65,  // a name that is not there, a pattern that does not compile
  nouser = 67,
  unavailable = 69,  // the node is not there, or a check failed
  software = 70,
  tempfail = 75,  // out of time
};

struct CommandError {
  Exit exit = Exit::unavailable;
  std::string text;
  bool operator==(const CommandError&) const = default;
};

/// What a command says to a person (`text`) and to a program (`data`); a list is an array of objects and has no text.
struct Answer {
  boost::json::value data;
  std::string text;
};

using Outcome = std::expected<Answer, CommandError>;
/// Called once, on the thread of the BrokerView.
using Done = std::move_only_function<void(Outcome)>;

struct Command {
  std::string_view name;
  /// Words: "username" must be there; "password<" is read from the terminal when it is not; "column*" is any number.
  std::string_view arguments;
  /// Words: "vhost=" and "tags=" take a value, and the vhost is "/" unless given; "local" is there or not, and so is
  /// "e,if-empty", which may be written -e.
  std::string_view options;
  /// The line before the answer. {name} stands for an argument or option, {node} for the node.
  std::string_view banner;
  /// Of a list: its columns, those shown unless others are asked for before the '|'.
  std::string_view columns;
  void (*run)(http::BrokerView& view, const boost::json::object& arguments, Done done) = nullptr;
  Outcome (*here)(const boost::json::object& arguments) = nullptr;  // instead of `run`: needs no node
  std::string_view help;
  bool waits_for_node = false;       // a client keeps trying until the node is there
  bool answers_early = false;        // also while the node looks for its cluster and knows nothing of queues and users
  std::chrono::seconds timeout{60};  // unless another one is given
  bool changes = false;              // of all in commands_that_change.cc: who did it is logged, and what came of it

  bool is_list() const { return !columns.empty(); }
};

/// "name messages" of "name messages | durable type".
std::vector<std::string_view> default_columns(const Command& command);
std::vector<std::string_view> all_columns(const Command& command);
std::vector<std::string_view> words(std::string_view text);

/// One word of Command::options.
struct OptionWord {
  std::string_view name;
  std::string_view letter;  // "" = none
  bool has_value = false;
};
OptionWord parse_option(std::string_view word);

const Command* find_command(std::span<const Command> commands, std::string_view name);

class Control {
 public:
  /// Both outlive the Control and every answer.
  Control(http::BrokerView& view, std::span<const Command> commands) : view_(view), commands_(commands) {}

  /// Checks the arguments, runs the command, and of a list keeps the columns asked for ("column": [names]), in that
  /// order.
  void run(std::string_view command, boost::json::object arguments, Done done);

  std::string_view node_name() const { return view_.node_name(); }
  std::span<const Command> commands() const { return commands_; }

 private:
  http::BrokerView& view_;
  std::span<const Command> commands_;
};

}  // namespace quorate::ctl
