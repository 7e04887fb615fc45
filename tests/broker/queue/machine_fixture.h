// The words in which tests of the queue machine speak. Messages are single letters; consumer 12 is link 2 of session 1;
// what the machine did reads as "attached 11, 11:a, 11:b!, dead 3", where ! means redelivered.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

inline SessionId session_of(std::uint64_t serial, std::uint32_t epoch = 1, std::uint32_t node = 1) {
  return {.node = NodeId(node), .epoch = Epoch(epoch), .serial = serial};
}

inline ConsumerKey consumer_of(unsigned number) { return {.session = session_of(number / 10), .link = number % 10}; }

inline std::vector<std::byte> packed(const std::vector<Command>& commands) {
  std::vector<std::byte> payload;
  for (const Command& command : commands) encode_command(command, payload);
  return payload;
}

inline QueueMachine restored(const Bytes& snapshot) {
  auto machine = QueueMachine::deserialize(snapshot.view());
  CHECK(machine.has_value());
  return std::move(*machine);
}

class MachineFixture : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kWide = 1u << 30;

  // --- one entry for each of these ---
  void apply(const std::vector<Command>& commands) {
    Effects effects;
    ++index_;
    const auto applied = machine_.apply(index_, now_, packed(commands), effects);
    ASSERT_TRUE(applied) << applied.error().text;
    machine_.check_invariants();
    for (const Effect& effect : effects) note(effect);
  }

  /// All letters in one entry, or each in its own.
  void publish_packed(std::string_view letters, bool persistent = true) {
    std::vector<Command> commands;
    std::size_t offset = 0;
    for (const char& letter : letters) {
      commands.push_back(Enqueue{.persistent = persistent, .body_size = 1, .message = as_bytes({&letter, 1})});
      letters_[Position::of(index_.plus(1), offset)] = letter;
      offset = packed(commands).size();
    }
    apply(commands);
  }
  void publish(std::string_view letters, bool persistent = true) {
    for (const char& letter : letters) publish_packed({&letter, 1}, persistent);
  }
  void publish_with_priority(char letter, std::uint8_t priority) {
    letters_[Position::of(index_.plus(1), 0)] = letter;
    apply({Enqueue{.persistent = true,
                   .has_priority = true,
                   .priority = priority,
                   .body_size = 1,
                   .message = as_bytes({&letter, 1})}});
  }
  void publish_body(char letter, std::uint32_t body_size) {
    const std::vector<std::byte> body(body_size);
    letters_[Position::of(index_.plus(1), 0)] = letter;
    apply({Enqueue{.body_size = body_size, .message = body}});
  }

  void publish_with_ttl(char letter, std::uint64_t ttl_ms, std::uint8_t priority = 0) {
    letters_[Position::of(index_.plus(1), 0)] = letter;
    apply({Enqueue{.persistent = true,
                   .priority = priority,
                   .ttl_ms = ttl_ms,
                   .body_size = 1,
                   .message = as_bytes({&letter, 1})}});
  }
  /// Time passes, and the queue hears of it.
  void wait_ms(std::int64_t ms) {
    now_ += std::chrono::milliseconds(ms);
    apply({Expire{}});
  }

  void attach(Attach attach, unsigned number) {
    attach.consumer = consumer_of(number);
    if (attach.window == 0) attach.window = kWide;
    apply({attach});
  }
  void attach(unsigned number) { attach({}, number); }
  void cancel(unsigned number) { apply({Cancel{.consumer = consumer_of(number)}}); }
  void settle(unsigned number, std::string_view letters) {
    apply({Settle{.consumer = consumer_of(number), .ids = ids_of(number, letters)}});
  }
  void give_back(unsigned number, std::string_view letters, ReturnReason reason = ReturnReason::requeued) {
    apply({Return{.consumer = consumer_of(number), .reason = reason, .ids = ids_of(number, letters)}});
  }
  void discard(unsigned number, std::string_view letters) {
    apply({Discard{.consumer = consumer_of(number), .ids = ids_of(number, letters)}});
  }
  void credit(unsigned number, std::uint64_t bytes) {
    apply({Credit{.consumer = consumer_of(number), .bytes = bytes}});
  }
  void get(std::uint64_t session, bool no_ack = false) {
    apply({Get{.session = session_of(session), .no_ack = no_ack}});
  }
  /// One entry with the next commands of a session.
  void send(std::uint64_t session, std::uint64_t first, std::vector<Command> commands, std::uint64_t heard = 0) {
    commands.insert(commands.begin(), From{.session = session_of(session), .first = first, .heard = heard});
    apply(commands);
  }
  /// The same with publications: all letters in one entry.
  void send_letters(std::uint64_t session, std::uint64_t first, std::string_view letters, std::uint64_t heard = 0) {
    std::vector<Command> commands = {From{.session = session_of(session), .first = first, .heard = heard}};
    for (const char& letter : letters) {
      letters_[Position::of(index_.plus(1), packed(commands).size())] = letter;
      commands.push_back(Enqueue{.persistent = true, .body_size = 1, .message = as_bytes({&letter, 1})});
    }
    apply(commands);
  }
  void purge() { apply({Purge{.session = session_of(9)}}); }
  void down(std::uint64_t session) { apply({Down{.session = session_of(session)}}); }
  void node_up(std::uint32_t epoch) { apply({NodeUp{.node = NodeId(1), .epoch = Epoch(epoch)}}); }

  /// What happened since the last call.
  std::string events() { return std::exchange(events_, {}); }
  void forget_events() { events_.clear(); }

  /// Ids under which the consumer last got these letters.
  std::vector<IdRange> ids_of(unsigned number, std::string_view letters) {
    std::vector<IdRange> ids;
    for (const char letter : letters) {
      const std::uint64_t id = ids_.at({consumer_of(number), letter});
      ids.push_back({.first = id, .last = id});
    }
    return ids;
  }
  std::uint64_t id_of(unsigned number, char letter) { return ids_.at({consumer_of(number), letter}); }

  QueueMachine machine_;
  LogIndex index_;
  WallTime now_{std::chrono::seconds(1'000)};

 private:
  void note(const Effect& effect) {
    if (!events_.empty()) events_ += ", ";
    events_ += std::visit([&](const auto& e) { return text(e); }, effect);
  }

  static std::string number_of(const ConsumerKey& key) { return std::to_string(key.session.serial * 10 + key.link); }
  std::string text(const effect::Deliver& e) {
    const char letter = letters_.at(e.message.position);
    ids_[{e.consumer, letter}] = e.id;
    return number_of(e.consumer) + ":" + letter + (e.message.redelivered ? "!" : "");
  }
  std::string text(const effect::GetOk& e) {
    return "got " + text(e.delivery) + " left " + std::to_string(e.ready_left);
  }
  static std::string text(const effect::GetEmpty&) { return "empty"; }
  static std::string text(const effect::Attached& e) {
    return (e.result == AttachResult::attached ? "attached " : "refused ") + number_of(e.consumer);
  }
  static std::string text(const effect::Cancelled& e) { return "cancelled " + number_of(e.consumer); }
  static std::string text(const effect::Purged& e) { return "purged " + std::to_string(e.count); }
  static std::string text(const effect::EntryDead& e) { return "dead " + std::to_string(e.index.value()); }
  static std::string text(const effect::Unused&) { return "unused"; }
  static std::string text(const SessionId& session) { return std::to_string(session.serial); }
  static std::string text(const effect::Through& e) {
    const std::string from = e.first == 1 ? "" : std::to_string(e.first) + "-";
    return "through " + text(e.session) + "#" + from + std::to_string(e.number);
  }
  static std::string text(const effect::Refused& e) {
    return "rejected " + text(e.session) + "#" + std::to_string(e.number);
  }
  static std::string text(const effect::Forgotten& e) { return "forgotten " + text(e.session); }

  std::string events_;
  std::map<Position, char> letters_;
  std::map<std::pair<ConsumerKey, char>, std::uint64_t> ids_;
};

}  // namespace quorate::queue
