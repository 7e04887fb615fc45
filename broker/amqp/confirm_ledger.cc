#include "broker/amqp/confirm_ledger.h"

#include "base/check.h"

namespace quorate::amqp {

PublishSeq ConfirmLedger::expect(std::uint32_t queue_count) {
  pending_.push_back({.verdicts_left = queue_count});
  const PublishSeq seq = first_.plus(pending_.size() - 1);
  if (queue_count == 0) decided_.push_back(seq);
  return seq;
}

void ConfirmLedger::settle(PublishSeq seq, Verdict verdict) {
  CHECK_GE(seq, first_);
  CHECK_LT(seq.value() - first_.value(), pending_.size());
  Pending& pending = pending_[seq.value() - first_.value()];
  CHECK_GT(pending.verdicts_left, 0u);
  if (verdict == Verdict::refused) pending.verdict = Verdict::refused;
  if (--pending.verdicts_left == 0) decided_.push_back(seq);
}

void ConfirmLedger::take_answers(std::vector<Answer>& out) {
  if (decided_.empty()) return;
  const std::size_t begin = out.size();
  while (!pending_.empty() && pending_.front().verdicts_left == 0) {
    const Pending& front = pending_.front();
    if (!front.answered) {
      const bool extends = out.size() > begin && out.back().verdict == front.verdict;
      if (extends) {
        out.back() = {.seq = first_, .verdict = front.verdict, .multiple = true};
      } else {
        out.push_back({.seq = first_, .verdict = front.verdict});
      }
    }
    pending_.pop_front();
    ++first_;
  }
  for (const PublishSeq seq : decided_) {
    if (seq < first_) continue;
    Pending& pending = pending_[seq.value() - first_.value()];
    out.push_back({.seq = seq, .verdict = pending.verdict});
    pending.answered = true;
  }
  decided_.clear();
}

}  // namespace quorate::amqp
