#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::raft {

Log::Log(LogPosition base, std::vector<TermRun> runs, LogIndex last)
    : base_(base), last_{.index = last, .term = base.term}, runs_(std::move(runs)) {
  CHECK_LE(base_.index, last_.index);
  CHECK_EQ(runs_.empty(), base_.index == last_.index);
  if (runs_.empty()) return;
  CHECK_EQ(runs_.front().first, base_.index.plus(1));
  CHECK_LE(runs_.back().first, last_.index);
  last_.term = runs_.back().term;
}

std::optional<Term> Log::term_at(LogIndex index) const {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last_.index) return std::nullopt;
  auto run = runs_.rbegin();
  while (run->first > index) ++run;
  return run->term;
}

LogPosition Log::last_not_after(LogPosition limit) const {
  LogIndex index = std::min(limit.index, last_.index);
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first > index) continue;
    if (run->term <= limit.term) return {.index = index, .term = run->term};
    index = LogIndex(run->first.value() - 1);
  }
  return base_;
}

void Log::append(Entry entry) {
  CHECK_EQ(entry.index, last_.index.plus(1));
  CHECK_GE(entry.term, last_.term);
  if (runs_.empty() || entry.term > runs_.back().term) runs_.push_back({.first = entry.index, .term = entry.term});
  last_ = {.index = entry.index, .term = entry.term};
  tail_bytes_ += weight(entry);
  tail_.push_back(std::move(entry));
}

void Log::truncate(LogIndex from) {
  CHECK_GT(from, base_.index);
  CHECK_LE(from, last_.index);
  while (!tail_.empty() && tail_.back().index >= from) {
    tail_bytes_ -= weight(tail_.back());
    tail_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
  last_ = {.index = LogIndex(from.value() - 1), .term = runs_.empty() ? base_.term : runs_.back().term};
}

void Log::compact(LogPosition position) {
  CHECK(contains(position));
  trim(position.index, tail_bytes_);
  if (position.index == last_.index) {
    runs_.clear();
  } else {
    const auto next = LogIndex(position.index.value() + 1);
    auto keep = std::ranges::find_if(runs_, [&](const TermRun& run) { return run.first > next; });
    if (keep != runs_.begin()) --keep;  // the run that `next` stands in
    runs_.erase(runs_.begin(), keep);
    runs_.front().first = next;
  }
  base_ = position;
}

void Log::reset(LogPosition base) {
  base_ = last_ = base;
  runs_.clear();
  tail_.release();
  tail_bytes_ = 0;
}

const Entry* Log::find(LogIndex index) const {
  if (tail_.empty() || index < tail_.front().index || index > last_.index) return nullptr;
  return &tail_[index.value() - tail_.front().index.value()];
}

void Log::trim(LogIndex index, std::size_t max_bytes) {
  while (!tail_.empty() && (tail_.front().index <= index || tail_bytes_ > max_bytes)) {
    tail_bytes_ -= weight(tail_.front());
    tail_.pop_front();
  }
}

std::size_t Log::memory_bytes() const {
  return sizeof(Log) + tail_bytes_ + tail_.capacity_bytes() + runs_.capacity() * sizeof(TermRun);
}

}  // namespace quorate::raft
