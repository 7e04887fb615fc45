// Metadata commands and snapshots as bytes: what is written reads back, numbers stay what they are, and no cut or
// damaged bytes do worse than an error.
#include <gtest/gtest.h>

#include "base/cursor.h"
#include "cluster/metadata/machine.h"
#include "tests/cluster/every_metadata_command.h"
#include "tests/cluster/metadata_fixture.h"

namespace quorate::cluster {
namespace {

TEST(MetadataCommands, EachReadsBackAsItWas) {
  for (const MetadataCommand& command : every_metadata_command()) {
    const Bytes bytes = encode_entry({.commands = {command}});
    const auto again = decode_entry(bytes.view());
    ASSERT_TRUE(again) << command.index();
    ASSERT_EQ(again->commands.size(), 1u);
    EXPECT_EQ(again->commands.front().index(), command.index());
    EXPECT_EQ(encode_entry(*again), bytes);
  }
}

TEST(MetadataCommands, KeepTheirFieldNumbersForEver) {
  const std::vector<MetadataCommand> commands = every_metadata_command();
  ASSERT_EQ(commands.size(), std::variant_size_v<MetadataCommand>);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const Bytes bytes = encode_entry({.commands = {commands[i]}});
    ByteReader reader(bytes.view());
    std::uint64_t tag = 0;
    std::uint64_t size = 0;
    ASSERT_TRUE(reader.read_varint(tag) && reader.read_varint(size));
    EXPECT_EQ(tag, 0x0au);  // MetadataCommands.commands
    ASSERT_TRUE(reader.read_varint(tag));
    EXPECT_EQ(tag, (i + 1) << 3 | 2);  // the command's own number
  }
}

TEST(MetadataCommands, FieldsKeepTheirValues) {
  const auto queue = decode_entry(encode_entry({.commands = {every_metadata_command()[8]}}).view());
  ASSERT_TRUE(queue);
  const auto& declared = std::get<DeclareQueue>(queue->commands.front()).queue;
  EXPECT_EQ(declared.name, "q\xff");
  EXPECT_TRUE(declared.durable && declared.auto_delete);
  EXPECT_EQ(declared.owner->connection, ConnectionId(5));
  EXPECT_EQ(declared.node, NodeId(2));
  const auto vhost = decode_entry(encode_entry({.commands = {every_metadata_command()[19]}}).view());
  EXPECT_EQ(std::get<SetVhostMetadata>(vhost->commands.front()).metadata,
            std::get<SetVhostMetadata>(every_metadata_command()[19]).metadata);
  const auto bind = decode_entry(encode_entry({.commands = {every_metadata_command()[10]}}).view());
  EXPECT_EQ(std::get<Bind>(bind->commands.front()).binding, std::get<Bind>(every_metadata_command()[10]).binding);
}

TEST(MetadataCommands, CutAnywhereDoNoHarm) {
  const auto all = every_metadata_command();
  const Bytes whole =
      encode_entry({.commands = all, .origin = Origin{.node = NodeId(1), .epoch = Epoch(2), .number = 3}});
  for (std::size_t size = 0; size < whole.size(); ++size) (void)decode_entry(whole.view().first(size));
}

TEST(MetadataCommands, MoreThanAnEntryHoldsAreRefused) {
  Bytes one = encode_entry({.commands = {PutVhost{.name = "v"}}});
  std::string many;
  for (std::size_t i = 0; i <= kMetadataCommandsMax; ++i) many += one.text();
  EXPECT_FALSE(decode_entry(as_bytes(many)));
}

class MetadataSnapshotFormat : public MetadataFixture {
 protected:
  void fill() {
    submit(PutUser{.name = "u", .password_hash = "h", .tags = {"a", "b"}});
    submit(SetPermissions{.user = "u", .vhost = "/", .patterns = {.configure = "c", .write = "w", .read = "r"}});
    exchange("e", {.type = "topic", .durable = true, .auto_delete = true, .alternate_exchange = "amq.fanout"});
    submit(SetClusterName{.name = "c"});
    queue("q");
    queue("x", {.owner = owner(7), .arguments = "args"});
    bind("e", "q", "a.#");
    bind("amq.direct", "x");
    bind_exchange("amq.fanout", "e");
  }
};

TEST_F(MetadataSnapshotFormat, ReadsBackEqual) {
  fill();
  const Bytes snapshot = machine_.serialize();
  MetadataMachine again(make_plain_index);
  ASSERT_TRUE(again.restore(snapshot.view()));
  EXPECT_EQ(again.serialize(), snapshot);
  check_topology(*again.topology());
  EXPECT_EQ(again.topology()->version, topology().version);
}

TEST_F(MetadataSnapshotFormat, CutAnywhereIsRefusedOrFitsTogether) {
  fill();
  const Bytes whole = machine_.serialize();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    MetadataMachine again(make_plain_index);
    if (again.restore(whole.view().first(size))) check_topology(*again.topology());
  }
}

TEST_F(MetadataSnapshotFormat, AFlippedBitIsRefusedOrFitsTogether) {
  fill();
  const Bytes whole = machine_.serialize();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped(whole.text());
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    MetadataMachine again(make_plain_index);
    if (!again.restore(as_bytes(flipped))) continue;
    check_topology(*again.topology());
    MetadataEffects effects;
    const LogIndex next(again.topology()->version + 1);
    if (next.value() == 0) continue;
    ASSERT_TRUE(again.apply(
        next, encode_entry({.commands = {NodeStarted{.node = NodeId(1), .epoch = Epoch(9)}}}).view(), effects));
    check_topology(*again.topology());
  }
}

TEST_F(MetadataSnapshotFormat, OneFromBeforeClustersHadNamesIsRead) {
  // applied 5, a node with id 1 and the name "n1"
  const std::string old("\x08\x05\x42\x06\x08\x01\x12\x02n1");
  ASSERT_TRUE(machine_.restore(as_bytes(old)));
  EXPECT_EQ(topology().cluster_name, "");
  EXPECT_EQ(topology().cluster_name_or("nobody"), "n1");
}

TEST_F(MetadataSnapshotFormat, WhatDoesNotFitTogetherIsRefused) {
  // A snapshot parses in any order of its parts, so one with a part twice is easily made.
  queue("q");
  const Bytes one = machine_.serialize();
  const std::string twice = std::string(one.text()) + std::string(one.text());
  MetadataMachine again(make_plain_index);
  const auto restored = again.restore(as_bytes(twice));
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::corruption);
}

}  // namespace
}  // namespace quorate::cluster
