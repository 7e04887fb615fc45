// Publisher confirms of one channel: which publications are still unanswered, and what may be told to the client now.
// Owned by its Channel, lives on the connection's shard. Pure: verdicts come in, answers go out, nothing is sent here.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"

namespace quorate::amqp {

enum class Verdict : std::uint8_t { stored, refused };

/// One basic.ack or basic.nack to send; `multiple` covers every unanswered publication up to `seq`.
struct Answer {
  PublishSeq seq;
  Verdict verdict = Verdict::stored;
  bool multiple = false;
  bool operator==(const Answer&) const = default;
};

class ConfirmLedger {
 public:
  /// Begins to wait for one verdict from each of `queue_count` queues; zero queues is an immediate `stored`.
  PublishSeq expect(std::uint32_t queue_count);

  /// A queue has decided about `seq`. A verdict nobody waits for is our bug, never the peer's.
  void settle(PublishSeq seq, Verdict verdict);

  /// Appends the answers due now, as few as possible: the decided prefix folds into `multiple`, what is decided beyond
  /// it is answered singly, so a slow queue never delays the confirm of a message routed elsewhere. Each publication is
  /// answered once.
  void take_answers(std::vector<Answer>& out);

  bool has_answers() const { return !decided_.empty(); }
  std::size_t unanswered_count() const { return pending_.size(); }

 private:
  struct Pending {
    std::uint32_t verdicts_left = 0;
    Verdict verdict = Verdict::stored;  // refused as soon as one queue refuses
    bool answered = false;
  };

  PublishSeq first_{1};              // Invariant: pending_[i] is publication first_ + i.
  std::deque<Pending> pending_;      // Invariant: after take_answers(), front() still waits or the deque is empty.
  std::vector<PublishSeq> decided_;  // since the last take_answers(), in the order of decision
};

}  // namespace quorate::amqp
