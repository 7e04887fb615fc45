#include "broker/ctl/invocation.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "broker/ctl/descriptions.h"

namespace quorate::ctl {
namespace {

namespace json = boost::json;

constexpr std::string_view kDefaultDataDir = "/var/lib/quorate";

/// Where CLI11 puts what belongs to one command.
struct Slots {
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, std::vector<std::string>, std::less<>> lists;
  std::map<std::string, bool, std::less<>> flags;
};

/// What belongs to all.
struct Common {
  std::string vhost;
  std::string format;
  std::string timeout;
  bool no_headers = false;
  bool long_names = false;
};

struct NamedFormat {
  std::string_view name;
  Format format = Format::table;
};
constexpr NamedFormat kFormats[] = {
    {"table", Format::table}, {"pretty_table", Format::pretty_table}, {"json", Format::json}, {"csv", Format::csv}};

std::vector<std::string> names_of_formats() {
  std::vector<std::string> names;
  for (const NamedFormat& format : kFormats) names.emplace_back(format.name);
  return names;
}

/// Nothing when it is none.
std::optional<std::chrono::milliseconds> read_timeout(std::string_view text) {
  if (text == "infinity") return kForever;
  double seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (fault != std::errc{} || end != text.data() + text.size() || !(seconds > 0)) return std::nullopt;
  const std::chrono::duration<double> timeout(seconds);
  if (timeout >= kForever) return kForever;
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(timeout), std::chrono::milliseconds(1));
}

constexpr std::string_view kVhost = "vhost=";
constexpr std::string_view kHelp = "help";

/// "-e,--if-empty"
std::string spelling(const OptionWord& option) {
  const std::string name = "--" + std::string(option.name);
  return option.letter.empty() ? name : "-" + std::string(option.letter) + "," + name;
}

void add_common_options(CLI::App& app, Invocation& invocation, Common& common) {
  app.add_option("--data-dir", invocation.data_dir, "Data directory of the node: its socket is there")
      ->envname("QUORATE_DATA_DIR")
      ->default_str(std::string(kDefaultDataDir));
  app.add_option("-n,--node", invocation.node, "Name that the node must have; of a remote node [NAME@]HOST[:PORT]")
      ->envname("RABBITMQ_NODENAME");
  app.add_option("--secret-file", invocation.secret_file,
                 "File with the secret of the cluster, for a node on another machine")
      ->envname("QUORATE_SECRET_FILE");
  app.add_option("--cacertfile", invocation.tls.cacertfile, "The same by TLS: authority of the nodes' certificates");
  app.add_option("--certfile", invocation.tls.certfile, "A certificate of that authority");
  app.add_option("--keyfile", invocation.tls.keyfile, "Its private key");
  app.add_option("-p,--vhost", common.vhost, "Virtual host of the command")->default_str("/");
  app.add_option("-t,--timeout", common.timeout, "Until the answer must be there; 60 unless given")
      ->option_text("SECONDS|infinity")
      ->check([](const std::string& text) {
        return read_timeout(text) ? "" : "must be a number of seconds above 0, or infinity";
      });
  app.add_option("--formatter", common.format, "How the answer looks")->check(CLI::IsMember(names_of_formats()));
  app.add_flag("-q,--quiet", invocation.quiet, "No banner");
  app.add_flag("-s,--silent", invocation.silent, "No banner and no names of columns");
  app.add_flag("--no-table-headers", common.no_headers, "No names of columns");
  app.add_flag("-l,--longnames", common.long_names, "Accepted: names have any form here");
}

std::string footer_of(const Command& command) {
  std::string footer = "Every command takes -n, -p, -t, -q, -s, --formatter and others: see --help without a command.";
  if (!command.is_list()) return footer;
  footer += "\n\nColumns:";
  for (const std::string_view column : all_columns(command)) footer += " " + std::string(column);
  return footer;
}

void add_command(CLI::App& app, const Command& command, Slots& slots) {
  CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.help));
  sub->fallthrough();
  for (std::string_view word : words(command.arguments)) {
    const char kind = word.back();
    if (kind == '*' || kind == '<') word.remove_suffix(1);
    const std::string name(word);
    const std::string meaning(describe_word(command.name, word));
    if (kind == '*') {
      sub->add_option(name, slots.lists[name], meaning);
    } else {
      auto* option = sub->add_option(name, slots.texts[name], meaning);
      if (kind != '<') option->required();
    }
  }
  for (const std::string_view word : words(command.options)) {
    if (word == kVhost) continue;  // belongs to all
    const OptionWord option = parse_option(word);
    const std::string name(option.name);
    const std::string meaning(describe_word(command.name, option.name));
    CLI::Option* added = option.has_value ? sub->add_option(spelling(option), slots.texts[name], meaning)
                                          : sub->add_flag(spelling(option), slots.flags[name], meaning);
    if (is_hidden(option.name)) added->group("");
  }
  sub->footer(footer_of(command));
}

void collect(const Command& command, const CLI::App& sub, const Slots& slots, const Common& common, Invocation& out) {
  for (std::string_view word : words(command.arguments)) {
    const char kind = word.back();
    if (kind == '*' || kind == '<') word.remove_suffix(1);
    const std::string name(word);
    if (kind == '*') {
      json::array items;
      for (const std::string& item : slots.lists.at(name)) items.push_back(json::value(item));
      if (!items.empty()) out.arguments[name] = std::move(items);
    } else if (kind == '<' && sub.get_option(name)->count() == 0) {
      out.from_terminal.push_back(name);
    } else {
      out.arguments[name] = slots.texts.at(name);
    }
  }
  for (const std::string_view word : words(command.options)) {
    const OptionWord option = parse_option(word);
    const std::string name(option.name);
    if (word == kVhost) {
      out.arguments[name] = common.vhost;
    } else if (sub.get_option("--" + name)->count() == 0) {
      continue;
    } else if (option.has_value) {
      out.arguments[name] = slots.texts.at(name);
    } else {
      out.arguments[name] = slots.flags.at(name);
    }
  }
}

/// The first word that could be a command and is none; empty when the mistake is another one.
std::string unknown_command(const CLI::App& app) {
  if (!app.get_subcommands().empty()) return {};
  for (const std::string& word : app.remaining()) {
    if (!word.empty() && word.front() != '-') return word;
  }
  return {};
}

/// Who shows a secret or a certificate means a listener for other nodes.
bool is_remote(const Invocation& invocation) {
  const cluster::PlaneTls& tls = invocation.tls;
  return !(invocation.secret_file.empty() && tls.cacertfile.empty() && tls.certfile.empty() && tls.keyfile.empty());
}

InvocationOutcome mistake(std::string text) {
  return {.run = std::nullopt, .text = "Error (argument validation): " + std::move(text), .exit = Exit::usage};
}

InvocationOutcome unknown(const std::string& command) {
  return mistake("Command '" + command + "' not found. --help lists them.");
}

InvocationOutcome explain(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream out;
  std::ostringstream ignored;
  if (app.exit(error, out, ignored) == 0) return {.run = std::nullopt, .text = out.str(), .exit = Exit::ok};
  const std::string command = unknown_command(app);
  return command.empty() ? mistake(error.what()) : unknown(command);
}

/// `help`, or `help COMMAND`.
InvocationOutcome help(CLI::App& app, std::span<const Command> commands, const std::string& command) {
  if (!command.empty() && find_command(commands, command) == nullptr) return unknown(command);
  app.clear();  // else it would be the help of what was parsed
  std::string text = command.empty() ? app.help() : app.get_subcommand(command)->help(app.get_name());
  return {.run = std::nullopt, .text = std::move(text), .exit = Exit::ok};
}

}  // namespace

InvocationOutcome parse_invocation(std::span<const Command> commands, const std::string& program,
                                   const std::vector<std::string>& arguments) {
  Invocation invocation;
  Common common;
  std::map<std::string, Slots, std::less<>> slots;
  CLI::App app{"Operates a running Quorate node.", program};
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);  // wider than the longest name of a command
  add_common_options(app, invocation, common);
  app.set_version_flag("--version", "quoratectl " QUORATE_VERSION);
  for (const Command& command : commands) add_command(app, command, slots[std::string(command.name)]);
  std::string asked;
  app.add_subcommand(std::string(kHelp), "Explains a command, or lists them")->add_option("command", asked);
  if (arguments.empty()) return {.run = std::nullopt, .text = app.help(), .exit = Exit::usage};

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes words from the back
  } catch (const CLI::ParseError& error) {
    return explain(app, error);
  }
  const std::string chosen = app.get_subcommands().front()->get_name();
  if (chosen == kHelp) return help(app, commands, asked);
  if (invocation.data_dir.empty()) invocation.data_dir = kDefaultDataDir;
  if (common.vhost.empty()) common.vhost = "/";
  if (!common.format.empty())
    invocation.format = std::ranges::find(kFormats, common.format, &NamedFormat::name)->format;
  invocation.silent = invocation.silent || common.no_headers;
  if (is_remote(invocation)) {
    invocation.remote = cluster::parse_seed(invocation.node);
    if (!invocation.remote) return mistake("a secret or certificate is for a remote node: --node [NAME@]HOST[:PORT]");
  }
  invocation.command = find_command(commands, chosen);
  invocation.timeout = common.timeout.empty() ? invocation.command->timeout : *read_timeout(common.timeout);
  collect(*invocation.command, *app.get_subcommand(chosen), slots.at(chosen), common, invocation);
  return {.run = std::move(invocation), .text = "", .exit = Exit::ok};
}

}  // namespace quorate::ctl
