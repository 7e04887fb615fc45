// What a queue machine makes of a million random commands, as numbers that every compiler must agree on: replicas may
// run on differently built nodes, and one that computes another state has lost the queue.
#pragma once
#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/overloaded.h"
#include "broker/queue/queue_machine.h"
#include "tests/broker/queue/random_commands.h"

namespace quorate::queue {

/// Every field of every effect.
inline std::vector<std::byte> bytes_of(const Effects& effects) {
  std::vector<std::byte> out;
  ByteWriter w(out);
  const auto session = [&](const SessionId& id) {
    w.write_varint(id.node.value());
    w.write_varint(id.epoch.value());
    w.write_varint(id.serial);
  };
  const auto consumer = [&](const ConsumerKey& key) {
    session(key.session);
    w.write_varint(key.link);
  };
  const auto delivery = [&](const effect::Deliver& e) {
    consumer(e.consumer);
    w.write_varint(e.id);
    w.write_varint(e.message.position.packed);
    w.write_varint(e.message.body_size);
    w.write_varint(e.message.delivery_count);
    w.write_varint(e.acquired_count);
    w.write(e.message.priority);
    w.write(static_cast<std::uint8_t>((e.message.persistent ? 1 : 0) | (e.message.redelivered ? 2 : 0) |
                                      (e.settled ? 4 : 0)));
  };
  const Overloaded write{[&](const effect::Deliver& e) { delivery(e); },
                         [&](const effect::GetOk& e) {
                           delivery(e.delivery);
                           w.write_varint(e.ready_left);
                           w.write_varint(e.number);
                         },
                         [&](const effect::GetEmpty& e) {
                           session(e.session);
                           w.write_varint(e.number);
                         },
                         [&](const effect::Attached& e) {
                           consumer(e.consumer);
                           w.write(static_cast<std::uint8_t>(e.result));
                           w.write_varint(e.number);
                         },
                         [&](const effect::Cancelled& e) {
                           consumer(e.consumer);
                           w.write_varint(e.number);
                         },
                         [&](const effect::Purged& e) {
                           session(e.session);
                           w.write_varint(e.count);
                           w.write_varint(e.number);
                         },
                         [&](const effect::EntryDead& e) { w.write_varint(e.index.value()); },
                         [](const effect::Unused&) {},
                         [&](const effect::Through& e) {
                           session(e.session);
                           w.write_varint(e.first);
                           w.write_varint(e.number);
                         },
                         [&](const effect::Refused& e) {
                           session(e.session);
                           w.write_varint(e.number);
                           w.write_varint(e.position.packed);
                         },
                         [&](const effect::Forgotten& e) { session(e.session); }};
  for (const Effect& effect : effects) {
    w.write(static_cast<std::uint8_t>(effect.index()));
    std::visit(write, effect);
  }
  return out;
}

inline constexpr std::uint64_t kHashedSeed = 20'240'603;
inline constexpr std::uint64_t kHashedBacklog = 1'000;
inline constexpr std::uint64_t kCommandsPerHash = 100'000;
using StateHashes = std::array<std::uint32_t, 10>;

/// A new value is right when a command was meant to do something else, or a snapshot to be written otherwise; nodes of
/// the version before then compute other states.
inline constexpr StateHashes kExpectedHashes = {0xe76a53d9, 0x7ac1db50, 0x56fd0139, 0xbfbf85a5, 0xa07c6ab0,
                                                0x8121af17, 0x89d3364c, 0xd527e05b, 0x1bbfb6fd, 0x9ac87d04};

/// After each kCommandsPerHash commands: over all effects and every so many states until then.
inline StateHashes hash_random_commands() {
  constexpr std::uint64_t kEntriesPerState = 500;
  RandomCommands random(kHashedSeed, kHashedBacklog);
  QueueMachine machine;
  Effects effects;
  std::uint32_t hash = 0;
  std::uint64_t entries = 0;
  StateHashes hashes{};
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    while (random.commands() < (i + 1) * kCommandsPerHash) {
      const LogEntry entry = random.next(machine);
      effects.clear();
      CHECK(machine.apply(entry.index, entry.ts, entry.payload, effects).has_value());
      random.note(effects);
      hash = crc32c(hash, bytes_of(effects));
      if (++entries % kEntriesPerState != 0) continue;
      machine.check_invariants();
      hash = crc32c(hash, machine.serialize().view());
    }
    hashes[i] = crc32c(hash, machine.serialize().view());
  }
  return hashes;
}

}  // namespace quorate::queue
