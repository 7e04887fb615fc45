// Promises: the terms and votes of replicated groups once more, in a file of their own outside of RocksDB. When the log
// database has lost writes, this file says whether a promise was among them: entries can be had from a leader, a vote
// that is forgotten can elect two (raft.md §2.15). It is appended to and synced when a term or vote changes, which is
// as often as there are elections, and rewritten when it has grown. The durability mark knows how many changes there
// must be. docs/formats/promises.md describes every byte. One thread at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"

namespace quorate::storage {

/// What a replica of a group has promised.
struct Promise {
  raft::ReplicaId self;
  Term term;
  raft::ReplicaId voted_for;
  bool has_ended = false;  // the replica was dropped
  bool operator==(const Promise&) const = default;
};

struct PromiseTable {
  std::string database;      // identity of the database it stands beside
  std::uint64_t serial = 0;  // counts every change there ever was
  std::map<GroupId, Promise> promises;
  bool operator==(const PromiseTable&) const = default;
};

using PromiseChange = std::pair<GroupId, Promise>;

/// A file that says what `table` says.
std::vector<std::byte> encode_promises(const PromiseTable& table);
/// One more change at the end of a file; it becomes serial `serial`.
std::vector<std::byte> encode_promise(std::uint64_t serial, const PromiseChange& change);
/// nullopt: cut within a record, damaged, or not such a file. One cut between two changes has a lower serial.
std::optional<PromiseTable> decode_promises(ByteView file);

class Promises {
 public:
  explicit Promises(std::string path) : path_(std::move(path)) {}
  ~Promises();
  Promises(const Promises&) = delete;
  Promises& operator=(const Promises&) = delete;

  /// nullopt: there is no file. ErrorCode::corruption: it is not whole.
  static Result<std::optional<PromiseTable>> load(const std::string& path);

  /// The file says this, and nothing else, when it returns; a crash in the middle leaves the old one.
  Result<void> replace(PromiseTable table);
  /// On disk when it returns. Only after replace(), and when the database has synced what came with the change before.
  Result<void> append(std::span<const PromiseChange> changes);

  const PromiseTable& table() const { return table_; }
  const Promise* find(GroupId group) const;

 private:
  Result<void> rewrite();

  std::string path_;
  int fd_ = -1;
  PromiseTable table_;
  std::size_t appended_ = 0;  // since it was rewritten
};

}  // namespace quorate::storage
