// The command line of `quorate`. Pure: words in, a decision out; main.cc acts on it.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace quorate {

struct CommandLine {
  std::string config_file;               // empty = none; else for load_config
  std::vector<std::string> assignments;  // "key=value" in order, for load_config; --data-dir is one of them
  std::string reference;                 // --print-reference: print this page and exit 0
};

/// Either a start, or a text to print before exiting with `exit_code` (--help, --version, a mistake).
struct CommandLineOutcome {
  std::optional<CommandLine> start;
  std::string text;  // for standard output if exit_code is 0, else for standard error
  int exit_code = 0;
};

CommandLineOutcome parse_command_line(const std::vector<std::string>& arguments);

}  // namespace quorate
