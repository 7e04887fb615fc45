// Words for tests about logs: entries, writes and what a scan finds.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/log_store.h"

namespace quorate::storage {

inline constexpr LogIndex kFirst{0};
inline constexpr LogIndex kLast{std::numeric_limits<std::uint64_t>::max()};

inline raft::Entry entry_of(std::uint64_t index, std::uint64_t term, std::string_view payload) {
  return {.index = LogIndex(index),
          .term = Term(term),
          .type = raft::EntryType::command,
          .ts = WallTime(std::chrono::milliseconds(1'700'000'000'000 + static_cast<std::int64_t>(index))),
          .payload = Bytes::copy_of(payload)};
}

/// "entry <index> " and then noise that no compression shortens.
inline std::string payload_of(std::uint64_t index, std::size_t size) {
  std::string out = "entry " + std::to_string(index) + " ";
  for (std::uint64_t noise = index; out.size() < size;) {
    noise = noise * 6364136223846793005 + 1442695040888963407;
    out.push_back(static_cast<char>(noise >> 56));
  }
  out.resize(size);
  return out;
}

/// Entries [from, to] of term 1, each of `size` bytes.
inline std::vector<raft::Entry> entries_of(std::uint64_t from, std::uint64_t to, std::size_t size = 16) {
  std::vector<raft::Entry> out;
  for (std::uint64_t index = from; index <= to; ++index) {
    out.push_back(entry_of(index, 1, payload_of(index, size)));
  }
  return out;
}

inline std::unique_ptr<LogStore> must_open(const LogStore::Options& options) {
  auto store = LogStore::open(options);
  if (!store) ADD_FAILURE() << store.error().text;
  return store ? std::move(*store) : nullptr;
}

/// The only voter of a group of one.
inline GroupRow row_of_one() {
  return {.self = raft::ReplicaId(1), .configuration = {.voters = {raft::ReplicaId(1)}, .machine_version = 1}};
}

/// One voter of three, this node being the first.
inline GroupRow row_of_three() {
  const std::vector voters{raft::ReplicaId(1), raft::ReplicaId(2), raft::ReplicaId(3)};
  return {.self = raft::ReplicaId(1), .configuration = {.voters = voters, .machine_version = 1}};
}

/// A group that does not exist yet begins as a group of one, unless the write says otherwise.
inline void must_write(LogStore& store, GroupWrite write, Durability durability = Durability::synced) {
  const auto row = store.row(write.group);
  ASSERT_TRUE(row) << row.error().text;
  if (!*row && !write.row) write.row = row_of_one();
  const auto written = store.write(std::span(&write, 1), durability);
  ASSERT_TRUE(written) << written.error().text;
}

inline std::vector<raft::Entry> must_scan(const LogStore& store, GroupId group, LogIndex from = kFirst,
                                          LogIndex to = kLast) {
  std::vector<raft::Entry> out;
  const auto scanned = store.scan(group, from, to, [&](raft::Entry&& entry) {
    out.push_back(std::move(entry));
    return true;
  });
  EXPECT_TRUE(scanned) << scanned.error().text;
  return out;
}

inline std::vector<std::uint64_t> indexes_in(const LogStore& store, GroupId group) {
  std::vector<std::uint64_t> out;
  for (const raft::Entry& entry : must_scan(store, group)) out.push_back(entry.index.value());
  return out;
}

}  // namespace quorate::storage
