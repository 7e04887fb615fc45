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

std::vector<std::string> topics() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(kScripts)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text.empty() ? "  (nothing)\n" : text;
}

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
          << join(expected[i].comments) << join(expected[i].input) << "expected\n"
          << join(expected[i].output) << "but the broker answers\n"
          << join(played[i].output);
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

INSTANTIATE_TEST_SUITE_P(Amqp, Transcripts, testing::ValuesIn(topics()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace quorate::script
