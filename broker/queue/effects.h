// What a queue machine answers: references to messages, and the effects that follow from an entry. They are data; the
// queue around the machine carries them out, or does not when the entry is history.
#pragma once
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "broker/queue/commands.h"

namespace quorate::queue {

/// Where a message stands in the log, and so its place in the queue: the entry's index and the offset of its Enqueue in
/// the payload. Ordered as the messages arrived.
struct Position {
  std::uint64_t packed = 0;
  static constexpr unsigned kOffsetBits = 16;
  static constexpr std::size_t kOffsetEnd = std::size_t{1} << kOffsetBits;
  static Position of(LogIndex index, std::size_t offset);
  LogIndex index() const { return LogIndex(packed >> kOffsetBits); }
  std::size_t offset() const { return packed & (kOffsetEnd - 1); }
  auto operator<=>(const Position&) const = default;
};

struct MessageRef {
  Position position;
  std::uint32_t body_size = 0;
  std::uint16_t delivery_count = 0;  // how often it was handed out in vain
  std::uint8_t priority = 0;
  bool persistent : 1 = false;
  bool redelivered : 1 = false;
  bool expires : 1 = false;  // the machine knows when
  bool is_gap : 1 = false;   // not a message: a Level's affair
  bool operator==(const MessageRef&) const = default;
};
static_assert(sizeof(MessageRef) == 16, "a deep queue keeps one of these per message");

enum class AttachResult : std::uint8_t { attached, in_exclusive_use };

namespace effect {

// Answers carry the number of the command, or 0 when it had none: an echo is answered again, and is not to be taken for
// the answer to a later question.

struct Attached {
  ConsumerKey consumer;
  AttachResult result = AttachResult::attached;
  std::uint64_t number = 0;
};
/// Checked out to the consumer under `id`. `settled`: it is gone already (no_ack), only its body is still owed.
struct Deliver {
  ConsumerKey consumer;
  std::uint64_t id = 0;
  MessageRef message;
  bool settled = false;
  std::uint16_t acquired_count = 0;  // how often it was handed out before
};
struct Cancelled {
  ConsumerKey consumer;
  std::uint64_t number = 0;
};
/// basic.get found nothing.
struct GetEmpty {
  SessionId session;
  std::uint64_t number = 0;
};
/// basic.get found `delivery`; `ready_left` remain.
struct GetOk {
  Deliver delivery;
  std::uint64_t ready_left = 0;
  std::uint64_t number = 0;
};
struct Purged {
  SessionId session;
  std::uint64_t count = 0;
  std::uint64_t number = 0;
};
/// No message of this entry is needed any more.
struct EntryDead {
  LogIndex index;
};
/// The last consumer has gone.
struct Unused {};
/// The session's commands from `first` to `number` have had their effect, and all there is to answer to them stands
/// before this among the effects of the same entry. Comes for each session that the entry heard, be it again or out of
/// turn; `first` is `number` + 1 when it heard nothing of use. A session that has heard the answers to fewer than
/// `first` - 1 has missed some, and asks again.
struct Through {
  SessionId session;
  std::uint64_t first = 0;
  std::uint64_t number = 0;
};
/// The queue did not take the publication at this place of the entry, which the session sent under this number; 0 and
/// no session when it was not numbered.
struct Refused {
  SessionId session;
  std::uint64_t number = 0;
  Position position;
};
/// The queue has known the session and does not any more: it was ended. Nothing of the run had an effect.
struct Forgotten {
  SessionId session;
};

}  // namespace effect

using Effect =
    std::variant<effect::Deliver, effect::GetOk, effect::GetEmpty, effect::Attached, effect::Cancelled, effect::Purged,
                 effect::EntryDead, effect::Unused, effect::Through, effect::Refused, effect::Forgotten>;
using Effects = std::vector<Effect>;

}  // namespace quorate::queue
