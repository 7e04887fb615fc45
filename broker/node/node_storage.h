// NodeStorage: what a node has on its disk, opened in two steps. The state says which node this is and which of its
// starts; the log is opened once it is known whether other nodes could bring back what it has lost.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/ballast.h"
#include "storage/directory_lock.h"
#include "storage/disk_storage.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"

namespace quorate {

class NodeStorage {
 public:
  NodeStorage(std::string data_dir, const Clock& clock) : data_dir_(std::move(data_dir)), clock_(clock) {}

  /// Takes the directory for this process, and counts the start. Refuses a volume that is too full for it.
  Result<void> open_state();
  /// What a disk has lost, a node of several gets back from the others; a node alone refuses to start.
  Result<void> open_log(bool has_others);

  Epoch epoch() const { return epoch_; }
  /// The epoch before did not end in order.
  bool after_crash() const { return after_crash_; }
  storage::SnapshotStore& snapshots() { return *snapshots_; }
  storage::LogStore& log() { return *log_; }
  storage::LogReader& reader() { return *reader_; }
  storage::DiskStorage& disk() { return *disk_; }
  /// Of the volume, for messages. Shard 0.
  Result<std::uint64_t> free_bytes() { return ballast_->free_bytes(); }
  /// For how long the write under way has lasted.
  Duration busy_for(Instant now) const { return writer_->busy_for(now); }

  /// Everything that was submitted is in the log after this.
  void flush();
  /// This epoch ends in order.
  void note_clean_end();
  /// Lets go of the directory.
  void close();

 private:
  Result<void> make_room();
  Result<void> count_start();
  Result<void> check_identity(const storage::LogStore& log);

  std::string data_dir_;
  const Clock& clock_;
  Epoch epoch_;
  bool after_crash_ = false;
  std::optional<storage::DirectoryLock> lock_;
  std::unique_ptr<storage::Ballast> ballast_;
  std::unique_ptr<storage::SnapshotStore> snapshots_;
  std::unique_ptr<storage::LogStore> log_;
  std::unique_ptr<storage::LogWriter> writer_;
  std::unique_ptr<storage::LogReader> reader_;
  std::unique_ptr<storage::DiskStorage> disk_;
};

}  // namespace quorate
