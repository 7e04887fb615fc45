// Reads the whole tree and refuses what crosses a floor; then proves on made-up snippets that each rule refuses.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/tidy/rules.h"

namespace quorate::tidy {
namespace {

const std::filesystem::path kRoot = QUORATE_SOURCE_DIR;

std::vector<Text> read_texts(const std::vector<std::string>& folders, const std::set<std::string>& extensions) {
  std::vector<Text> texts;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(kRoot / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / folder)) {
      if (!entry.is_regular_file() || !extensions.contains(entry.path().extension().string())) continue;
      std::ostringstream content;
      content << std::ifstream(entry.path()).rdbuf();
      texts.push_back({std::filesystem::relative(entry.path(), kRoot).string(), content.str()});
    }
  }
  return texts;
}

std::vector<Text> read_sources() {
  return read_texts({"base", "proto", "raft", "storage", "cluster", "broker"}, {".h", ".cc"});
}

std::string print_all(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += print(finding) + "\n";
  return text;
}

std::string refusals(std::string path, std::string content) {
  return print_all(refusals_in_source({std::move(path), std::move(content)}));
}

}  // namespace

TEST(Tree, KeepsToItsFloors) {
  const std::vector<Text> sources = read_sources();
  EXPECT_FALSE(sources.empty());
  for (const Text& source : sources) EXPECT_EQ(print_all(refusals_in_source(source)), "");
}

TEST(Tree, PagesHaveOneTitleAndDecisionsAreShort) {
  std::vector<Text> pages = read_texts({"docs"}, {".md"});
  for (const std::string name : {"README.md", "CHANGELOG.md"}) {
    if (!std::filesystem::exists(kRoot / name)) continue;
    std::ostringstream content;
    content << std::ifstream(kRoot / name).rdbuf();
    pages.push_back({name, content.str()});
  }
  for (const Text& page : pages) EXPECT_EQ(print_all(refusals_in_page(page)), "");
}

TEST(Tree, IsWorthALook) {  // advice: printed, never a failure
  for (const Text& source : read_sources()) std::fputs(print_all(advice_on_source(source)).c_str(), stdout);
}

TEST(Rules, RefuseWhatCrossesAFloorAndNameTheReplacement) {
  struct Row {
    std::string_view path;
    std::string_view content;
    std::string_view what;  // a part of the refusal
  };
  const Row rows[] = {
      {"base/a.h", "#include \"raft/core.h\"", "base/ stands below raft/"},
      {"raft/a.h", "#include \"storage/database.h\"", "raft/ stands below storage/"},
      {"storage/a.h", "\n#  include \"cluster/shard.h\"", "storage/a.h:2: storage/ stands below cluster/"},
      {"cluster/a.h", "#include \"broker/node/config.h\"", "pass a callback or a value up"},
      {"raft/a.cc", "#include \"base/log.h\"", "its host logs it"},
      {"raft/a.cc", "#include \"core.h\"", "name our headers from the root"},
      {"broker/message/a.h", "#include \"broker/amqp/frame.h\"", "broker/message may not include broker/amqp"},
      {"broker/exchange/a.h", "#include \"broker/queue/commands.h\"", "broker/exchange may not include broker/queue"},
      {"broker/queue/a.h", "#include \"broker/exchange/router.h\"", "broker/queue may not include broker/exchange"},
      {"broker/exchange/a.h", "#include \"broker/amqp/table_codec.h\"", "move the shared part down"},
      {"broker/amqp/a.h", "#include \"broker/node/config.h\"", "broker/amqp may not include broker/node"},
      {"broker/amqp/a.h", "#include \"broker/http/server.h\"", "broker/amqp may not include broker/http"},
      {"broker/mqtt/a.h", "#include \"broker/message/message.h\"", "broker/mqtt has no row"},
      {"cluster/a.cc", "#include <rocksdb/db.h>", "use storage/log_store.h"},
      {"broker/node/a.cc", "#include <grpcpp/grpcpp.h>", "through cluster/"},
      {"broker/amqp/a.cc", "#include <boost/beast.hpp>", "broker/http"},
      {"storage/a.cc", "#include <boost/asio.hpp>", "cluster/shard.h"},
      {"cluster/a.cc", "#include <boost/pfr.hpp>", "broker/amqp or broker/node"},
      {"cluster/a.cc", "#include <boost/json.hpp>", "broker/ writes it"},
      {"cluster/a.cc", "#include <boost/container/flat_map.hpp>", "a new library needs a page in docs/decisions"},
      {"cluster/a.cc", "#include <openssl/evp.h>", "belong to broker/"},
      {"cluster/a.cc", "#include <pcre2.h>", "belong to broker/auth"},
      {"storage/a.cc", "#include <google/protobuf/message.h>", "converted in cluster/"},
      {"storage/a.cc", "#include \"proto/metadata.pb.h\"", "converted in cluster/"},
      {"broker/node/a.cc", "#include <spdlog/spdlog.h>", "use base/log.h"},
      {"broker/amqp/a.cc", "#include <CLI/CLI.hpp>", "broker/node/command_line"},
      {"broker/amqp/a.cc", "std::mutex lock;", "post a batch"},
      {"broker/amqp/a.cc", "std::thread t;", "post a batch"},
      {"raft/a.cc", "std::condition_variable c;", "post a batch"},
      {"broker/amqp/a.cc", "std::atomic<int> n;", "immutable snapshot"},
      {"broker/amqp/a.cc", "std::this_thread::sleep_for(1s);", "never for time to pass"},
      {"raft/a.cc", "int n = rand();", "base/random.h"},
      {"raft/a.cc", "auto t = std::chrono::system_clock::now();", "base/time.h"},
      {"broker/amqp/a.cc", "co_await f(Options{.a = 1});", "on the line above"},
      {"broker/amqp/a.cc", "x = co_await\n  f([this] { g(); });", "on the line above"},
  };
  for (const Row& row : rows) {
    const std::string found = refusals(std::string(row.path), std::string(row.content));
    EXPECT_NE(found.find(row.what), std::string::npos) << row.path << ": " << row.content << "\n" << found;
  }
}

TEST(Rules, LeaveAloneWhatIsInItsPlace) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"raft/a.h", "#include \"base/check.h\"\n#include \"raft/types.h\"\n#include <vector>"},
      {"storage/a.cc", "#include <rocksdb/db.h>\n#include <sys/file.h>\n#include <fmt/format.h>"},
      {"storage/log_writer.h", "std::mutex mutex_; std::thread thread_;"},
      {"broker/main.cc", "#include \"broker/node/config.h\"\n#include \"broker/amqp/reply.h\""},
      {"broker/exchange/a.cc", "#include \"broker/message/message.h\""},
      {"broker/http/a.cc", "#include <boost/beast.hpp>"},
      {"cluster/a.cc", "#include \"proto/metadata.pb.h\""},
      {"base/time.h", "auto t = std::chrono::system_clock::now();"},
      {"raft/a.cc",
       "// std::mutex, rand() and sleep_for are not for us\nint grand_total(); const char* a = \"rand()\";"},
      {"raft/a.cc", "/* #include \"storage/database.h\"\n   std::mutex */ int million = 1'000'000; char c = '\"';"},
      {"raft/a.cc", "const char* text = R\"(std::mutex)\";"},
      {"broker/amqp/a.cc", "if (co_await f(a, b)) { g(); }\nfor (;;) { auto n = co_await read(s); use({n}); }"},
  };
  for (const auto& [path, content] : rows) EXPECT_EQ(refusals(std::string(path), std::string(content)), "");
}

TEST(Rules, AdviseOnLengthAndLooseEnds) {
  const auto advice = [](std::string path, std::string content) {
    return print_all(advice_on_source({std::move(path), std::move(content)}));
  };
  std::string body;
  for (int i = 0; i < 70; ++i) body += "  work();\n";
  EXPECT_NE(advice("raft/a.cc", "void f() {\n" + body + "}\n").find("a function of 72 lines"), std::string::npos);
  EXPECT_NE(advice("raft/a.cc", body + body + body + body + body + body + body).find("490 lines"), std::string::npos);
  EXPECT_NE(advice("raft/a.cc", "// TODO: later\n").find("bare TODO"), std::string::npos);
  EXPECT_EQ(advice("raft/a.cc", "// TODO(#12): later\n"), "");
  EXPECT_NE(advice("raft/a.h", "#pragma once\n").find("no head comment"), std::string::npos);
}

TEST(Rules, ReadPages) {
  const auto page = [](std::string path, std::string content) {
    return print_all(refusals_in_page({std::move(path), std::move(content)}));
  };
  EXPECT_EQ(page("docs/A.md", "# One\n## Part\n```\n# a comment in code\n```\n"), "");
  EXPECT_NE(page("docs/A.md", "# One\n# Two\n").find("2 titles"), std::string::npos);
  EXPECT_NE(page("docs/A.md", "text\n").find("0 titles"), std::string::npos);
  std::string lines = "# One\n";
  for (int i = 0; i < 60; ++i) lines += "line\n";
  EXPECT_NE(page("docs/decisions/0009-a.md", lines).find("in 60 lines"), std::string::npos);
  EXPECT_EQ(page("docs/A.md", lines), "");
}

}  // namespace quorate::tidy
