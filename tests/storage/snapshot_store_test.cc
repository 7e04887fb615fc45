// A snapshot is there as a whole or not at all: each test tells one such fact.
#include "storage/snapshot_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"
#include "storage/snapshot_format.h"
#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};
constexpr GroupId kNeighbour{6};

Bytes state_of(std::size_t size, char mark) {
  std::string text(size, mark);
  for (std::size_t i = 0; i < size; i += 1000) text[i] = static_cast<char>('a' + i / 1000 % 26);
  return Bytes::copy_of(text);
}

Snapshot snapshot_at(std::uint64_t index, Bytes state) {
  return {.meta = {.last = {.index = LogIndex(index), .term = Term(2)},
                   .ts = WallTime(std::chrono::milliseconds(1'700'000'000'000)),
                   .configuration = {.voters = {raft::ReplicaId(11), raft::ReplicaId(12)},
                                     .learners = {raft::ReplicaId(13)},
                                     .machine_version = 4}},
          .live = {.snapshot = LogIndex(index), .live = {{LogIndex(3), LogIndex(5)}, {LogIndex(900), LogIndex(900)}}},
          .state = std::move(state)};
}

class SnapshotStoreTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    store_.reset();
    auto store = SnapshotStore::open({.path = directory_ / "state"});
    ASSERT_TRUE(store) << store.error().text;
    store_ = std::move(*store);
  }
  void save(GroupId group, const Snapshot& snapshot) {
    const auto saved = store_->save(group, snapshot.meta, snapshot.live, snapshot.state);
    ASSERT_TRUE(saved) << saved.error().text;
  }

  /// Of the first generations, those that the database still has something of.
  std::vector<std::uint64_t> first_chunks_of(GroupId group) {
    store_.reset();
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, directory_ / "state", &names).ok());
    const auto chunks = static_cast<std::size_t>(std::ranges::find(names, "chunks") - names.begin());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* raw = nullptr;
    EXPECT_TRUE(rocksdb::DB::OpenForReadOnly({}, directory_ / "state", families, &handles, &raw).ok());
    const std::unique_ptr<rocksdb::DB> database(raw);
    std::vector<std::uint64_t> found;
    for (std::uint64_t generation = 1; generation <= 9; ++generation) {
      const auto key = encode_chunk_key({.group = group, .generation = generation});
      std::string value;
      if (database->Get({}, handles.at(chunks), std::string(as_text(key)), &value).ok()) found.push_back(generation);
    }
    for (rocksdb::ColumnFamilyHandle* handle : handles) database->DestroyColumnFamilyHandle(handle);
    reopen();
    return found;
  }

  TestDirectory directory_;
  std::unique_ptr<SnapshotStore> store_;
};

TEST_F(SnapshotStoreTest, ComesBackAfterReopenWhateverItsSize) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, limits::kSnapshotChunkBytes, 3 * limits::kSnapshotChunkBytes + 17}) {
    const Snapshot snapshot = snapshot_at(1000, state_of(size, 'x'));
    save(kQueue, snapshot);
    reopen();
    const auto loaded = store_->load(kQueue);
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_TRUE(*loaded == snapshot) << size;
  }
}

TEST_F(SnapshotStoreTest, TheNewestOneCounts) {
  save(kQueue, snapshot_at(1000, state_of(3'000'000, 'x')));
  save(kNeighbour, snapshot_at(7, state_of(10, 'n')));
  save(kQueue, snapshot_at(2000, state_of(10, 'y')));
  save(kQueue, snapshot_at(2000, state_of(20, 'z')));
  EXPECT_TRUE(**store_->load(kQueue) == snapshot_at(2000, state_of(20, 'z')));
  EXPECT_TRUE(**store_->load(kNeighbour) == snapshot_at(7, state_of(10, 'n')));
}

TEST_F(SnapshotStoreTest, ADroppedOneIsGone) {
  save(kQueue, snapshot_at(1000, state_of(3'000'000, 'x')));
  save(kNeighbour, snapshot_at(7, state_of(10, 'n')));
  ASSERT_TRUE(store_->drop(kQueue));
  reopen();
  EXPECT_EQ(*store_->load(kQueue), std::nullopt);
  EXPECT_EQ(store_->groups(), std::vector{kNeighbour});
}

TEST_F(SnapshotStoreTest, ADamagedStateIsRefused) {
  save(kQueue, snapshot_at(1000, state_of(3'000'000, 'x')));
  store_.reset();
  reopen();  // recovery moves the chunks from the write-ahead log to a blob file
  const std::string blobs = only_file_ending(directory_ / "state", ".blob");
  flip_bit(blobs, 1'500'000);
  const auto loaded = store_->load(kQueue);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::corruption);
  EXPECT_NE(loaded.error().text.find("the snapshot of group 5 is damaged"), std::string::npos) << loaded.error().text;
}

TEST_F(SnapshotStoreTest, ADamagedOneGivesWayToTheNextLikeAnyOther) {
  save(kQueue, snapshot_at(1000, state_of(2'500'000, 'x')));
  reopen();
  flip_bit(only_file_ending(directory_ / "state", ".blob"), 1'500'000);
  save(kQueue, snapshot_at(2000, state_of(100'000, 'y')));
  save(kQueue, snapshot_at(3000, state_of(100'000, 'z')));
  EXPECT_EQ((*store_->load(kQueue))->meta.last.index, LogIndex(3000));
  EXPECT_EQ(first_chunks_of(kQueue), std::vector<std::uint64_t>{3});
}

TEST_F(SnapshotStoreTest, ADamagedOneIsDroppedLikeAnyOther) {
  save(kNeighbour, snapshot_at(1000, state_of(100, 'n')));
  save(kQueue, snapshot_at(1000, state_of(2'500'000, 'x')));
  reopen();
  flip_bit(only_file_ending(directory_ / "state", ".blob"), 500'000);
  ASSERT_TRUE(store_->drop(kQueue));
  EXPECT_EQ(*store_->load(kQueue), std::nullopt);
  EXPECT_EQ(first_chunks_of(kQueue), std::vector<std::uint64_t>{});
  EXPECT_TRUE(*store_->load(kNeighbour));
  save(kQueue, snapshot_at(2000, state_of(100'000, 'y')));
  EXPECT_TRUE(*store_->load(kQueue));
}

TEST_F(SnapshotStoreTest, ALostWriteAheadLogIsRefused) {
  save(kQueue, snapshot_at(1000, state_of(10, 'x')));
  store_.reset();
  std::filesystem::remove(only_file_ending(directory_ / "state", ".log"));
  const auto store = SnapshotStore::open({.path = directory_ / "state"});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::corruption);
}

TEST_F(SnapshotStoreTest, KeepsFactsOfTheNode) {
  EXPECT_EQ(*store_->get("epoch"), std::nullopt);
  ASSERT_TRUE(store_->put("epoch", "1"));
  ASSERT_TRUE(store_->put("epoch", "2"));
  reopen();
  EXPECT_EQ(*store_->get("epoch"), "2");
}

TEST(SnapshotRow, IsRefusedWhenCutOrDamagedAnywhere) {
  const Snapshot snapshot = snapshot_at(1000, Bytes());
  const SnapshotRow row{.meta = snapshot.meta,
                        .live = snapshot.live,
                        .generation = 4,
                        .chunk_count = 2,
                        .state_bytes = 1'500'000,
                        .digest = 0xfeed};
  const auto bytes = encode_snapshot_row(kQueue, row);
  EXPECT_EQ(decode_snapshot_row(kQueue, bytes), row);
  EXPECT_FALSE(decode_snapshot_row(kNeighbour, bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(decode_snapshot_row(kQueue, ByteView(bytes).first(i))) << i;
    auto damaged = bytes;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(decode_snapshot_row(kQueue, damaged)) << i;
  }
}

TEST(SnapshotRow, IsTheExampleOfItsPage) {
  const SnapshotRow row{
      .meta = {.last = {.index = LogIndex(300), .term = Term(2)},
               .ts = WallTime(std::chrono::milliseconds(1'700'000'000'000)),
               .configuration = {.voters = {raft::replica_on(NodeId(1), 9)}, .machine_version = 1}},
      .live = {.snapshot = LogIndex(300), .live = {{LogIndex(10), LogIndex(12)}, {LogIndex(200), LogIndex(200)}}},
      .generation = 1,
      .chunk_count = 1,
      .state_bytes = 5,
      .digest = 0x9a71bb4c};
  const auto bytes = encode_snapshot_row(GroupId(7), row);
  EXPECT_EQ(bytes[0], std::byte{0x63});
  EXPECT_EQ(bytes[3], std::byte{0xf6});
}

TEST(ChunkKey, IsRefusedAtAnyOtherSize) {
  const ChunkKey key{.group = kQueue, .generation = 3, .chunk = 9};
  const auto bytes = encode_chunk_key(key);
  EXPECT_EQ(decode_chunk_key(bytes), key);
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(decode_chunk_key(ByteView(bytes).first(i)));
}

}  // namespace
}  // namespace quorate::storage
