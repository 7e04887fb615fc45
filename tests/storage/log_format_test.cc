// Whatever is cut, damaged or filed under another key is not an entry: each test tells one such fact.
#include "storage/log_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

const LogKey kKey{.group = GroupId(7), .index = LogIndex(300), .term = Term(2)};
const raft::Entry kEntry = entry_of(300, 2, "a message");

std::vector<std::byte> value_of(GroupId group, const raft::Entry& entry) {
  const auto header = encode_entry_header(group, entry);
  std::vector<std::byte> out(header.size() + entry.payload.size());
  std::ranges::copy(entry.payload.view(), std::ranges::copy(header, out.begin()).out);
  return out;
}

TEST(LogFormat, KeysSortAsGroupIndexAndTermDo) {
  EXPECT_LT(encode_log_key({GroupId(1), LogIndex(256), Term(1)}), encode_log_key({GroupId(1), LogIndex(257), Term(0)}));
  EXPECT_LT(encode_log_key({GroupId(1), LogIndex(9), Term(9)}), encode_log_key({GroupId(2), LogIndex(0), Term(0)}));
  EXPECT_EQ(decode_log_key(encode_log_key(kKey)), kKey);
}

TEST(LogFormat, AnEntryComesBackWhole) { EXPECT_EQ(decode_entry(kKey, value_of(kKey.group, kEntry)), kEntry); }

TEST(LogFormat, AnEntryCutAnywhereIsRefused) {
  const auto value = value_of(kKey.group, kEntry);
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(decode_entry(kKey, ByteView(value).first(size))) << size;
  }
}

TEST(LogFormat, AnEntryDamagedInAnyByteIsRefused) {
  for (std::size_t i = 0; i < value_of(kKey.group, kEntry).size(); ++i) {
    auto value = value_of(kKey.group, kEntry);
    value[i] ^= std::byte{1};
    EXPECT_FALSE(decode_entry(kKey, value)) << i;
  }
}

TEST(LogFormat, AnEntryUnderAnotherKeyIsRefused) {
  const auto value = value_of(kKey.group, kEntry);
  EXPECT_FALSE(decode_entry({GroupId(8), kKey.index, kKey.term}, value));
  EXPECT_FALSE(decode_entry({kKey.group, LogIndex(301), kKey.term}, value));
  EXPECT_FALSE(decode_entry({kKey.group, kKey.index, Term(3)}, value));
}

GroupRow row_of_four() {
  return {.hard_state = {.term = Term(4), .voted_for = raft::ReplicaId(11)},
          .self = raft::ReplicaId(12),
          .configuration = {.voters = {raft::ReplicaId(11), raft::ReplicaId(12), raft::ReplicaId(13)},
                            .learners = {raft::ReplicaId(14)},
                            .machine_version = 3}};
}

TEST(LogFormat, ARowComesBackWhateverIsInIt) {
  GroupRow row;
  EXPECT_EQ(decode_row(kKey.group, encode_row(kKey.group, row)), row);
  row = row_of_four();
  EXPECT_EQ(decode_row(kKey.group, encode_row(kKey.group, row)), row);
  row.hard_state.recovering = true;
  EXPECT_EQ(decode_row(kKey.group, encode_row(kKey.group, row)), row);
  row.installing = raft::LogPosition{.index = LogIndex(300), .term = Term(4)};
  EXPECT_EQ(decode_row(kKey.group, encode_row(kKey.group, row)), row);
  for (const bool has_others : {false, true}) {
    row.company = Company{.since = LogIndex(200), .has_others = has_others};
    EXPECT_EQ(decode_row(kKey.group, encode_row(kKey.group, row)), row);
  }
}

TEST(LogFormat, ARowIsTheExampleOfItsPage) {
  const auto on = [](std::uint32_t node) { return raft::replica_on(NodeId(node), 9); };
  const GroupRow row{.hard_state = {.term = Term(2), .voted_for = on(2)},
                     .self = on(1),
                     .configuration = {.voters = {on(1), on(2), on(3)}, .machine_version = 1}};
  const auto value = encode_row(GroupId(7), row);
  ASSERT_GE(value.size(), 5u);
  EXPECT_EQ(value[0], std::byte{0xcf});
  EXPECT_EQ(value[3], std::byte{0xb6});
  EXPECT_EQ(value[4], std::byte{2});
}

TEST(LogFormat, ARowCutOrDamagedAnywhereOrOfAnotherGroupIsRefused) {
  GroupRow row = row_of_four();
  row.installing = raft::LogPosition{.index = LogIndex(300), .term = Term(4)};
  const auto value = encode_row(kKey.group, row);
  EXPECT_FALSE(decode_row(GroupId(8), value));
  for (std::size_t i = 0; i < value.size(); ++i) {
    EXPECT_FALSE(decode_row(kKey.group, ByteView(value).first(i))) << i;
    auto damaged = value;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(decode_row(kKey.group, damaged)) << i;
  }
}

TEST(LogFormat, KeysOfAnotherSizeAreRefused) {
  const auto key = encode_log_key(kKey);
  for (std::size_t size = 0; size < key.size(); ++size) EXPECT_FALSE(decode_log_key(ByteView(key).first(size)));
  EXPECT_FALSE(decode_group_key(key));
}

}  // namespace
}  // namespace quorate::storage
