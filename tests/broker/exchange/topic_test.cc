// Topic exchanges: a table of patterns and keys, stories of binding and unbinding, and a random comparison with a
// matcher so naive that it is plainly right.
#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/random.h"
#include "tests/base/environment.h"
#include "tests/broker/exchange/routing_fixture.h"

namespace quorate::exchange {

namespace {

std::vector<std::string> split(std::string_view key) {
  std::vector<std::string> words;
  if (key.empty()) return words;
  for (std::size_t dot = 0; (dot = key.find('.')) != std::string_view::npos; key.remove_prefix(dot + 1)) {
    words.emplace_back(key.substr(0, dot));
  }
  words.emplace_back(key);
  return words;
}

using WordSpan = std::span<const std::string>;

bool naive_match(WordSpan pattern, WordSpan words) {
  if (pattern.empty()) return words.empty();
  if (pattern[0] == "#") {
    return naive_match(pattern.subspan(1), words) || (!words.empty() && naive_match(pattern, words.subspan(1)));
  }
  const bool is_met = !words.empty() && (pattern[0] == "*" || pattern[0] == words[0]);
  return is_met && naive_match(pattern.subspan(1), words.subspan(1));
}

bool naive_match(std::string_view pattern, std::string_view key) {
  return naive_match(WordSpan(split(pattern)), WordSpan(split(key)));
}

}  // namespace

class TopicExchange : public RoutingFixture {
 protected:
  TopicExchange() { declare("topic"); }
};

TEST_F(TopicExchange, MatchesWordsAsTheTableSays) {
  struct Row {
    std::string_view pattern;
    std::string_view key;
    bool matches;
  };
  static constexpr Row kRows[] = {
      // Words stand for themselves.
      {"harbour.crane.idle", "harbour.crane.idle", true},
      {"harbour.crane.idle", "harbour.crane", false},
      {"harbour.crane", "harbour.crane.idle", false},
      {"harbour", "Harbour", false},
      // A star is exactly one word.
      {"harbour.*.idle", "harbour.crane.idle", true},
      {"harbour.*.idle", "harbour.crane.hook.idle", false},
      {"harbour.*", "harbour", false},
      {"*", "harbour", true},
      {"*", "", false},
      {"*.*", "a.b", true},
      // A hash is any number of words, in every position.
      {"#", "", true},
      {"#", "harbour.crane.idle", true},
      {"harbour.#", "harbour", true},
      {"harbour.#", "harbour.crane.idle", true},
      {"#.idle", "idle", true},
      {"#.idle", "harbour.crane.idle", true},
      {"#.idle", "idle.crane", false},
      {"harbour.#.idle", "harbour.idle", true},
      {"harbour.#.idle", "harbour.a.b.idle", true},
      {"#.crane.#", "crane", true},
      {"#.crane.#", "harbour.crane.idle", true},
      {"#.crane.#", "harbour.hook", false},
      {"#.#", "", true},
      {"#.#", "a", true},
      {"*.#", "", false},
      {"*.#", "a", true},
      {"#.*", "", false},
      {"#.*", "a.b.c", true},
      {"#.a.#.a", "a.a", true},
      {"#.a.#.a", "a", false},
      // Empty words are words; the empty key has none.
      {"", "", true},
      {"", "a", false},
      {".", ".", true},
      {".", "", false},
      {"*.*", ".", true},
      {"*", ".", false},
      {"a.", "a.", true},
      {"a.", "a", false},
      {"a.*", "a.", true},
      {"*.a", ".a", true},
      {".a", ".a", true},
      {"a..b", "a..b", true},
      {"a.*.b", "a..b", true},
      {"a.b", "a..b", false},
      {"a.#.b", "a..b", true},
      {"#", "...", true},
      // Signs are special only as whole words, and only in the pattern.
      {"a*", "ab", false},
      {"a*", "a*", true},
      {"a#", "ab", false},
      {"##", "a", false},
      {"a.b", "a.*", false},
      {"a.*", "a.*", true},
      {"a.b", "#", false},
  };
  for (const Row& row : kRows) {
    declare("topic");
    bind('q', row.pattern);
    EXPECT_EQ(route(row.key), row.matches ? "q" : "") << row.pattern << " against " << row.key;
    EXPECT_EQ(naive_match(row.pattern, row.key), row.matches) << row.pattern << " against " << row.key;
  }
}

TEST_F(TopicExchange, TellsADestinationOncePerPatternThatMatches) {
  bind('a', "#.x.#");
  bind('b', "x.#");
  bind('b', "#.x");
  bind('c', "*");
  EXPECT_EQ(route("x"), "abbc");
  EXPECT_EQ(route("x.x.x.x.x"), "abb");
}

TEST_F(TopicExchange, ForgetsAndLearnsAgain) {
  bind('a', "tram.*.late");
  bind('b', "tram.#");
  EXPECT_EQ(route("tram.7.late"), "ab");
  unbind('a', "tram.*.late");
  EXPECT_EQ(route("tram.7.late"), "b");
  bind('a', "tram.*.late");
  EXPECT_EQ(route("tram.7.late"), "ab");
  unbind('b', "tram.#");
  unbind('a', "tram.*.late");
  EXPECT_EQ(route("tram.7.late"), "");
}

TEST_F(TopicExchange, KeepsShorterAndLongerNeighboursWhenOneGoes) {
  bind('a', "tram");
  bind('b', "tram.7");
  bind('c', "tram.7.late");
  unbind('b', "tram.7");
  EXPECT_EQ(route("tram"), "a");
  EXPECT_EQ(route("tram.7"), "");
  EXPECT_EQ(route("tram.7.late"), "c");
}

TEST_F(TopicExchange, KeepsWhatAnotherBindingStillWants) {
  bind('a', "tram.#", {{{"n", 1}}});
  bind('a', "tram.#", {{{"n", 2}}});
  unbind('a', "tram.#", {{{"n", 1}}});
  EXPECT_EQ(route("tram.7"), "a");
}

TEST_F(TopicExchange, AllowsTwoHashes) {
  const auto verdict = [](std::string_view pattern) {
    return validate_topic_binding({.routing_key = std::string(pattern)});
  };
  EXPECT_TRUE(verdict("#.tram.#"));
  EXPECT_TRUE(verdict("a#.#b.###"));
  EXPECT_EQ(verdict("#.a.#.b.#").error(), "Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed");
}

// The limit above is checked where a client binds; an index that was restored from elsewhere must not blow up either.
TEST_F(TopicExchange, TakesHostilePatternsInItsStride) {
  std::string pattern = "#";
  std::string key = "a";
  for (int i = 0; i < 60; ++i) pattern += ".a.#";
  for (int i = 0; i < 126; ++i) key += ".a";
  bind('a', pattern);
  bind('b', pattern + ".b");
  EXPECT_EQ(route(key), "a");
}

TEST_F(TopicExchange, AgreesWithANaiveMatcher) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", 20'261'120);
  SCOPED_TRACE(fmt::format("rerun: QUORATE_SEED={} broker_test --gtest_filter=TopicExchange.AgreesWith*", seed));
  Random random(seed);
  static constexpr std::string_view kPatternWords[] = {"a", "b", "c", "", "*", "*", "#", "#"};
  const auto any_key = [&](std::size_t alphabet, std::size_t words_max) {
    std::string key;
    const std::size_t words = random.below(words_max + 1);
    for (std::size_t i = 0; i < words; ++i)
      key += (i == 0 ? "" : ".") + std::string(kPatternWords[random.below(alphabet)]);
    return key;
  };
  std::set<std::pair<char, std::string>> model;
  for (int step = 0; step < 6'000; ++step) {
    const auto queue = static_cast<char>('a' + random.below(26));
    const std::string pattern = any_key(8, 5);
    const bool is_growing = (step / 1'000) % 2 == 0;
    if (model.contains({queue, pattern})) {
      unbind(queue, pattern);
      model.erase({queue, pattern});
    } else if (is_growing) {
      bind(queue, pattern);
      model.emplace(queue, pattern);
    } else if (!model.empty()) {
      const auto victim = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())));
      unbind(victim->first, victim->second);
      model.erase(victim);
    }
    if (step % 5 != 0) continue;
    const std::string key = any_key(4, 7);
    std::string expected;
    for (const auto& [bound, bound_pattern] : model) {
      if (naive_match(bound_pattern, key)) expected += bound;
    }
    ASSERT_EQ(route(key), expected) << "step " << step << ", key '" << key << "'";
  }
}

}  // namespace quorate::exchange
