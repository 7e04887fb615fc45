// The command line of quoratectl and how its answers look.
#include "broker/ctl/output.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/ctl/commands.h"
#include "broker/ctl/descriptions.h"

namespace quorate::ctl {
namespace {

namespace json = boost::json;

Invocation parse(const std::vector<std::string>& words) {
  auto outcome = parse_invocation(commands(), "rabbitmqctl", words);
  EXPECT_TRUE(outcome.run.has_value()) << outcome.text;
  return outcome.run.value_or(Invocation{.command = &commands().front()});
}

Answer rows(std::string_view text) { return {.data = json::parse(text), .text = ""}; }

TEST(Invocation, TakesOptionsBeforeAndAfterTheCommand) {
  const Invocation invocation =
      parse({"-q", "-n", "rabbit@a", "list_queues", "-p", "v", "name", "messages", "--formatter", "json", "-t", "5"});
  EXPECT_EQ(invocation.command->name, "list_queues");
  EXPECT_EQ(json::serialize(invocation.arguments), R"({"column":["name","messages"],"vhost":"v"})");
  EXPECT_EQ(invocation.node, "rabbit@a");
  EXPECT_TRUE(invocation.quiet);
  EXPECT_EQ(invocation.format, Format::json);
  EXPECT_EQ(invocation.timeout, std::chrono::seconds(5));
}

TEST(Invocation, AsksTheTerminalForAPasswordThatIsNotThere) {
  EXPECT_EQ(parse({"add_user", "a"}).from_terminal, std::vector<std::string>{"password"});
  EXPECT_EQ(json::serialize(parse({"add_user", "a", "b"}).arguments), R"({"username":"a","password":"b"})");
  EXPECT_EQ(json::serialize(parse({"delete_queue", "q", "--if-empty"}).arguments),
            R"({"queue":"q","vhost":"/","if-empty":true})");
  EXPECT_EQ(json::serialize(parse({"delete_queue", "-e", "-u", "q"}).arguments),
            R"({"queue":"q","vhost":"/","if-empty":true,"if-unused":true})");
}

TEST(Invocation, WaitsSecondsOrForEver) {
  using std::chrono_literals::operator""ms;
  EXPECT_EQ(parse({"ping"}).timeout, std::chrono::seconds(60));
  EXPECT_EQ(parse({"await_online_nodes", "3"}).timeout, std::chrono::seconds(300));
  EXPECT_EQ(parse({"-t", "0.25", "ping"}).timeout, 250ms);
  EXPECT_EQ(parse({"-t", "1e-9", "ping"}).timeout, 1ms);
  EXPECT_EQ(parse({"-t", "infinity", "list_queues"}).timeout, kForever);
  EXPECT_EQ(parse({"-t", "1e300", "ping"}).timeout, kForever);
  EXPECT_EQ(render_banner(parse({"-t", "infinity", "list_queues"}), "n"), "Listing queues for vhost / ...\n");
  for (const std::string text : {"0", "-1", "nan", "x", "1x", ""}) {
    const auto outcome = parse_invocation(commands(), "quoratectl", {"--timeout=" + text, "ping"});
    EXPECT_EQ(outcome.text, "Error (argument validation): --timeout: must be a number of seconds above 0, or infinity");
  }
}

TEST(Invocation, MeansARemoteNodeWhenItShowsASecretOrACertificate) {
  EXPECT_FALSE(parse({"-n", "rabbit@a", "ping"}).remote);
  const Invocation by_secret = parse({"-n", "rabbit@a:7", "--secret-file", "f", "ping"});
  EXPECT_EQ(by_secret.remote, (cluster::Seed{.name = "rabbit@a", .host = "a", .port = 7}));
  EXPECT_EQ(by_secret.secret_file, "f");
  const Invocation by_tls =
      parse({"ping", "--node", "[::1]", "--cacertfile", "ca", "--certfile", "c", "--keyfile", "k"});
  EXPECT_EQ(by_tls.remote, (cluster::Seed{.host = "::1"}));
  EXPECT_EQ(by_tls.tls.keyfile, "k");
  for (const std::string node : {"", "rabbit@", "a:0"}) {
    const auto outcome = parse_invocation(commands(), "quoratectl", {"-n", node, "--secret-file", "f", "ping"});
    EXPECT_FALSE(outcome.run) << node;
    EXPECT_EQ(outcome.exit, Exit::usage);
  }
}

TEST(Invocation, NamesTheMistakeWithTheExitCodeOfUsage) {
  const std::vector<std::vector<std::string>> mistakes = {
      {"-q"},  {"fly"}, {"add_user"}, {"ping", "now"}, {"list_queues", "--formatter", "xml"}, {"-t", "0", "ping"},
      {"--no"}};
  for (const auto& words : mistakes) {
    const auto outcome = parse_invocation(commands(), "quoratectl", words);
    EXPECT_FALSE(outcome.run.has_value());
    EXPECT_EQ(outcome.exit, Exit::usage);
    EXPECT_TRUE(outcome.text.starts_with("Error (argument validation): ")) << outcome.text;
  }
  const std::vector<std::vector<std::string>> unknown = {
      {"fly"}, {"--data-dir", "/x", "fly"}, {"-p", "v", "fly", "high"}};
  for (const auto& words : unknown) {
    const std::string text = parse_invocation(commands(), "quoratectl", words).text;
    EXPECT_NE(text.find("Command 'fly' not found"), std::string::npos) << text;
  }
  for (const std::string_view word : {"--help", "--version"}) {
    EXPECT_EQ(parse_invocation(commands(), "quoratectl", {std::string(word)}).exit, Exit::ok);
  }
}

TEST(Invocation, HelpOfACommandExplainsItsWords) {
  for (const Command& command : commands()) {
    const std::string help = parse_invocation(commands(), "quoratectl", {std::string(command.name), "--help"}).text;
    EXPECT_NE(help.find("Every command takes -n, -p, -t"), std::string::npos) << help;
    for (std::string_view word : words(command.arguments)) {
      if (word.ends_with('*') || word.ends_with('<')) word.remove_suffix(1);
      EXPECT_NE(describe_word(command.name, word), "") << command.name << " " << word;
    }
    for (const std::string_view word : words(command.options)) {
      const OptionWord option = parse_option(word);
      if (option.name == "vhost") continue;  // belongs to all
      const bool is_shown = help.find("--" + std::string(option.name)) != std::string::npos;
      EXPECT_EQ(is_shown, !is_hidden(option.name)) << help;
      EXPECT_NE(describe_word(command.name, option.name).empty(), is_shown) << command.name << " " << word;
    }
  }
  const std::string join = parse_invocation(commands(), "quoratectl", {"join_cluster", "--help"}).text;
  EXPECT_NE(join.find("NAME@HOST:PORT"), std::string::npos) << join;
}

TEST(Invocation, HelpNamesEveryCommandAndEveryFormat) {
  const auto text_of = [](const std::vector<std::string>& words, Exit exit) {
    const auto outcome = parse_invocation(commands(), "quoratectl", words);
    EXPECT_EQ(outcome.exit, exit) << outcome.text;
    return outcome.text;
  };
  const std::string help = text_of({"--help"}, Exit::ok);
  for (const Command& command : commands()) {
    EXPECT_NE(help.find("\n  " + std::string(command.name) + " "), std::string::npos) << command.name;
    const std::string own = text_of({"help", std::string(command.name)}, Exit::ok);
    EXPECT_EQ(own, text_of({std::string(command.name), "--help"}, Exit::ok));
    EXPECT_NE(own.find("quoratectl " + std::string(command.name)), std::string::npos) << own;
  }
  EXPECT_EQ(text_of({}, Exit::usage), help) << "as rabbitmqctl does";
  EXPECT_EQ(text_of({"help"}, Exit::ok), help);
  EXPECT_NE(text_of({"help", "fly"}, Exit::usage).find("Command 'fly' not found"), std::string::npos);
  const std::string formats = "{table,pretty_table,json,csv}";
  EXPECT_NE(help.find(formats), std::string::npos) << help;
  EXPECT_NE(text_of({"ping", "--formatter", "xml"}, Exit::usage).find("xml not in " + formats), std::string::npos);
}

TEST(Output, BannersNameWhatIsDone) {
  EXPECT_EQ(render_banner(parse({"list_queues"}), "n"), "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n");
  EXPECT_EQ(render_banner(parse({"set_user_tags", "u", "a", "b"}), "n"), "Setting tags for user \"u\" to [a, b] ...\n");
  EXPECT_EQ(render_banner(parse({"status"}), "rabbit@x"), "Status of node rabbit@x ...\n");
  EXPECT_EQ(render_banner(parse({"await_startup"}), "n"), "");
  for (const std::vector<std::string>& quiet : std::vector<std::vector<std::string>>{
           {"-q", "list_queues"}, {"-s", "list_queues"}, {"list_queues", "--formatter", "json"}}) {
    EXPECT_EQ(render_banner(parse(quiet), "n"), "");
  }
}

TEST(Output, TablesHaveTabsAndNamesUnlessSilent) {
  const Answer answer = rows(R"([{"name":"a\tb","messages":3},{"name":"c","messages":null}])");
  EXPECT_EQ(render_answer(parse({"list_queues"}), "n", answer), "name\tmessages\na\\tb\t3\nc\t\n");
  EXPECT_EQ(render_answer(parse({"-s", "list_queues"}), "n", answer), "a\\tb\t3\nc\t\n");
  EXPECT_EQ(render_answer(parse({"list_queues"}), "n", rows("[]")), "");
  EXPECT_EQ(render_answer(parse({"list_queues", "--formatter", "json"}), "n", rows("[]")), "[]\n");
}

TEST(Output, CsvQuotesAndDrawnTablesLineUp) {
  const Answer answer = rows(R"([{"name":"a,\"b","n":[1]},{"name":"ü","n":true}])");
  EXPECT_EQ(render_answer(parse({"list_queues", "--formatter", "csv"}), "n", answer),
            "name,n\n\"a,\"\"b\",[1]\nü,true\n");
  EXPECT_EQ(render_answer(parse({"list_queues", "--formatter", "pretty_table"}), "n", answer),
            "┌──────┬──────┐\n"
            "│ name │ n    │\n"
            "├──────┼──────┤\n"
            "│ a,\"b │ [1]  │\n"
            "├──────┼──────┤\n"
            "│ ü    │ true │\n"
            "└──────┴──────┘\n");
}

TEST(Output, RowsOfACommandThatIsNoListAreDrawnForThoseWhoAskForIt) {
  const Answer answer{.data = json::parse(R"([{"Node Name":"a","Term":3}])"), .text = "Node Name\tTerm\na\t3"};
  const auto shown = [&](const std::string& format) {
    return render_answer(parse({"quorum_status", "q", "--formatter", format}), "n", answer);
  };
  EXPECT_EQ(shown("csv"), "Node Name,Term\na,3\n");
  EXPECT_TRUE(shown("pretty_table").starts_with("┌───────────┬──────┐\n│ Node Name │ Term │\n"))
      << shown("pretty_table");
  EXPECT_EQ(shown("table"), "Node Name\tTerm\na\t3\n");
}

TEST(Output, ArgumentsLookLikeRabbitmqs) {
  EXPECT_EQ(render_cell(json::parse(R"({"x-max-length":10,"x-queue-type":"quorum","nested":{"a":1}})")),
            R"([{"x-max-length",10},{"x-queue-type","quorum"},{"nested",[{"a",1}]}])");
  EXPECT_EQ(render_cell(json::parse("{}")), "[]");
  EXPECT_EQ(render_cell(json::parse(R"(["a","b"])")), "[a, b]");
}

TEST(Output, ErrorsGoWithTheFormat) {
  const CommandError error{.exit = Exit::nouser, .text = "User \"x\" does not exist"};
  EXPECT_EQ(render_error(parse({"delete_user", "x"}), error), "Error:\nUser \"x\" does not exist\n");
  EXPECT_EQ(render_error(parse({"delete_user", "x", "--formatter", "json"}), error),
            R"({"result":"error","error":67,"message":"User \"x\" does not exist"})"
            "\n");
  EXPECT_EQ(render_answer(parse({"delete_user", "x", "--formatter", "json"}), "n", {.data = nullptr, .text = ""}),
            R"({"status":"ok","node":"n"})"
            "\n");
}

}  // namespace
}  // namespace quorate::ctl
