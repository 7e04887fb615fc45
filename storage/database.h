// Database: a RocksDB that is opened with suspicion. It compares what was recovered with the durability mark, refuses
// a directory that has lost synced writes (or says so, if asked to salvage what came before the loss), and after the
// first failed write or background error writes no more.
// The only place, with info_log.h and retention.h, whose header names rocksdb; the stores keep it behind a pointer.
#pragma once
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "storage/durability_mark.h"

namespace quorate::storage {

inline rocksdb::Slice slice_of(ByteView view) { return {reinterpret_cast<const char*>(view.data()), view.size()}; }
inline ByteView view_of(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.data()), slice.size()};
}

class ErrorLatch;

class Database {
 public:
  struct Family {
    std::string name;
    rocksdb::ColumnFamilyOptions options;
  };
  struct Plan {
    std::string title;  // what the operator calls it: "log database"
    std::string path;
    std::string mark_path;
    Epoch epoch;
    std::vector<Family> families;
    std::uint64_t wal_bytes_max = 0;
    bool salvages = false;  // lost writes are no reason to refuse, as long as what came before them can be read
  };

  /// The mark on disk stays as it was found: the owner calls store_mark() when what it found is judged and kept.
  static Result<std::unique_ptr<Database>> open(const Plan& plan);
  explicit Database(const Plan& plan);  // for open()
  ~Database();

  rocksdb::DB& db() const { return *db_; }
  /// In the order of the plan.
  rocksdb::ColumnFamilyHandle* family(std::size_t i) const { return families_[i]; }

  /// One thread at a time. The first error is the answer to every later write.
  Result<void> write(rocksdb::WriteBatch& batch, bool is_synced);
  /// Same thread: everything written so far is synced.
  Result<void> sync();
  /// Same thread: records what the last synced write reached, and what the owner knows besides.
  struct MarkExtras {
    std::uint64_t promises = 0;
    bool is_burned = false;
  };
  Result<void> store_mark(MarkExtras extras);
  /// An error from outside of RocksDB that must stop writing all the same.
  std::unexpected<Error> fail(Error error);

  /// Synced writes are missing; its words are a refusal's. Only with Plan::salvages.
  const std::optional<Error>& loss() const { return loss_; }
  /// As it was found; nullopt: none that can be read.
  const std::optional<Mark>& found_mark() const { return found_mark_; }
  Result<std::string> identity() const;

  /// `status` as an Error that says what was being done, and which groups share a damaged file.
  Error error_of(const rocksdb::Status& status, const std::string& doing) const;
  std::uint64_t bytes_on_disk() const;

 private:
  Result<void> recover();
  rocksdb::Status open_with(rocksdb::WALRecoveryMode mode);
  Result<void> lose(std::unexpected<Error> refusal);
  Result<void> judge_damage(const std::string& damage);
  Result<void> compare_with_mark();
  Result<void> judge_length();
  Result<void> load_verdict();
  Result<void> keep_verdict();
  Result<void> forget_verdict();
  std::unexpected<Error> refuse_length(std::uint64_t left, std::uint64_t synced) const;
  Result<std::uint64_t> recoverable_sequence(rocksdb::WALRecoveryMode mode) const;
  rocksdb::DBOptions options(rocksdb::WALRecoveryMode mode) const;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors() const;
  std::string evidence_path() const { return plan_.path + "/evidence"; }
  std::string verdict_path() const { return plan_.path + "/verdict"; }
  std::vector<std::string> wal_names() const;
  void keep_evidence() const;
  std::unexpected<Error> refuse(const std::string& damage) const;

  Plan plan_;
  std::shared_ptr<ErrorLatch> latch_;
  std::shared_ptr<rocksdb::Logger> info_log_;
  DurabilityMark mark_;
  std::optional<Mark> found_mark_;
  std::optional<Error> loss_;
  bool has_verdict_ = false;  // there is a file that tells of the loss
  std::uint64_t synced_sequence_ = 0;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

}  // namespace quorate::storage
