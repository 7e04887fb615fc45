// QueueHistory: the promises of a queue, checked against its committed log: no message is delivered again once its
// settlement is committed, first deliveries follow the order of publication, ids of a consumer grow, counters add up,
// and what a client was told is in the log.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "broker/queue/queue_machine.h"
#include "raft/types.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class QueueHistory {
 public:
  QueueHistory(Stage& stage, GroupId group) : stage_(stage), group_(group) {}

  void on_committed(const raft::Entry& entry, const queue::Effects& effects, const queue::QueueMachine& machine);
  /// A client hears that `publication` is safe, in the entry `index`.
  void on_confirmed(std::uint64_t publication, LogIndex index) const;
  /// A client gets a message. `publication` is what its body says. A group of one may be ahead of its disk, and so of
  /// this history.
  void on_delivery(const queue::effect::Deliver& delivery, std::uint64_t publication, bool may_be_ahead) const;

 private:
  enum class Place : std::uint8_t { ready, held, gone };
  struct Message {
    std::uint64_t publication = 0;
    bool persistent = false;
    Place place = Place::ready;
    bool was_delivered = false;
    queue::ConsumerKey holder;
    std::uint64_t id = 0;
  };

  void on(const queue::Command& command, LogIndex index, std::size_t offset);
  void on(const queue::effect::Deliver& delivery);
  void end_held(const queue::ConsumerKey& consumer, const std::vector<queue::IdRange>& ids, Place place);
  void end_session(const queue::SessionId& session);
  void move(queue::Position position, Place place);
  [[noreturn]] void violated(const std::string& what) const;

  Stage& stage_;
  const GroupId group_;
  std::map<queue::Position, Message> messages_;
  std::map<std::uint64_t, queue::Position> publications_;
  std::map<queue::ConsumerKey, std::map<std::uint64_t, queue::Position>> held_;
  std::map<queue::ConsumerKey, std::map<std::uint64_t, queue::Position>> delivered_;
  std::map<queue::ConsumerKey, std::uint64_t> last_id_;
  std::set<queue::Position> alive_;
  std::uint64_t held_count_ = 0;
  queue::Position last_first_;  // of the newest message that was delivered for the first time
  std::uint64_t entries_ = 0;
};

/// The number with which a message of the simulator begins.
std::uint64_t publication_of(ByteView message);

}  // namespace quorate::sim
