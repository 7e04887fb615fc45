#include "broker/node/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "broker/node/config_keys.h"

namespace quorate {

CommandLineOutcome parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  std::string data_dir;
  CLI::App app{"A clustered message broker for AMQP 0-9-1 clients.", "quorate"};
  app.add_option("--config", line.config_file, "A file in rabbitmq.conf's format, or a folder of *.conf")
      ->type_name("FILE")
      ->envname("RABBITMQ_CONFIG_FILE");
  app.add_option("--data-dir", data_dir, "Folder of everything the node keeps; wins over data_dir")->type_name("DIR");
  app.add_option("--set", line.assignments, "Sets one key; wins over the file. May be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--print-reference", line.reference, "Prints a page of docs/reference: methods or config")
      ->type_name("PAGE")
      ->check(CLI::IsMember({"methods", "config"}));
  app.set_version_flag("--version", "quorate " QUORATE_VERSION);
  app.footer("Configuration keys [default]:\n" + config_key_summary());

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes words from the back
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream mistake;
    const int code = app.exit(error, out, mistake);
    return {.start = std::nullopt, .text = code == 0 ? out.str() : mistake.str(), .exit_code = code == 0 ? 0 : 2};
  }
  if (!data_dir.empty()) line.assignments.push_back("data_dir=" + data_dir);
  return {.start = std::move(line), .text = "", .exit_code = 0};
}

}  // namespace quorate
