// Outbox: what a queue owes its consumers, in order, and the bodies for it. A checked out message whose body is in
// memory leaves at once; behind one whose body is still on disk everything waits, while a stretch of the log is read
// back, and the next one while that is being delivered. Bodies come from the cache of the queue's entries, which is
// kept here within its budget.
//
// The leader's owes what its machine hands out. A consumer whose node has the message itself is sent only a reference
// to it (Referred), and the outbox of that node's replica owes the rest.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "broker/queue/body_cache.h"
#include "broker/queue/mail.h"
#include "broker/queue/numbered.h"
#include "broker/queue/queue_machine.h"
#include "cluster/group_host.h"

namespace quorate::queue {

/// What a session is to be sent: a checked out message, or what stands behind such a one.
struct Owed {
  enum class Kind : std::uint8_t { delivery, get, cancelled, relayed };
  effect::Deliver delivery;  // of a cancellation: the consumer; of what is relayed: the message it refers to
  Kind kind = Kind::delivery;
  std::uint64_t ready_left = 0;  // in the answer to a basic.get
  std::uint64_t number = 0;      // of the command that this answers
  bool whole = false;            // it has been sent in vain: not as a reference again
  std::unique_ptr<SessionMail> relayed;

  /// What nobody can settle any more dies with its delivery; of anything else a dead message has been settled.
  bool is_last_copy() const { return kind == Kind::get || delivery.settled; }
  /// 0: it needs no body.
  LogIndex entry() const { return kind == Kind::cancelled ? LogIndex(0) : delivery.message.position.index(); }
};

class Outbox {
 public:
  struct Surroundings {
    const QueueMachine& machine;
    CacheBudget& budget;
    /// The last argument is the number of the command that this answers, or 0.
    std::function<void(const SessionId&, SessionMailBody, std::uint64_t)> send;
    /// The log from one index to another, in stretches of the budget's size; null when there is no log.
    std::function<void(LogIndex, LogIndex, cluster::GroupHost::ReadDone)> read;
    /// The session's node has this entry, and its replica delivers from it.
    std::function<bool(const SessionId&, LogIndex)> is_held_there;
    /// An entry's payload, as long as the log has it in memory, or nullptr; null when there is no log.
    std::function<const Bytes*(LogIndex)> find_in_tail;
    /// To a session of this node, in another replica's name.
    std::function<void(SessionMail)> pass_on;
    /// A message is not here that another replica has referred to: its session has missed it.
    std::function<void()> on_missed;
    /// A live entry cannot be read back: the node must stop.
    std::function<void(Error)> on_failure;
  };
  explicit Outbox(Surroundings surroundings) : surroundings_(std::move(surroundings)), cache_(surroundings_.budget) {}
  ~Outbox() { *alive_ = false; }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// The payload of an entry with messages, while it is young.
  void keep(LogIndex index, Bytes payload) { cache_.put(index, std::move(payload)); }
  void owe(Owed owed);
  /// What the leader has sent to a session of this node.
  void relay(SessionMail mail);
  /// The machine needs no message of this entry any more.
  void on_entry_dead(LogIndex index);
  /// This replica delivers from now on; what is on its disk up to `committed` can be read back.
  void begin(LogIndex committed) {
    committed_ = std::max(committed_, committed);
    evicted_ = std::max(evicted_, committed_);  // nothing older is in the cache
  }
  /// Entries up to `committed` can be read back. Those up to `durable` are on this disk; until then the only readable
  /// copy is in memory, whatever others have, and from then on it is a cache.
  void on_committed(LogIndex committed, LogIndex durable);
  /// Another replica delivers from now on.
  void clear();

  const std::deque<Owed>& owed() const { return owed_; }
  /// Of each consumer that is owed a delivery, the first that it has not been sent.
  std::map<ConsumerKey, std::uint64_t> first_owed() const;
  /// Entries that are dead to the machine but hold a body that exists nowhere else and is owed, ascending.
  std::vector<LogIndex> needed_entries() const;

 private:
  bool deliver(const Owed& owed);
  bool relay_now(SessionMail& mail);
  bool is_stale(LogIndex entry) const;
  const Bytes& find_payload(LogIndex index) const;
  void pay();
  void strike_first();
  void read_back(LogIndex from);
  void consider_read_ahead(LogIndex delivered);
  void on_read(Result<std::vector<raft::Entry>> entries, LogIndex from);
  std::size_t cache_limit() const;

  Surroundings surroundings_;
  BodyCache cache_;
  std::deque<Owed> owed_;
  Numbered<std::uint32_t> owed_entries_;  // how many of owed_ lie in each entry
  LogIndex committed_;
  LogIndex evicted_;  // bodies up to here have been looked at: there was room for them, or they have left memory
  bool reading_ = false;
  std::uint64_t read_serial_ = 0;  // a read of before a change of leaders brings nothing
  LogIndex read_first_;            // what the last read brought: [read_first_, read_last_]
  LogIndex read_last_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false once destroyed: a late read does nothing
};

}  // namespace quorate::queue
