// DurabilityMark: how far a database is known to be synced, kept outside of it. RocksDB opens silently without records
// that a shortened or missing write-ahead log took along; the mark is how we notice (docs/formats/durability_mark.md).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace quorate::storage {

struct Mark {
  std::string database;        // RocksDB's identity of the database, at most kMarkDatabaseMaxBytes
  std::uint64_t sequence = 0;  // the last synced one
  Epoch epoch;                 // of the node's start that wrote it
  std::uint64_t promises = 0;  // how far the promises beside it are known to be synced (storage/promises.h)
  bool is_burned = false;      // promises were lost once: no replica of this directory acts again
  bool operator==(const Mark&) const = default;
};

inline constexpr std::size_t kMarkSlotBytes = 4096;
inline constexpr std::size_t kMarkDatabaseMaxBytes = 64;
using MarkSlot = std::array<std::byte, kMarkSlotBytes>;

/// A slot as it is written; `version` grows with every store, and the higher valid one counts.
MarkSlot encode_mark_slot(const Mark& mark, std::uint64_t version);
struct VersionedMark {
  Mark mark;
  std::uint64_t version = 0;
};
/// nullopt: not a slot, cut or damaged.
std::optional<VersionedMark> decode_mark_slot(ByteView slot);

class DurabilityMark {
 public:
  explicit DurabilityMark(std::string path) : path_(std::move(path)) {}
  ~DurabilityMark();
  DurabilityMark(const DurabilityMark&) = delete;
  DurabilityMark& operator=(const DurabilityMark&) = delete;

  /// nullopt: there is no file. ErrorCode::corruption: there is one and neither slot is valid.
  Result<std::optional<Mark>> load();
  /// On disk when it returns. Overwrites the older slot, so a crash in the middle leaves the other. One thread.
  Result<void> store(const Mark& mark);
  const std::string& path() const { return path_; }

 private:
  Result<void> open_for_writing();

  std::string path_;
  int fd_ = -1;
  std::uint64_t version_ = 0;  // of the newest slot
};

}  // namespace quorate::storage
