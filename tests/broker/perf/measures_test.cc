// What is measured with: pace, stamps, sequences, confirm windows, histograms, and the text of /proc.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/random.h"
#include "broker/perf/broker_meter.h"
#include "broker/perf/confirm_window.h"
#include "broker/perf/latency_histogram.h"
#include "broker/perf/pace.h"
#include "broker/perf/sequence_check.h"
#include "broker/perf/stamp.h"

namespace quorate::perf {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Instant kBegin{seconds(100)};

}  // namespace

TEST(Pace, GivesEachMessageItsOwnTime) {
  const Pace pace(1000, kBegin);
  EXPECT_EQ(pace.due(0, kBegin), kBegin);
  EXPECT_EQ(pace.due(1, kBegin), kBegin + milliseconds(1));
  EXPECT_EQ(pace.due(60'000, kBegin + seconds(99)), kBegin + seconds(60));  // whatever time it is
}

TEST(Pace, LetsFastMessagesLeaveInGroupsThatKeepTheRate) {
  const Pace pace(50'000, kBegin);  // five in a tick
  EXPECT_EQ(pace.due(1, kBegin), kBegin + Pace::kTick);
  EXPECT_EQ(pace.due(5, kBegin), kBegin + Pace::kTick);
  EXPECT_EQ(pace.due(6, kBegin), kBegin + 2 * Pace::kTick);
  EXPECT_EQ(pace.due(50'000, kBegin), kBegin + seconds(1));
}

TEST(Pace, IsStillExactAfterADay) {
  const Pace pace(1'000'000, kBegin);
  constexpr std::uint64_t kDay = 86'400;
  EXPECT_EQ(pace.due(kDay * 1'000'000, kBegin), kBegin + seconds(kDay));
}

TEST(Pace, WithoutARateIsNow) {
  const Pace pace(0, kBegin);
  EXPECT_TRUE(pace.is_unlimited());
  EXPECT_EQ(pace.due(1000, kBegin + seconds(7)), kBegin + seconds(7));
}

TEST(Stamp, ComesBackFromEveryBodySize) {
  for (const std::size_t size : {12u, 13u, 15u, 16u, 100u}) {
    std::vector<std::byte> body(size);
    write_stamp(body.data(), size, {.sent = kBegin + nanoseconds(7), .producer = 200, .sequence = 0x1'0000'0203});
    ReadStamp stamp;
    ASSERT_TRUE(read_stamp(ByteView(body).first(std::min(size, kStampBytes)), stamp));
    EXPECT_EQ(stamp.sent, kBegin + nanoseconds(7));
    EXPECT_EQ(stamp.producer, 200u);
    EXPECT_EQ(stamp.sequence, 0x203u);
    EXPECT_EQ(stamp.sequence_bits, size < 16 ? 24u : 32u);
    EXPECT_TRUE(std::all_of(body.begin() + static_cast<std::ptrdiff_t>(std::min(size, kStampBytes)), body.end(),
                            [](std::byte octet) { return octet == std::byte{0}; }));
  }
}

TEST(Stamp, IsNotReadFromAShortBody) {
  ReadStamp stamp;
  EXPECT_FALSE(read_stamp(std::vector<std::byte>(11), stamp));
  EXPECT_FALSE(read_stamp(ByteView(), stamp));
}

TEST(Stamp, SequencesAreExtendedToTheNearest) {
  struct Row {
    std::uint32_t low;
    unsigned bits;
    std::uint64_t near;
    std::uint64_t sequence;
  };
  constexpr std::uint64_t kSpan = 1u << 24;
  const Row rows[] = {
      {5, 24, 0, 5},
      {5, 24, kSpan - 1, kSpan + 5},          // wrapped
      {kSpan - 1, 24, kSpan + 3, kSpan - 1},  // a late one from before
      {kSpan - 1, 24, 3, kSpan - 1},          // there is none before 0
      {0, 24, 3 * kSpan, 3 * kSpan},
      {7, 32, (1ull << 32) - 1, (1ull << 32) + 7},
  };
  for (const Row& row : rows) EXPECT_EQ(extend_sequence(row.low, row.bits, row.near), row.sequence) << row.near;
}

TEST(SeenSet, KnowsWhatItHasSeen) {
  Random random(7);
  std::vector<std::uint64_t> order(1000);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  SeenSet set;
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_FALSE(set.contains(order[i]));
    EXPECT_TRUE(set.insert(order[i]));
    EXPECT_FALSE(set.insert(order[i]));
    EXPECT_EQ(set.size(), i + 1);
  }
  EXPECT_FALSE(set.contains(1000));
}

TEST(SeenSet, MergesAndCountsWhatBothHad) {
  SeenSet full;  // all in front of its words
  for (std::uint64_t i = 0; i < 128; ++i) full.insert(i);
  SeenSet other;
  for (const std::uint64_t i : {5u, 127u, 128u, 700u}) other.insert(i);
  SeenSet merged = other;
  EXPECT_EQ(merged.merge(full), 2u);
  EXPECT_EQ(full.merge(other), 2u);
  for (const SeenSet* set : {&merged, &full}) {
    EXPECT_EQ(set->size(), 130u);
    EXPECT_TRUE(set->contains(700));
    EXPECT_TRUE(set->contains(64));
    EXPECT_FALSE(set->contains(129));
  }
  EXPECT_FALSE(full.insert(3));
}

TEST(Arrivals, AreNewTwiceOrOutOfOrder) {
  struct Row {
    std::uint64_t sequence;
    bool redelivered;
  };
  SeenSet seen;
  FlowOrder order;
  FlowCounts counts;
  for (const Row& row : {Row{0, false}, Row{2, false}, Row{1, false}, Row{1, false}, Row{4, false}, Row{3, true}}) {
    note_arrival(row.sequence, row.redelivered, order, seen, counts);
  }
  EXPECT_EQ(counts.unique, 5u);
  EXPECT_EQ(counts.duplicated, 1u);
  EXPECT_EQ(counts.disordered, 1u);  // 1 after 2; what came again or was redelivered may be late
}

TEST(Missing, IsWhatIsNeitherSeenNorExcused) {
  SeenSet seen;
  for (const std::uint64_t i : {0u, 1u, 4u}) seen.insert(i);
  EXPECT_EQ(count_missing(6, seen, {}), 3u);
  EXPECT_EQ(count_missing(6, seen, {2, 5}), 1u);
  EXPECT_EQ(count_missing(6, seen, {1, 2, 3, 5}), 0u);
  EXPECT_EQ(count_missing(2, seen, {}), 0u);
}

TEST(ConfirmWindow, SettlesOneOrAllUpToOne) {
  ConfirmWindow window(3);
  std::vector<std::uint64_t> settled;
  const auto note = [&](std::uint64_t number, Instant meant) {
    EXPECT_EQ(meant, kBegin + milliseconds(static_cast<int>(number)));
    settled.push_back(number);
  };
  for (int i = 0; i < 3; ++i) window.publish(kBegin + milliseconds(i));
  EXPECT_FALSE(window.has_room());
  EXPECT_TRUE(window.settle(2, false, note));  // tag 2 is number 1
  EXPECT_TRUE(window.has_room());
  EXPECT_TRUE(window.settle(3, true, note));
  EXPECT_EQ(settled, (std::vector<std::uint64_t>{1, 0, 2}));
  EXPECT_EQ(window.outstanding(), 0u);
}

TEST(ConfirmWindow, ForgivesAnAnswerTwiceButNotOneToNothing) {
  ConfirmWindow window(3);
  const auto none = [](std::uint64_t, Instant) { ADD_FAILURE(); };
  EXPECT_FALSE(window.settle(1, false, none));
  window.publish(kBegin);
  EXPECT_TRUE(window.settle(1, false, [](std::uint64_t, Instant) {}));
  EXPECT_TRUE(window.settle(1, false, none));
  EXPECT_TRUE(window.settle(0, true, none));
  EXPECT_FALSE(window.settle(0, false, none));
  EXPECT_FALSE(window.settle(2, true, none));
}

TEST(ConfirmWindow, GrowsWhenTheOldestWaits) {
  ConfirmWindow window(2);
  int answered = 0;
  const auto note = [&](std::uint64_t, Instant) { ++answered; };
  window.publish(kBegin);
  for (std::uint64_t number = 1; number < 1000; ++number) {
    ASSERT_TRUE(window.has_room());
    window.publish(kBegin);
    ASSERT_TRUE(window.settle(number + 1, false, note));
  }
  std::vector<std::uint64_t> left;
  window.for_each_outstanding([&](std::uint64_t number) { left.push_back(number); });
  EXPECT_EQ(left, std::vector<std::uint64_t>{0});
  EXPECT_EQ(answered, 999);
}

TEST(LatencyHistogram, IsExactToHalfAPercent) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), nanoseconds(0));
  for (int i = 1; i <= 100'000; ++i) histogram.record(microseconds(i));
  for (const double fraction : {0.001, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = 1e8 * fraction;
    EXPECT_NEAR(static_cast<double>(histogram.percentile(fraction).count()), exact, exact * 0.004) << fraction;
  }
  EXPECT_EQ(histogram.min(), microseconds(1));
  EXPECT_EQ(histogram.percentile(1), milliseconds(100));
  EXPECT_EQ(histogram.count(), 100'000u);
}

TEST(LatencyHistogram, TakesEveryDuration) {
  LatencyHistogram histogram;
  histogram.record(nanoseconds(-5));
  EXPECT_EQ(histogram.max(), nanoseconds(0));
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.percentile(1), Duration::max());
  EXPECT_EQ(histogram.percentile(0), nanoseconds(0));
}

TEST(LatencyHistogram, AddsUp) {
  LatencyHistogram slow;
  slow.record(seconds(2));
  LatencyHistogram all;
  all.record(milliseconds(1));
  all.add(slow);
  all.add(LatencyHistogram());
  EXPECT_EQ(all.count(), 2u);
  EXPECT_EQ(all.min(), milliseconds(1));
  EXPECT_EQ(all.max(), seconds(2));
}

TEST(BrokerMeter, ReadsTheTextsOfProc) {
  const std::string stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 700 55 9 9 20 0 8 0 123 1000 200";
  EXPECT_EQ(cpu_ticks_of_stat(stat), 755u);
  EXPECT_EQ(cpu_ticks_of_stat(""), 0u);
  EXPECT_EQ(cpu_ticks_of_stat("42 (x) S"), 0u);
  const std::string io = "rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
  EXPECT_EQ(number_after(io, "write_bytes"), 4096u);
  EXPECT_EQ(number_after(io, "cancelled_write_bytes"), 7u);
  EXPECT_EQ(number_after("Name:\tx\nVmHWM:\t  900 kB\n", "VmHWM"), 900u);
  EXPECT_FALSE(number_after(io, "bytes"));
}

TEST(BrokerMeter, MeasuresThisProcess) {
  BrokerMeter meter({::getpid()});
  meter.begin();
  const BrokerUsage usage = meter.end();
  EXPECT_GT(usage.peak_rss_bytes, 1'000'000u);
  EXPECT_GE(usage.cpu, nanoseconds(0));
}

TEST(BrokerMeter, LeavesOutWhatItCannotRead) {
  BrokerMeter meter({-1});
  meter.begin();
  const BrokerUsage usage = meter.end();
  EXPECT_EQ(usage.peak_rss_bytes, 0u);
  EXPECT_FALSE(usage.written_bytes);
}

}  // namespace quorate::perf
