// Plays every tests/broker/amqp/script/*.txt twice: each line as one piece, and octet by octet, so that no answer
// depends on how the bytes of a client were cut. QUORATE_REWRITE=1 writes what the broker answers today into the files
// instead.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/script/transcript.h"

namespace quorate::script {
namespace {

const std::filesystem::path kScripts = std::filesystem::path(QUORATE_SOURCE_DIR) / "tests/broker/amqp/script";

class Transcripts : public testing::TestWithParam<std::string> {
 protected:
  const std::string path_ = kScripts / (GetParam() + ".txt");

  std::vector<Block> read() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return parse_blocks(text.str());
  }

  void expect_same(const std::vector<Block>& expected, const std::vector<Block>& played) const {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].output == played[i].output) continue;
      ADD_FAILURE_AT(path_.c_str(), static_cast<int>(expected[i].line))
          << indented(expected[i].comments) << indented(expected[i].input) << "expected\n"
          << indented(expected[i].output) << "but the broker answers\n"
          << indented(played[i].output);
    }
  }
};

TEST_P(Transcripts, AnswersAsWritten) {
  const std::vector<Block> expected = read();
  const std::vector<Block> played = play(expected, Delivery::whole);
  if (std::getenv("QUORATE_REWRITE") != nullptr) {
    std::ofstream(path_) << print_blocks(played);
    return;
  }
  expect_same(expected, played);
}

TEST_P(Transcripts, AnswersTheSameToSingleOctets) {
  const std::vector<Block> expected = read();
  expect_same(expected, play(expected, Delivery::octet_by_octet));
}

INSTANTIATE_TEST_SUITE_P(Amqp, Transcripts, testing::ValuesIn(names_of_scripts(kScripts)),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace quorate::script
