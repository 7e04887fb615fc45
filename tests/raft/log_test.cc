// The log of runs against a log of entries, and the queue that it keeps its tail in.
#include "raft/log.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"
#include "raft/print.h"

namespace quorate::raft {
namespace {

/// All terms, one by one.
class NaiveLog {
 public:
  LogPosition base{};
  std::vector<Term> terms;  // of base.index + 1 and on

  LogIndex last() const { return base.index.plus(terms.size()); }
  std::optional<Term> term_at(LogIndex index) const {
    if (index == base.index) return base.term;
    if (index < base.index || index > last()) return std::nullopt;
    return terms[index.value() - base.index.value() - 1];
  }
  LogPosition last_not_after(LogPosition limit) const {
    for (LogIndex index = std::min(limit.index, last()); index > base.index; index = LogIndex(index.value() - 1)) {
      if (*term_at(index) <= limit.term) return {.index = index, .term = *term_at(index)};
    }
    return base;
  }
};

class LogModel : public testing::Test {
 protected:
  void append(Term term) {
    log_.append({.index = log_.last().index.plus(1), .term = term, .payload = Bytes::copy_of("x")});
    naive_.terms.push_back(term);
  }
  void truncate(LogIndex from) {
    log_.truncate(from);
    naive_.terms.resize(from.value() - naive_.base.index.value() - 1);
  }
  void compact(LogIndex index) {
    const LogPosition position{.index = index, .term = *naive_.term_at(index)};
    log_.compact(position);
    const auto gone = static_cast<std::ptrdiff_t>(index.value() - naive_.base.index.value());
    naive_.terms.erase(naive_.terms.begin(), naive_.terms.begin() + gone);
    naive_.base = position;
  }
  void reset(LogPosition base) {
    log_.reset(base);
    naive_ = {.base = base, .terms = {}};
  }
  void compare(Random& random) {
    ASSERT_EQ(log_.base(), naive_.base);
    ASSERT_EQ(log_.last().index, naive_.last());
    ASSERT_EQ(log_.last().term, *naive_.term_at(naive_.last()));
    for (std::uint64_t i = 0; i <= naive_.last().value() + 2; ++i) {
      ASSERT_EQ(log_.term_at(LogIndex(i)), naive_.term_at(LogIndex(i))) << "at " << i;
      const LogPosition limit{.index = LogIndex(i), .term = Term(random.below(8))};
      ASSERT_EQ(log_.last_not_after(limit), naive_.last_not_after(limit)) << "limit " << print(limit);
      const Entry* entry = log_.find(LogIndex(i));
      if (entry == nullptr) continue;
      ASSERT_EQ(entry->index, LogIndex(i));
      ASSERT_EQ(entry->term, naive_.term_at(LogIndex(i)));
    }
  }

  Log log_{{}, {}, LogIndex(0)};
  NaiveLog naive_;
};

TEST_F(LogModel, AgreesWithALogOfEntries) {
  const std::uint64_t seed = Random::from_system().next();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t size = naive_.terms.size();
    const std::uint64_t base = naive_.base.index.value();
    switch (random.below(8)) {
      case 0:
        if (size > 0) truncate(LogIndex(base + 1 + random.below(size)));
        break;
      case 1:
        compact(LogIndex(base + random.below(size + 1)));
        break;
      case 2:
        log_.trim(LogIndex(base + random.below(size + 1)), 400 + random.below(2000));
        break;
      case 3:
        if (random.below(8) == 0) reset({.index = LogIndex(base + random.below(9)), .term = Term(random.below(3))});
        break;
      default:
        append(Term(log_.last().term.value() + random.below(3) / 2));
    }
    if (log_.last().term.value() > 6) reset({.index = naive_.last(), .term = Term(1)});
    compare(random);
    if (HasFatalFailure()) return;
  }
}

TEST(Log, IsFoundAgainFromItsRuns) {
  const Log log({.index = LogIndex(4), .term = Term(1)},
                {{.first = LogIndex(5), .term = Term(1)}, {.first = LogIndex(8), .term = Term(3)}}, LogIndex(9));
  EXPECT_EQ(log.last(), (LogPosition{.index = LogIndex(9), .term = Term(3)}));
  EXPECT_EQ(log.term_at(LogIndex(3)), std::nullopt);
  EXPECT_EQ(log.term_at(LogIndex(4)), Term(1));
  EXPECT_EQ(log.term_at(LogIndex(7)), Term(1));
  EXPECT_EQ(log.term_at(LogIndex(8)), Term(3));
  EXPECT_EQ(log.term_at(LogIndex(10)), std::nullopt);
  EXPECT_EQ(log.find(LogIndex(9)), nullptr) << "nothing is in memory yet";
  EXPECT_EQ(log.last_not_after({.index = LogIndex(9), .term = Term(2)}),
            (LogPosition{.index = LogIndex(7), .term = Term(1)}));
}

TEST(Log, KeepsNoMoreOfTheTailThanAllowed) {
  Log log({}, {}, LogIndex(0));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    log.append({.index = LogIndex(i), .term = Term(1), .payload = Bytes::copy_of(std::string(100, 'x'))});
  }
  const std::size_t one = log.tail_bytes() / 10;
  log.trim(LogIndex(0), 4 * one);
  EXPECT_EQ(log.tail_bytes(), 4 * one);
  EXPECT_EQ(log.find(LogIndex(6)), nullptr);
  EXPECT_NE(log.find(LogIndex(7)), nullptr);
  log.trim(LogIndex(9), 4 * one);
  EXPECT_EQ(log.find(LogIndex(9)), nullptr);
  EXPECT_NE(log.find(LogIndex(10)), nullptr);
  log.truncate(LogIndex(8));
  EXPECT_EQ(log.tail_bytes(), 0u);
}

TEST(Fifo, AgreesWithADeque) {
  const std::uint64_t seed = Random::from_system().next();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  Fifo<std::uint64_t> fifo;
  std::deque<std::uint64_t> naive;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::uint64_t phase = i / 500 % 2;  // it grows, and shrinks again
    const std::uint64_t what = random.below(10);
    if (what < 4 + 2 * phase) {
      fifo.push_back(i);
      naive.push_back(i);
    } else if (what < 8 && !naive.empty()) {
      fifo.pop_front();
      naive.pop_front();
    } else if (!naive.empty()) {
      fifo.pop_back();
      naive.pop_back();
    }
    ASSERT_EQ(fifo.size(), naive.size());
    ASSERT_TRUE(std::ranges::equal(fifo, naive));
    if (naive.empty()) continue;
    ASSERT_EQ(fifo.front(), naive.front());
    ASSERT_EQ(fifo.back(), naive.back());
  }
  fifo.release();
  EXPECT_EQ(fifo.capacity_bytes(), 0u) << "an empty one owns nothing";
}

}  // namespace
}  // namespace quorate::raft
