// Plays every tests/raft/script/*.txt: what several replicas do, line by line. The verbs stand at the top of script.h.
// QUORATE_REWRITE=1 writes what happens today into the files instead.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/raft/script.h"
#include "tests/script/blocks.h"

namespace quorate::raft::test {
namespace {

using script::Block;

const std::filesystem::path kScripts = std::filesystem::path(QUORATE_SOURCE_DIR) / "tests/raft/script";

/// The same blocks with what happens today.
std::vector<Block> play(std::vector<Block> blocks) {
  std::unique_ptr<Script> script;
  for (Block& block : blocks) {
    if (block.input.empty()) continue;
    if (!script || block.begins_case()) script = std::make_unique<Script>();
    block.output.clear();
    for (const std::string& line : block.input) {
      std::ranges::move(script->play(line), std::back_inserter(block.output));
    }
  }
  return blocks;
}

class RaftScripts : public testing::TestWithParam<std::string> {};

TEST_P(RaftScripts, HappensAsWritten) {
  const std::string path = kScripts / (GetParam() + ".txt");
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const std::vector<Block> expected = script::parse_blocks(text.str());
  const std::vector<Block> played = play(expected);
  const bool rewrites = std::getenv("QUORATE_REWRITE") != nullptr;
  if (rewrites) std::ofstream(path) << script::print_blocks(played);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (const std::string& line : played[i].output) {
      if (line.find_first_not_of(' ') == line.find("! ")) {
        ADD_FAILURE_AT(path.c_str(), static_cast<int>(expected[i].line))
            << script::indented(expected[i].comments) << line;
      }
    }
    if (rewrites || expected[i].output == played[i].output) continue;
    ADD_FAILURE_AT(path.c_str(), static_cast<int>(expected[i].line))
        << script::indented(expected[i].comments) << script::indented(expected[i].input) << "expected\n"
        << script::indented(expected[i].output) << "but this happens\n"
        << script::indented(played[i].output);
  }
}

INSTANTIATE_TEST_SUITE_P(Raft, RaftScripts, testing::ValuesIn(script::names_of_scripts(kScripts)),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace quorate::raft::test
