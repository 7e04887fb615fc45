#include "storage/database.h"

#include <fmt/format.h>
#include <rocksdb/listener.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/cursor.h"
#include "base/log.h"
#include "storage/files.h"
#include "storage/info_log.h"

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kOpenFilesMax = 1024;
constexpr int kBackgroundJobs = 4;  // one flushes; a long compaction leaves two to others
constexpr std::size_t kWriteGroupBytesMax = 16u << 20;

ErrorCode code_of(const rocksdb::Status& status) {
  if (status.IsCorruption()) return ErrorCode::corruption;
  if (status.IsNotFound()) return ErrorCode::not_found;
  return ErrorCode::io;
}

/// The "000012.sst" in a status text, with the slash RocksDB's own listing puts in front; empty if there is none.
std::string table_file_in(const std::string& text) {
  const std::size_t end = text.find(".sst");
  if (end == std::string::npos) return {};
  std::size_t begin = end;
  while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9') --begin;
  return "/" + text.substr(begin, end - begin) + ".sst";
}

/// Every key but those of facts begins with its group.
std::uint64_t group_in_front(const std::string& key) {
  ByteReader reader(as_bytes(key));
  std::uint64_t group = 0;
  reader.read(group);
  return group;
}

}  // namespace

/// Keeps the first error of a database for ever; RocksDB's own threads report here too.
class ErrorLatch final : public rocksdb::EventListener {
 public:
  void set(Error error) {
    std::shared_ptr<const Error> none;
    first_.compare_exchange_strong(none, std::make_shared<const Error>(std::move(error)));
  }
  std::shared_ptr<const Error> get() const { return first_.load(); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status* status) override {
    log::error(log::Category::storage, "storage.background_error status=\"{}\"", status->ToString());
    set({.code = code_of(*status), .text = "RocksDB stopped writing: " + status->ToString()});
  }
  /// When there is room again it would go on by itself.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*status*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::atomic<std::shared_ptr<const Error>> first_;
};

Database::Database(const Plan& plan) : plan_(plan), latch_(std::make_shared<ErrorLatch>()), mark_(plan.mark_path) {}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
}

Result<std::unique_ptr<Database>> Database::open(const Plan& plan) {
  auto database = std::make_unique<Database>(plan);
  if (const auto recovered = database->recover(); !recovered) return std::unexpected(recovered.error());
  return database;
}

Result<void> Database::recover() {
  std::error_code refused;  // whoever opens the database says it better
  fs::create_directories(plan_.path, refused);
  info_log_ = std::make_shared<InfoLog>(plan_.path);
  auto mark = mark_.load();
  if (mark) {
    found_mark_ = std::move(*mark);
  } else if (mark.error().code != ErrorCode::corruption) {
    return std::unexpected(mark.error());
  } else if (auto lost = lose(std::unexpected(mark.error())); !lost) {
    return lost;
  }
  if (!fs::exists(plan_.path + "/CURRENT") && found_mark_ && found_mark_->sequence > 0) {
    return refuse(fmt::format("it is gone, and {} writes had been synced to it", found_mark_->sequence));
  }
  if (found_mark_ && plan_.epoch != Epoch{} && found_mark_->epoch > plan_.epoch) {
    return refuse(
        fmt::format("it was written in epoch {} of this node, and now is epoch {}: the directories of log and "
                    "state are not of the same age",
                    found_mark_->epoch.value(), plan_.epoch.value()));
  }
  if (auto told = load_verdict(); !told) return told;
  if (auto whole = judge_length(); !whole) return whole;
  keep_evidence();
  rocksdb::Status status = open_with(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  if (status.IsCorruption()) {
    if (auto judged = judge_damage(status.ToString()); !judged) return judged;
    if (!loss_) {
      log::warn(log::Category::storage, "storage.torn_tail_cut path={} status=\"{}\"", plan_.path, status.ToString());
    }
    const bool was_known = has_verdict_;
    if (auto kept = keep_verdict(); !kept) return kept;
    status = open_with(rocksdb::WALRecoveryMode::kPointInTimeRecovery);
    const bool is_uncut = !status.ok() && !was_known;
    if (auto forgotten = is_uncut ? forget_verdict() : Result<void>(); !forgotten) return forgotten;
  }
  if (!status.ok()) return std::unexpected(loss_ ? *loss_ : error_of(status, "cannot open the " + plan_.title));
  if (auto compared = compare_with_mark(); !compared) return compared;
  std::error_code ignored;  // what is left behind is replaced at the next start
  if (loss_) {
    fs::rename(evidence_path(), plan_.path + "/lost", ignored);  // of the first loss, for whoever looks for more
  } else {
    fs::remove_all(evidence_path(), ignored);
  }
  synced_sequence_ = db_->GetLatestSequenceNumber();  // recovery has flushed it to tables
  return {};
}

/// What would refuse the directory is noted instead if what is left is to be salvaged.
Result<void> Database::lose(std::unexpected<Error> refusal) {
  if (!plan_.salvages) return refusal;
  if (loss_) return {};
  loss_ = refusal.error();
  log::error(log::Category::storage, "storage.writes_lost path={} error=\"{}\"", plan_.path, loss_->text);
  return {};
}

// A salvage cuts off what proves the loss, and the mark need not know of it. The verdict stands beside the logs until
// the owner has written down what it means.

Result<void> Database::load_verdict() {
  const auto verdict = read_file(verdict_path());
  if (!verdict) return std::unexpected(verdict.error());
  has_verdict_ = verdict->has_value();
  return has_verdict_ ? lose(failure(ErrorCode::corruption, std::string(as_text(**verdict)))) : Result<void>();
}

Result<void> Database::keep_verdict() {
  if (!loss_ || has_verdict_) return {};
  has_verdict_ = true;
  return write_file(verdict_path(), loss_->text);
}

Result<void> Database::forget_verdict() {
  if (!std::exchange(has_verdict_, false)) return {};
  std::error_code error;
  fs::remove(verdict_path(), error);
  if (error) return failure(ErrorCode::io, "cannot remove " + verdict_path() + ": " + error.message());
  return sync_directory_of(verdict_path());
}

rocksdb::Status Database::open_with(rocksdb::WALRecoveryMode mode) {
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options(mode), plan_.path, descriptors(), &families_, &raw);
  db_.reset(raw);
  return status;
}

// A record that was being written when the power went is cut off, or else a power cut could keep a cluster down. That
// is believed only of the very end: nothing readable follows the damage, and nothing before the mark is lost.
Result<void> Database::judge_damage(const std::string& damage) {
  const auto& mark = found_mark_;
  if (!mark) return lose(refuse(damage));
  const std::string place = fmt::format("{} (write-ahead logs there: {})", damage, fmt::join(wal_names(), ", "));
  const auto before = recoverable_sequence(rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  const auto anywhere = recoverable_sequence(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords);
  if (!before || !anywhere) return lose(refuse(place));
  if (*before < mark->sequence) {
    return lose(
        refuse(fmt::format("{}; only {} of {} synced writes can be read, so every group written after write {} has "
                           "lost entries",
                           place, *before, mark->sequence, *before)));
  }
  if (*anywhere > *before) {
    return lose(
        refuse(fmt::format("{}; intact writes follow the damage, so all groups written after write {} may have "
                           "lost entries",
                           place, *before)));
  }
  return {};
}

Result<void> Database::compare_with_mark() {
  const auto& mark = found_mark_;
  const std::uint64_t recovered = db_->GetLatestSequenceNumber();
  if (!mark) {
    if (recovered == 0 || loss_) return {};
    return lose(refuse(fmt::format("its durability mark {} is missing, so nothing says whether its {} writes are all",
                                   mark_.path(), recovered)));
  }
  const auto found = identity();
  if (!found) return std::unexpected(found.error());
  if (mark->sequence > 0 && *found != mark->database) {
    return refuse(fmt::format("it is database {}, and {} speaks of database {}", *found, mark_.path(), mark->database));
  }
  if (recovered < mark->sequence) return lose(refuse_length(recovered, mark->sequence));
  return {};
}

Result<std::string> Database::identity() const {
  std::string out;
  if (const auto status = db_->GetDbIdentity(out); !status.ok()) {
    return std::unexpected(error_of(status, "cannot read the identity of the " + plan_.title));
  }
  return out;
}

/// Before anything is opened for writing, which would tidy the rest away: a log that was shortened or deleted is whole
/// again as soon as the operator puts the file back. Damage within the logs is judge_damage()'s.
Result<void> Database::judge_length() {
  const auto& mark = found_mark_;
  if (!mark || mark->sequence == 0) return {};
  std::ifstream identity_file(plan_.path + "/IDENTITY");
  std::string identity;
  if (!std::getline(identity_file, identity) || identity != mark->database) return {};  // compare_with_mark()
  const auto readable = recoverable_sequence(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  if (!readable || *readable >= mark->sequence) return {};
  keep_evidence();
  return lose(refuse_length(*readable, mark->sequence));
}

std::unexpected<Error> Database::refuse_length(std::uint64_t left, std::uint64_t synced) const {
  return refuse(
      fmt::format("only {} of {} synced writes are left: a write-ahead log (*.log) was shortened or deleted, "
                  "and every group written after write {} has lost entries",
                  left, synced, left));
}

/// What a recovery in `mode` would reach, found out without changing a byte.
Result<std::uint64_t> Database::recoverable_sequence(rocksdb::WALRecoveryMode mode) const {
  rocksdb::DBOptions inspection = options(mode);
  inspection.listeners.clear();
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const auto status = rocksdb::DB::OpenForReadOnly(inspection, plan_.path, descriptors(), &families, &raw);
  const std::unique_ptr<rocksdb::DB> db(raw);
  if (!status.ok()) return std::unexpected(error_of(status, "cannot inspect the " + plan_.title));
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
  return db->GetLatestSequenceNumber();
}

rocksdb::DBOptions Database::options(rocksdb::WALRecoveryMode mode) const {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.wal_recovery_mode = mode;
  options.recycle_log_file_num = 0;  // a recycled log cannot tell its damaged tail from an older write
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;
  options.max_bgerror_resume_count = 0;  // the first error is for ever
  options.max_total_wal_size = plan_.wal_bytes_max;
  options.max_write_batch_group_size_bytes = kWriteGroupBytesMax;
  options.allow_concurrent_memtable_write = false;  // one thread writes
  options.max_background_jobs = kBackgroundJobs;
  options.max_open_files = kOpenFilesMax;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = info_log_;
  options.listeners = {latch_};
  return options;
}

/// The plan's families, then RocksDB's own default, which stays empty.
std::vector<rocksdb::ColumnFamilyDescriptor> Database::descriptors() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (const Family& family : plan_.families) out.emplace_back(family.name, family.options);
  out.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  return out;
}

std::vector<std::string> Database::wal_names() const {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(plan_.path, error)) {
    if (file.path().extension() == ".log" && file.file_size() > 0) out.push_back(file.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

/// A successful open flushes and deletes logs; second names for them keep what a refusal must not destroy.
void Database::keep_evidence() const {
  std::error_code error;
  fs::create_directories(evidence_path(), error);
  for (const std::string& name : wal_names()) {
    const fs::path original = fs::path(plan_.path) / name;
    fs::path kept = fs::path(evidence_path()) / name;
    // Of an earlier refusal another file of that name may be there: both are evidence.
    for (int copy = 2; fs::exists(kept, error) && !fs::equivalent(kept, original, error); ++copy) {
      kept = fs::path(evidence_path()) / fmt::format("{}.{}", name, copy);
    }
    fs::create_hard_link(original, kept, error);
  }
}

std::unexpected<Error> Database::refuse(const std::string& damage) const {
  return failure(ErrorCode::corruption,
                 fmt::format("the {} in {} is damaged: {}. This node must not vote or serve with it. Let the other "
                             "members replace this node, or restore the whole data directory from a copy; its "
                             "write-ahead logs, as found, are kept in {}",
                             plan_.title, plan_.path, damage, evidence_path()));
}

Result<void> Database::write(rocksdb::WriteBatch& batch, bool is_synced) {
  if (const auto failed = latch_->get()) return std::unexpected(*failed);
  rocksdb::WriteOptions options;
  options.sync = is_synced;
  const rocksdb::Status status = db_->Write(options, &batch);
  if (!status.ok()) {
    latch_->set(error_of(status, "cannot write to the " + plan_.title));
    return std::unexpected(*latch_->get());
  }
  if (is_synced) synced_sequence_ = db_->GetLatestSequenceNumber();
  return {};
}

Result<void> Database::sync() {
  if (const auto failed = latch_->get()) return std::unexpected(*failed);
  if (const rocksdb::Status status = db_->SyncWAL(); !status.ok()) {
    latch_->set(error_of(status, "cannot sync the " + plan_.title));
    return std::unexpected(*latch_->get());
  }
  synced_sequence_ = db_->GetLatestSequenceNumber();
  return {};
}

Result<void> Database::store_mark(MarkExtras extras) {
  auto found = identity();
  if (!found) return std::unexpected(found.error());
  auto stored = mark_.store({.database = std::move(*found),
                             .sequence = synced_sequence_,
                             .epoch = plan_.epoch,
                             .promises = extras.promises,
                             .is_burned = extras.is_burned});
  if (stored) stored = forget_verdict();
  if (!stored) latch_->set(stored.error());
  return stored;
}

std::unexpected<Error> Database::fail(Error error) {
  latch_->set(std::move(error));
  return std::unexpected(*latch_->get());
}

Error Database::error_of(const rocksdb::Status& status, const std::string& doing) const {
  std::string text = fmt::format("{} in {}: {}", doing, plan_.path, status.ToString());
  const std::string damaged = status.IsCorruption() && db_ != nullptr ? table_file_in(text) : "";
  std::vector<rocksdb::LiveFileMetaData> files;
  if (!damaged.empty()) db_->GetLiveFilesMetaData(&files);
  for (const auto& file : files) {
    if (file.name != damaged) continue;
    text += fmt::format("; that file holds groups {} to {}", group_in_front(file.smallestkey),
                        group_in_front(file.largestkey));
  }
  return {.code = code_of(status), .text = std::move(text)};
}

std::uint64_t Database::bytes_on_disk() const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(plan_.path, error)) {
    std::error_code gone;  // files come and go under us
    const std::uint64_t size = file.is_regular_file(gone) ? file.file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace quorate::storage
