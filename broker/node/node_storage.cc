#include "broker/node/node_storage.h"

#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "broker/node/reset.h"
#include "storage/volume.h"

namespace quorate {
namespace {

constexpr std::string_view kLogFact = "log";  // identity of the log database
constexpr std::string_view kEpochFact = "epoch";
constexpr std::string_view kCleanEpochFact = "clean_epoch";  // the last one that ended in order

}  // namespace

Result<void> NodeStorage::open_state() {
  std::error_code error;
  std::filesystem::create_directories(data_dir_, error);
  if (error) {
    return failure(ErrorCode::io, "cannot create the data directory '" + data_dir_ + "': " + error.message());
  }
  auto lock = storage::DirectoryLock::acquire(data_dir_);
  if (!lock) return std::unexpected(lock.error());
  lock_.emplace(std::move(*lock));
  if (auto reset = carry_out_reset(data_dir_); !reset) return reset;
  if (auto made = make_room(); !made) return made;
  auto snapshots = storage::SnapshotStore::open({.path = data_dir_ + "/state"});
  if (!snapshots) return std::unexpected(snapshots.error());
  snapshots_ = std::move(*snapshots);
  return count_start();
}

/// Ballast may be what lets a full volume be opened all the same.
Result<void> NodeStorage::make_room() {
  const auto volume = storage::volume_of(data_dir_);
  if (!volume) return std::unexpected(volume.error());
  ballast_ = std::make_unique<storage::Ballast>(data_dir_, storage::Ballast::bytes_for(volume->size_bytes));
  const std::uint64_t needed = storage::bytes_to_open(data_dir_);
  if (auto settled = ballast_->settle(needed); !settled) return std::unexpected(settled.error());
  return storage::check_room_to_open(data_dir_);
}

Result<void> NodeStorage::count_start() {
  const auto before = snapshots_->get(kEpochFact);
  if (!before) return std::unexpected(before.error());
  std::uint32_t last_epoch = 0;
  if (*before) {
    const auto [end, fault] = std::from_chars((*before)->data(), (*before)->data() + (*before)->size(), last_epoch);
    if (fault != std::errc{}) {
      return failure(ErrorCode::corruption, "the epoch recorded in '" + data_dir_ + "/state' is no number");
    }
  }
  epoch_ = Epoch(last_epoch + 1);
  const auto clean = snapshots_->get(kCleanEpochFact);
  if (!clean) return std::unexpected(clean.error());
  after_crash_ = *before && *clean != *before;
  return snapshots_->put(kEpochFact, std::to_string(epoch_.value()));
}

Result<void> NodeStorage::open_log(bool has_others) {
  const auto on_loss = has_others ? storage::LogStore::OnLoss::recover : storage::LogStore::OnLoss::refuse;
  auto log = storage::LogStore::open({.path = data_dir_ + "/log", .epoch = epoch_, .on_loss = on_loss});
  if (!log) return std::unexpected(log.error());
  if (auto known = check_identity(**log); !known) return known;
  log_ = std::move(*log);
  writer_ = std::make_unique<storage::LogWriter>(*log_, clock_);
  reader_ = std::make_unique<storage::LogReader>(*log_);
  disk_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
  return {};
}

/// A node whose log has vanished beside its state would vote anew under an old name.
Result<void> NodeStorage::check_identity(const storage::LogStore& log) {
  const auto known = snapshots_->get(kLogFact);
  if (!known) return std::unexpected(known.error());
  const auto identity = log.identity();
  if (!identity) return std::unexpected(identity.error());
  if (!*known) return snapshots_->put(kLogFact, *identity);
  if (**known == *identity) return {};
  return failure(ErrorCode::corruption, "the log in '" + data_dir_ +
                                            "/log' is not the one that this node has written: it must not act under "
                                            "its old name; bring the log back, or replace the node");
}

void NodeStorage::flush() {
  if (writer_) writer_->stop();
  if (reader_) {
    reader_->abandon_chores();
    reader_->stop();
  }
}

void NodeStorage::note_clean_end() {
  if (!snapshots_) return;
  if (auto put = snapshots_->put(kCleanEpochFact, std::to_string(epoch_.value())); !put) {
    log::warn(log::Category::storage, "end not recorded reason=\"{}\"", put.error().text);
  }
}

void NodeStorage::close() {
  disk_.reset();
  reader_.reset();
  writer_.reset();
  log_.reset();
  snapshots_.reset();
  if (ballast_) ballast_->stop();
  ballast_.reset();
  lock_.reset();
}

}  // namespace quorate
