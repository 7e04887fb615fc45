// The commands of a queue as bytes: what is written reads back, kinds keep their numbers, and a cut entry is refused.
#include "broker/queue/commands.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/broker/queue/every_command.h"

namespace quorate::queue {
namespace {

std::vector<std::byte> encoded(const Command& command) {
  std::vector<std::byte> out;
  encode_command(command, out);
  return out;
}

TEST(QueueCommands, KindsAreTheseNumbersForEver) {
  const std::vector<Command> commands = every_command();
  ASSERT_EQ(commands.size(), std::variant_size_v<Command>);
  for (std::size_t i = 0; i < commands.size(); ++i) EXPECT_EQ(encoded(commands[i]).front(), std::byte(i + 1));
  EXPECT_EQ(encoded(Enqueue{}).front(), std::byte{1});
  EXPECT_EQ(encoded(Attach{}).front(), std::byte{2});
  EXPECT_EQ(encoded(Cancel{}).front(), std::byte{3});
  EXPECT_EQ(encoded(Settle{}).front(), std::byte{4});
  EXPECT_EQ(encoded(Return{}).front(), std::byte{5});
  EXPECT_EQ(encoded(Discard{}).front(), std::byte{6});
  EXPECT_EQ(encoded(Credit{}).front(), std::byte{7});
  EXPECT_EQ(encoded(Get{}).front(), std::byte{8});
  EXPECT_EQ(encoded(Purge{}).front(), std::byte{9});
  EXPECT_EQ(encoded(Down{}).front(), std::byte{10});
  EXPECT_EQ(encoded(NodeUp{}).front(), std::byte{11});
  EXPECT_EQ(encoded(From{}).front(), std::byte{12});
  EXPECT_EQ(encoded(NodeSuspected{}).front(), std::byte{13});
  EXPECT_EQ(encoded(NodeTrusted{}).front(), std::byte{14});
  EXPECT_EQ(encoded(SessionsGone{}).front(), std::byte{15});
  EXPECT_EQ(encoded(Configure{}).front(), std::byte{16});
  EXPECT_EQ(encoded(Expire{}).front(), std::byte{17});
}

TEST(QueueCommands, WhatIsWrittenReadsBack) {
  std::vector<std::byte> entry;
  for (const Command& command : every_command()) encode_command(command, entry);
  ByteReader reader(entry);
  std::vector<std::byte> again;
  std::vector<std::size_t> kinds;
  Command command;
  while (decode_command(reader, command)) {
    kinds.push_back(command.index());
    encode_command(command, again);
  }
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(again, entry);
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(kinds[i], i);
}

TEST(QueueCommands, FieldsKeepTheirValues) {
  const std::vector<std::byte> bytes = encoded(every_command()[1]);
  ByteReader reader(bytes);
  Command command;
  ASSERT_TRUE(decode_command(reader, command));
  const auto& attach = std::get<Attach>(command);
  EXPECT_EQ(attach.consumer.session.serial, 70'000u);
  EXPECT_EQ(attach.consumer.link, 4u);
  EXPECT_EQ(attach.priority, std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(attach.prefetch, std::numeric_limits<std::uint32_t>::max());
  EXPECT_TRUE(attach.no_ack);
  EXPECT_TRUE(attach.exclusive);
}

TEST(QueueCommands, ATimeToLiveThatIsNotSaidStaysUnsaid) {
  Command command = every_command().front();
  ASSERT_TRUE(std::get<Enqueue>(command).ttl_ms);
  const std::vector<std::byte> bytes = encoded(Enqueue{.message = as_bytes("m")});
  ByteReader reader(bytes);
  ASSERT_TRUE(decode_command(reader, command));
  EXPECT_FALSE(std::get<Enqueue>(command).ttl_ms);
}

TEST(QueueCommands, SettingsThatAreNotSaidStayUnsaid) {
  const std::vector<Command> commands = every_command();
  const auto found =
      std::ranges::find_if(commands, [](const Command& c) { return std::holds_alternative<Configure>(c); });
  const Configure full = std::get<Configure>(*found);
  for (unsigned part = 0; part < 7; ++part) {
    Configure settings;
    if (part == 1) settings.delivery_limit = full.delivery_limit;
    if (part == 2) settings.max_length = full.max_length;
    if (part == 3) settings.max_length_bytes = full.max_length_bytes;
    if (part == 4) settings.message_ttl_ms = full.message_ttl_ms;
    if (part == 5) settings.expires_ms = full.expires_ms;
    if (part == 6) settings = full;
    const std::vector<std::byte> bytes = encoded(settings);
    ByteReader reader(bytes);
    Command command = full;  // what was there before must not shine through
    ASSERT_TRUE(decode_command(reader, command));
    EXPECT_EQ(std::get<Configure>(command), settings) << part;
  }
}

TEST(QueueCommands, ACutCommandIsRefusedAtEveryByte) {
  for (const Command& command : every_command()) {
    const std::vector<std::byte> whole = encoded(command);
    for (std::size_t size = 1; size < whole.size(); ++size) {
      ByteReader reader(ByteView(whole).first(size));
      Command out;
      EXPECT_FALSE(decode_command(reader, out)) << "kind " << command.index() + 1 << " cut at " << size;
      EXPECT_TRUE(reader.failed());
    }
  }
}

TEST(QueueCommands, AnUnknownKindIsRefused) {
  for (const std::uint8_t kind : {0, 18, 255}) {
    const std::byte bytes[] = {std::byte(kind), std::byte{0}, std::byte{0}, std::byte{0}};
    ByteReader reader(bytes);
    Command command;
    EXPECT_FALSE(decode_command(reader, command));
    EXPECT_TRUE(reader.failed());
  }
}

TEST(QueueCommands, AnIdThatFitsNoIdIsRefused) {
  // Link 2^32 + 1 would otherwise pass for link 1.
  std::vector<std::byte> bytes;
  ByteWriter writer(bytes);
  writer.write(std::uint8_t{3});
  for (const std::uint64_t part : {1ull, 1ull, 5ull, (1ull << 32) + 1}) writer.write_varint(part);
  ByteReader reader(bytes);
  Command command;
  EXPECT_FALSE(decode_command(reader, command));
}

TEST(QueueCommands, ANumberThatNoSessionReachesIsRefused) {
  for (const From& from : {From{.first = kNumberMax + 1}, From{.first = 1, .heard = kNumberMax + 1}}) {
    const std::vector<std::byte> bytes = encoded(from);
    ByteReader reader(bytes);
    Command command;
    EXPECT_FALSE(decode_command(reader, command));
  }
}

TEST(QueueCommands, AConsumerOnTheLinkOfGettersIsRefused) {
  const std::vector<std::byte> bytes = encoded(Attach{.consumer = {.session = {.serial = 5}, .link = kGetLink}});
  ByteReader reader(bytes);
  Command command;
  EXPECT_FALSE(decode_command(reader, command));
}

TEST(QueueCommands, TheMessageOfAnEnqueueIsFoundByItsOffset) {
  std::vector<std::byte> entry = encoded(Purge{.session = {.serial = 1}});
  const std::size_t offset = entry.size();
  encode_command(Enqueue{.body_size = 3, .message = as_bytes("..abc")}, entry);
  const std::size_t next = entry.size();
  encode_command(Enqueue{.message = as_bytes("d")}, entry);
  const Bytes payload = Bytes::copy_of(entry);
  EXPECT_EQ(message_at(payload, offset).text(), "..abc");
  EXPECT_EQ(message_at(payload, next).text(), "d");
  EXPECT_TRUE(message_at(payload, 0).empty());  // no Enqueue
  EXPECT_TRUE(message_at(payload, entry.size()).empty());
  EXPECT_TRUE(message_at(payload, 1'000).empty());
  for (std::size_t size = 0; size < next; ++size) EXPECT_TRUE(message_at(payload.slice(0, size), offset).empty());
}

TEST(QueueCommands, TheHeadAndTheMessageMakeTheCommand) {
  const Enqueue command{.persistent = true, .priority = 1, .body_size = 2, .message = as_bytes("xyz")};
  std::vector<std::byte> whole;
  encode_command(command, whole);
  std::vector<std::byte> parts;
  encode_command_head(command, parts);
  parts.insert(parts.end(), command.message.begin(), command.message.end());
  EXPECT_EQ(parts, whole);
  EXPECT_EQ(encoded(Command(command)), whole);
}

}  // namespace
}  // namespace quorate::queue
