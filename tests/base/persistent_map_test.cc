// A PersistentMap behaves like a map and never changes a version that somebody holds.
#include "base/persistent_map.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace quorate {

using Map = PersistentMap<std::string, int>;

TEST(PersistentMap, FindsWhatWasPut) {
  const Map map = Map{}.with("a", 1).with("b", 2).with("a", 3);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(*map.find("a"), 3);
  EXPECT_EQ(map.find("c"), nullptr);
}

TEST(PersistentMap, KeepsOldVersions) {
  const Map before = Map{}.with("a", 1);
  const Map after = before.without("a").with("b", 2);
  EXPECT_EQ(*before.find("a"), 1);
  EXPECT_EQ(before.find("b"), nullptr);
  EXPECT_EQ(after.find("a"), nullptr);
}

TEST(PersistentMap, AgreesWithAModelOverManyChanges) {
  const std::uint64_t seed = 1;
  SCOPED_TRACE("seed=" + std::to_string(seed));
  Random random(seed);
  Map map;
  std::map<std::string, int> model;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = std::to_string(random.below(2'000));
    if (random.below(3) == 0) {
      map = map.without(key);
      model.erase(key);
    } else {
      map = map.with(key, step);
      model[key] = step;
    }
  }
  EXPECT_EQ(map.size(), model.size());
  std::map<std::string, int> seen;
  map.for_each([&](const std::string& key, int value) { seen[key] = value; });
  EXPECT_EQ(seen, model);
}

TEST(PersistentMap, ChangesInPlaceWhatNobodyElseHasSeen) {
  const std::uint64_t seed = 2;
  SCOPED_TRACE("seed=" + std::to_string(seed));
  Random random(seed);
  Map map;
  std::map<std::string, int> model;
  for (std::uint64_t edit = 1; edit <= 300; ++edit) {
    const Map seen = map;
    const std::map<std::string, int> model_seen = model;
    for (std::uint64_t changes = random.below(60); changes > 0; --changes) {
      const std::string key = std::to_string(random.below(2'000));
      if (random.below(4) == 0) {
        map = map.without(key);
        model.erase(key);
      } else {
        const int value = static_cast<int>(random.below(1'000));
        map = map.with(key, value, edit);
        model[key] = value;
      }
    }
    EXPECT_EQ(map.size(), model.size());
    for (const auto& [version, expected] : {std::pair(seen, model_seen), std::pair(map, model)}) {
      std::map<std::string, int> found;
      version.for_each([&](const std::string& key, int value) { found[key] = value; });
      ASSERT_EQ(found, expected);
    }
  }
}

TEST(PersistentMap, HasOneOrderForEqualContents) {
  Map grown;
  Map shrunk;
  for (int i = 0; i < 500; ++i) shrunk = shrunk.with(std::to_string(i), i);
  for (int i = 100; i < 500; ++i) shrunk = shrunk.without(std::to_string(i));
  for (int i = 99; i >= 0; --i) grown = grown.with(std::to_string(i), i);
  std::vector<int> a;
  std::vector<int> b;
  grown.for_each([&](const std::string&, int value) { a.push_back(value); });
  shrunk.for_each([&](const std::string&, int value) { b.push_back(value); });
  EXPECT_EQ(a, b);
}

}  // namespace quorate
