// Nodes as people write them.
#include "cluster/seed.h"

#include <gtest/gtest.h>

namespace quorate::cluster {
namespace {

TEST(Seed, IsReadAndPrintedBack) {
  struct Row {
    std::string_view text;
    Seed seed;
    std::string_view printed;
  };
  const Row rows[] = {
      {"n1", {.host = "n1"}, "n1:25672"},
      {"n1:7", {.host = "n1", .port = 7}, "n1:7"},
      {"127.0.0.1:65535", {.host = "127.0.0.1", .port = 65'535}, "127.0.0.1:65535"},
      {"[::1]", {.host = "::1"}, "[::1]:25672"},
      {"[::1]:7", {.host = "::1", .port = 7}, "[::1]:7"},
      {"rabbit@n1", {.name = "rabbit@n1", .host = "n1"}, "rabbit@n1:25672"},
      {"rabbit@n1:7", {.name = "rabbit@n1", .host = "n1", .port = 7}, "rabbit@n1:7"},
      {"rabbit@a@127.0.0.1:7", {.name = "rabbit@a", .host = "127.0.0.1", .port = 7}, "rabbit@a@127.0.0.1:7"},
      {"rabbit@a@[::1]:7", {.name = "rabbit@a", .host = "::1", .port = 7}, "rabbit@a@[::1]:7"},
      {"rabbit@[::1]", {.name = "rabbit@::1", .host = "::1"}, "rabbit@[::1]:25672"},
  };
  for (const Row& row : rows) {
    const auto seed = parse_seed(row.text);
    ASSERT_TRUE(seed) << row.text;
    EXPECT_EQ(*seed, row.seed) << row.text;
    EXPECT_EQ(print_seed(*seed), row.printed) << row.text;
    EXPECT_EQ(parse_seed(row.printed), row.seed) << row.printed;
  }
  for (const std::string_view wrong : {"", "@", "@n1", "n1:", "n1:0", "n1:65536", "n1:x", "n1:7x", ":7", "[::1", "[]",
                                       "[::1]7", "a@", "a@:7", "::1"}) {
    EXPECT_FALSE(parse_seed(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace quorate::cluster
