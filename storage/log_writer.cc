#include "storage/log_writer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace quorate::storage {
namespace {

constexpr std::chrono::milliseconds kMarkInterval{250};

}  // namespace

LogWriter::LogWriter(LogStore& store, const Clock& clock) : store_(store), clock_(clock), thread_([this] { run(); }) {}

LogWriter::~LogWriter() { CHECK(!thread_.joinable()); }

void LogWriter::submit(std::vector<GroupWrite> writes, std::size_t bytes, Durability durability, Done done) {
  pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  CHECK(!stopping_);
  queue_.push_back({.writes = std::move(writes), .bytes = bytes, .durability = durability, .done = std::move(done)});
  if (queue_.size() == 1) wake_.notify_one();
}

LogWriter::Counters LogWriter::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

Duration LogWriter::busy_for(Instant now) const {
  const Instant since = writing_since_.load(std::memory_order_relaxed);
  return since == Instant{} ? Duration::zero() : now - since;
}

void LogWriter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void LogWriter::run() {
  while (true) {
    std::deque<Submission> submissions = wait_for_work();
    if (submissions.empty()) {
      if (is_ending()) {
        sync_rest();
        refresh_mark();
        return;
      }
      refresh_mark();
      continue;
    }
    write_all(std::move(submissions));
    if (clock_.now() - mark_stored_at_ >= kMarkInterval) refresh_mark();
  }
}

/// Everything that is queued; nothing when it is time to stop, or to store the mark of writes long done.
std::deque<LogWriter::Submission> LogWriter::wait_for_work() {
  std::unique_lock lock(mutex_);
  const auto has_news = [&] { return stopping_ || !queue_.empty(); };
  if (mark_is_stale_) {
    wake_.wait_for(lock, kMarkInterval, has_news);
  } else {
    wake_.wait(lock, has_news);
  }
  return std::exchange(queue_, {});
}

/// Cuts what has gathered into batches of at most kLogBatchMaxBytes, or of one submission that is larger.
void LogWriter::write_all(std::deque<Submission> submissions) {
  auto begin = submissions.begin();
  while (begin != submissions.end()) {
    Batch batch;
    auto end = begin;
    while (end != submissions.end() && (end == begin || batch.bytes + end->bytes <= limits::kLogBatchMaxBytes)) {
      batch.add(*end++);
    }
    const Result<void> written = timed([&] { return write_batch(batch); });
    for (; begin != end; ++begin) {
      begin->done(written);
      pending_bytes_.fetch_sub(begin->bytes, std::memory_order_relaxed);
    }
  }
}

/// What waits for the disk, so that busy_for() knows how long.
template <class Work>
Result<void> LogWriter::timed(Work work) {
  writing_since_.store(clock_.now(), std::memory_order_relaxed);
  Result<void> outcome = work();
  writing_since_.store(Instant{}, std::memory_order_relaxed);
  return outcome;
}

void LogWriter::Batch::add(Submission& submission) {
  for (const GroupWrite& write : submission.writes) entries += write.entries.size();
  std::ranges::move(submission.writes, std::back_inserter(writes));
  bytes += submission.bytes;
  if (submission.durability == Durability::synced) durability = Durability::synced;
}

Result<void> LogWriter::write_batch(const Batch& batch) {
  if (failure_) return std::unexpected(*failure_);
  const Result<void> written = store_.write(batch.writes, batch.durability);
  if (!written) {
    fail(written.error());
    return written;
  }
  const bool is_synced = batch.durability == Durability::synced;
  mark_is_stale_ = mark_is_stale_ || is_synced;
  const std::lock_guard lock(mutex_);
  counters_.batches += 1;
  counters_.syncs += is_synced ? 1 : 0;
  counters_.entries += batch.entries;
  counters_.bytes += batch.bytes;
  counters_.batch_bytes_max = std::max<std::uint64_t>(counters_.batch_bytes_max, batch.bytes);
  return {};
}

bool LogWriter::is_ending() {
  const std::lock_guard lock(mutex_);
  return stopping_ && queue_.empty();
}

/// The end in order leaves nothing to the operating system's own time.
void LogWriter::sync_rest() {
  if (failure_) return;
  if (const auto synced = store_.sync(); !synced) return fail(synced.error());
  mark_is_stale_ = true;
}

void LogWriter::refresh_mark() {
  mark_stored_at_ = clock_.now();
  if (!std::exchange(mark_is_stale_, false) || failure_) return;
  if (const auto stored = timed([&] { return store_.store_mark(); }); !stored) fail(stored.error());
}

void LogWriter::fail(const Error& error) {
  log::error(log::Category::storage, "storage.write_failed error=\"{}\" consequence=\"this node writes no more\"",
             error.text);
  failure_ = error;
}

}  // namespace quorate::storage
