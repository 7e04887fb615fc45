#include "tests/sim/open_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "raft/configuration.h"

namespace quorate::sim {

using namespace std::chrono_literals;

namespace {

std::unexpected<Error> snapshot_damage() { return failure(ErrorCode::corruption, "the snapshot fails its digest"); }

}  // namespace

void OpenDisk::later(Duration delay, std::move_only_function<void()> task) {
  stage_.schedule.after(delay, [this, alive = alive_, task = std::move(task)]() mutable {
    if (!*alive) return;
    const Duration pause = owner_.runs_from() - stage_.schedule.now();
    if (pause > 0ns) return later(pause, std::move(task));
    task();
  });
}

// --- what open() asks ---

std::vector<GroupId> OpenDisk::groups() const {
  std::vector<GroupId> ids;
  for (const auto& [id, image] : disk_.current().groups) {
    if (image.row) ids.push_back(id);
  }
  return ids;
}

Result<std::optional<storage::GroupRow>> OpenDisk::row(GroupId group) const {
  const GroupImage* image = disk_.current().find(group);
  return image == nullptr ? std::nullopt : image->row;
}

Result<storage::LogSummary> OpenDisk::summarize(GroupId group, LogIndex after) const {
  storage::LogSummary summary{.last = after};
  const GroupImage* image = disk_.current().find(group);
  if (image == nullptr) return summary;
  for (auto at = image->entries.upper_bound(after); at != image->entries.end(); ++at) {
    const auto entry = decode_stored(group, at->first, at->second);
    if (!entry || entry->index != summary.last.plus(1)) {
      stage_.seen(Seen::rot_found_at_start);
      summary.damaged = summary.last.plus(1);
      break;
    }
    summary.last = entry->index;
    summary.last_ts = entry->ts;
    if (summary.runs.empty() || summary.runs.back().term != entry->term) {
      summary.runs.push_back({.first = entry->index, .term = entry->term});
    }
    if (entry->type != raft::EntryType::config) continue;
    const auto configuration = raft::decode_configuration(entry->payload.view());
    if (!configuration) return failure(ErrorCode::corruption, "a configuration cannot be read");
    summary.configurations.emplace_back(entry->index, *configuration);
  }
  return summary;
}

Result<std::optional<storage::Snapshot>> OpenDisk::load_snapshot(GroupId group) const {
  const storage::Snapshot* snapshot = disk_.current().snapshot(group);
  if (snapshot == nullptr) return std::nullopt;
  if (disk_.current().is_snapshot_rotten(group)) {
    stage_.seen(storage::is_staging(group) ? Seen::staged_rot_read : Seen::snapshot_rot_found_at_start);
    return snapshot_damage();
  }
  return *snapshot;
}

Result<bool> OpenDisk::has_end_of(GroupId group, const storage::Snapshot& snapshot) const {
  const raft::LogPosition& end = snapshot.meta.last;
  const GroupImage* image = disk_.current().find(group);
  return image != nullptr && image->entries.contains(end.index) && image->entries.at(end.index).term == end.term;
}

Result<bool> OpenDisk::has_log_of(GroupId group, const storage::Snapshot& snapshot) const {
  if (auto has_end = has_end_of(group, snapshot); !*has_end) return has_end;
  const GroupImage& image = *disk_.current().find(group);
  for (const auto& [first, last] : snapshot.live.live) {
    for (LogIndex index = first; index <= last; ++index) {
      const auto at = image.entries.find(index);
      if (at == image.entries.end() || !decode_stored(group, index, at->second)) return false;
    }
  }
  return true;
}

// --- the writer: take, write, sync, answer ---

void OpenDisk::submit(std::vector<storage::GroupWrite> writes, std::size_t bytes, storage::Durability durability,
                      Done done) {
  if (!owner_.survives(Step::submit)) return;
  owner_.on_submit(writes);
  Submission submission{.bytes = bytes, .durability = durability, .done = std::move(done)};
  for (const storage::GroupWrite& write : writes) {
    submission.op.push_back(encode_write(write));
  }
  pending_bytes_ += bytes;
  queue_.push_back(std::move(submission));
  begin_batch();
}

void OpenDisk::begin_batch() {
  if (!batch_.empty() || queue_.empty()) return;
  batch_began_at_ = stage_.schedule.now();
  const std::size_t count = 1 + stage_.streams.disk.below(queue_.size());
  for (std::size_t i = 0; i < count; ++i) {
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  later(draw_exponential(stage_.streams.disk, stage_.options.disk.write_mean), [this] { write_batch(); });
}

/// Nor does anything succeed after another failure.
bool OpenDisk::fails_for_want_of_space() {
  if (is_full_ && !failed_) {
    stage_.seen(Seen::disk_full);
    failed_ = Error{.code = ErrorCode::io, .text = "no space left on device"};
  }
  return failed_.has_value();
}

void OpenDisk::write_batch() {
  if (!owner_.survives(Step::write)) return;
  if (fails_for_want_of_space()) return answer_batch();
  bool needs_sync = false;
  for (Submission& submission : batch_) {
    disk_.write(std::move(submission.op));
    needs_sync |= submission.durability == storage::Durability::synced;
  }
  stage_.tell([&] { return fmt::format("{}: {} submissions written", owner_.name(), batch_.size()); });
  if (!needs_sync) return answer_batch();
  Duration time = draw_exponential(stage_.streams.disk, stage_.options.disk.sync_mean);
  if (next_sync_takes_ > 0ns) {
    stage_.seen(Seen::sync_slow);
    time = std::exchange(next_sync_takes_, 0ns);
  }
  later(time, [this] { sync_batch(); });
}

void OpenDisk::sync_batch() {
  if (!owner_.survives(Step::sync)) return;
  if (sync_fails_) {
    stage_.seen(Seen::sync_failed);
    disk_.lose_unsynced();
    failed_ = Error{.code = ErrorCode::io, .text = "fsync: input/output error"};
    return answer_batch();
  }
  stage_.tell([this] { return fmt::format("{}: syncs", owner_.name()); });
  disk_.sync_log([this](const StoredWrite& write) { owner_.on_syncing(write); });
  disk_.note_recovery();
  later(draw_exponential(stage_.streams.disk, 20us), [this] { answer_batch(); });
}

void OpenDisk::answer_batch() {
  if (!owner_.survives(Step::done)) return;
  for (Submission& submission : std::exchange(batch_, {})) {
    pending_bytes_ -= submission.bytes;
    if (failed_) {
      submission.done(std::unexpected(*failed_));
    } else {
      submission.done({});
    }
  }
  owner_.wake();
  begin_batch();
}

// --- reads ---

void OpenDisk::read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) {
  stage_.seen(Seen::log_read);
  const Duration time = draw_exponential(stage_.streams.disk, stage_.options.disk.read_mean);
  later(time, [this, group, from, to, bytes_max, done = std::move(done)]() mutable {
    done(read_now(group, from, to, bytes_max));
    owner_.wake();
  });
}

Result<std::vector<raft::Entry>> OpenDisk::read_now(GroupId group, LogIndex from, LogIndex to,
                                                    std::size_t bytes_max) const {
  std::vector<raft::Entry> entries;
  const GroupImage* image = disk_.current().find(group);
  if (image == nullptr) return entries;
  std::size_t bytes = 0;
  for (auto at = image->entries.lower_bound(from); at != image->entries.end() && at->first <= to; ++at) {
    auto entry = decode_stored(group, at->first, at->second);
    if (!entry && entries.empty()) {
      note_rot_read(group, at->first);
      return failure(ErrorCode::corruption, "an entry fails its checksum");
    }
    if (!entry || bytes >= bytes_max) break;
    bytes += entry->payload.size();
    entries.push_back(std::move(*entry));
  }
  return entries;
}

void OpenDisk::note_rot_read(GroupId group, LogIndex index) const {
  constexpr int kReadsMax = 2'000;  // so many are no more hope, but a loop
  stage_.seen(storage::is_staging(group) ? Seen::staged_rot_read : Seen::rot_read);
  if (++rot_reads_[{group, index}] <= kReadsMax) return;
  stage_.violated(fmt::format("{}: reads the damaged entry {} of group {} again and again", owner_.name(),
                              index.value(), group.value()));
}

// --- snapshots ---

void OpenDisk::save_snapshot(GroupId group, storage::Snapshot snapshot, LogIndex kept_from, Done done) {
  if (!owner_.survives(Step::snapshot_call)) return;
  auto shared = std::make_shared<const storage::Snapshot>(std::move(snapshot));
  snapshots_.push_back(
      {.op = {.group = group, .snapshot = std::move(shared), .kept_from = kept_from}, .done = std::move(done)});
  begin_snapshot();
}

void OpenDisk::drop_snapshot(GroupId group, Done done) {
  if (!owner_.survives(Step::snapshot_call)) return;
  snapshots_.push_back({.op = {.group = group}, .done = std::move(done)});
  begin_snapshot();
}

void OpenDisk::fetch_snapshot(GroupId group, SnapshotRead done) {
  const Duration time = draw_exponential(stage_.streams.disk, stage_.options.disk.read_mean);
  later(time, [this, group, done = std::move(done)]() mutable {
    disk_.note_fetch(group);
    done(fetch_now(group));
    owner_.wake();
  });
}

Result<std::optional<storage::Snapshot>> OpenDisk::fetch_now(GroupId group) const {
  const storage::Snapshot* snapshot = disk_.synced().snapshot(group);
  if (snapshot == nullptr) return std::nullopt;
  if (disk_.synced().is_snapshot_rotten(group)) {
    stage_.seen(Seen::snapshot_rot_read);
    return snapshot_damage();
  }
  return *snapshot;
}

void OpenDisk::begin_snapshot() {
  if (snapshot_under_way_ || snapshots_.empty()) return;
  snapshot_under_way_ = true;
  later(draw_exponential(stage_.streams.disk, stage_.options.disk.write_mean), [this] { write_snapshot(); });
}

void OpenDisk::write_snapshot() {
  if (!owner_.survives(Step::snapshot_write)) return;
  if (!fails_for_want_of_space()) disk_.write(snapshots_.front().op);
  later(draw_exponential(stage_.streams.disk, stage_.options.disk.sync_mean), [this] { sync_snapshot(); });
}

void OpenDisk::sync_snapshot() {
  if (!owner_.survives(Step::snapshot_sync)) return;
  const bool fails = failed_.has_value();
  if (!fails) {
    for (const SnapshotOp& op : disk_.sync_snapshots()) {
      if (op.snapshot) owner_.on_snapshot_saved(op.group, *op.snapshot);
    }
  }
  later(draw_exponential(stage_.streams.disk, 20us), [this, fails] {
    if (!owner_.survives(Step::snapshot_done)) return;
    SnapshotJob job = std::move(snapshots_.front());
    snapshots_.pop_front();
    snapshot_under_way_ = false;
    if (fails) {
      job.done(failure(ErrorCode::io, "the snapshot cannot be written"));
    } else {
      job.done({});
    }
    owner_.wake();
    begin_snapshot();
  });
}

}  // namespace quorate::sim
