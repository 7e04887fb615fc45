// Who numbers the commands it sends to a queue, and how far each has come: what makes a repeated command harmless and a
// lost one wait for its turn. Part of the queue machine and of its state; equal entries lead to equal Senders.
//
// While an entry is applied there is one run at a time: the numbered commands of one session, begun by a From.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "base/cursor.h"
#include "broker/queue/effects.h"

namespace quorate::queue {

/// The answer to the last command of a session that had one: a session waits for it before it asks again.
struct Reply {
  enum class Kind : std::uint8_t { none = 0, attached = 1, cancelled = 2, purged = 3, got = 4 };
  Kind kind = Kind::none;
  std::uint64_t number = 0;      // of the command
  std::uint64_t value = 0;       // the AttachResult, how many were purged, or the id handed out; 0: nothing to get
  std::uint64_t ready_left = 0;  // when something was handed out
};

struct Sender {
  std::uint64_t last = 0;        // the commands up to here had their effect
  std::vector<IdRange> refused;  // Publications not taken that the session may not have heard of; ascending, <= last.
  Reply reply;
  // Gone, although its node may not know: what comes from it now may be an echo from the start, so it is not forgotten.
  bool expired = false;
  std::size_t heard_place = kUnheard;  // in the list of those the entry being applied heard; no part of the state
  static constexpr std::size_t kUnheard = SIZE_MAX;
};

class Senders {
 public:
  /// What is to become of the next command of the entry.
  enum class Turn : std::uint8_t {
    free,      // not numbered
    now,       // the next of its session
    repeated,  // it had its effect before
    never,     // one before it is missing, or its session is over
  };

  void begin_entry() { run_ = {}; }
  /// False: the session is forgotten, and what it sent too.
  bool begin_run(const From& from);
  bool is_in_run() const { return run_.tracked; }
  /// Counts the next command.
  Turn take_turn() { return run_.tracked ? take_numbered_turn() : Turn::free; }
  /// effect::Through for each session that the entry heard.
  void end_entry(Effects& out);

  /// Of the run, while its session is known.
  Sender* current() { return run_.sender; }
  const Sender* current() const { return run_.sender; }
  const SessionId& session() const { return run_.session; }
  /// Of the command whose turn was taken last.
  std::uint64_t number() const { return run_.next - 1; }

  void refuse_current();
  bool is_current_refused() const;

  void end(const SessionId& session);
  void end_all(NodeId node, Epoch below);
  /// They stay gone: not even a first command makes one of them known again.
  void expire_all(NodeId node, Epoch below);
  /// Null when it is not known.
  const Sender* find(const SessionId& session) const;

  bool empty() const { return senders_.empty(); }
  /// Calls `visit(session)` for each that is known, ascending.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [session, sender] : senders_) {
      if (!sender.expired) visit(session);
    }
  }

  void write(ByteWriter& w) const;
  /// False when the bytes are none; to be thrown away then.
  bool read(ByteReader& r);
  void check_invariants() const;

 private:
  struct Run {
    bool tracked = false;
    SessionId session;
    Sender* sender = nullptr;  // null when nothing more of this run can have an effect
    std::uint64_t first = 0;
    std::uint64_t next = 0;  // number of the next command
  };
  struct Heard {
    SessionId session;
    Sender* sender = nullptr;  // null when it is over, or never began
    std::uint64_t first = 1;   // The entry answers first..number; none of them when number + 1 = first.
    std::uint64_t number = 0;
  };
  using Map = std::map<SessionId, Sender>;

  Turn take_numbered_turn();
  void end_run();
  std::size_t place_of_stranger(const SessionId& session);
  static void forget_refused(std::vector<IdRange>& refused, std::uint64_t heard);
  void leave(Sender& sender);

  Map senders_;
  Run run_;                   // of the entry being applied, like
  std::vector<Heard> heard_;  // in order of appearance, each session once
};

}  // namespace quorate::queue
