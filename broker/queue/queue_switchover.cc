// A queue that lived on this node alone, while its sessions begin to number what they send (decision 17).
#include <algorithm>
#include <map>
#include <utility>

#include "broker/queue/queue.h"

namespace quorate::queue {

/// The one that this session's parcels wait for. A parcel may come before the metadata says why.
Switchover* Queue::switchover_of(const SessionId& session) {
  if (session.node != surroundings_.node) return nullptr;
  if (!switchover_ && is_tracked(*definition_, surroundings_.node)) return nullptr;
  if (!switchover_) switchover_.emplace(surroundings_.switchboard.shard_count());
  return switchover_->is_over(session) ? nullptr : &*switchover_;
}

void Queue::on_mail(const Numbering& numbering) {
  if (!switchover_) return;  // it began with couriers, or has got over it
  switchover_->on_numbering(numbering.shard);
  surroundings_.mark_dirty(definition_->id);
}

/// Everything that came so far is applied. True when there is more to do.
bool Queue::bring_over() {
  if (!switchover_) return false;
  const std::vector<ShardId> shards = switchover_->go_over();
  bring_over(shards);
  consider_end_of_switchover();
  return !shards.empty();
}

/// Their couriers are told before anything more is delivered to anybody.
void Queue::bring_over(const std::vector<ShardId>& shards) {
  if (shards.empty()) return;
  const std::map<ConsumerKey, std::uint64_t> owed = outbox_.first_owed();
  std::map<ShardId, std::vector<Adopted>> consumers;
  machine_.for_each_consumer([&](const ConsumerKey& key, std::uint64_t last, bool cancelled, bool no_ack) {
    if (key.session.node != surroundings_.node) return;
    const auto next = owed.find(key);
    if (next != owed.end()) last = next->second - 1;
    consumers[shard_of(key.session)].push_back(
        {.consumer = key, .last = last, .cancelled = cancelled, .no_ack = no_ack});
  });
  for (const ShardId shard : shards) surroundings_.adopt(shard, definition_->id, std::move(consumers[shard]));
  for (const ShardId shard : shards) {
    for (Parcel& parcel : switchover_->release(shard)) on_mail(std::move(parcel));
  }
}

/// Then another replica may lead: nobody waits for an answer that only this one could give.
void Queue::consider_end_of_switchover() {
  const auto end = switchover_->end(last_proposed_);
  const bool is_settled = end && *end <= committed_ && is_tracked(*definition_, surroundings_.node);
  if (!is_settled || !waiting_.empty()) return;
  const auto is_unnumbered_answer = [](const Owed& owed) {
    return owed.kind != Owed::Kind::delivery && owed.number == 0;
  };
  if (std::ranges::any_of(outbox_.owed(), is_unnumbered_answer)) return;
  const auto is_unnumbered = [](const auto& asked) { return asked.question.number == 0; };
  if (std::ranges::any_of(questions_, is_unnumbered)) return;
  if (std::ranges::any_of(deleters_, [](const Deleter& deleter) { return deleter.question == 0; })) return;
  if (std::ranges::any_of(promised_, [](const Promised& promised) { return !promised.mail.tracked; })) return;
  switchover_.reset();
  configure();  // before any member joins: what is handed out has to be held by all that may lead
  surroundings_.mark_dirty(definition_->id);
}

/// Of what answers no numbered command.
bool Queue::goes_to_courier(const SessionId& to, const SessionMailBody& what) const {
  if (std::holds_alternative<Delivery>(what) || std::holds_alternative<Referred>(what)) return is_numbered(to);
  return std::holds_alternative<Through>(what) || std::holds_alternative<Refused>(what) ||
         std::holds_alternative<Forgotten>(what);
}

/// Its courier counts the deliveries.
bool Queue::is_numbered(const SessionId& session) const {
  const bool goes_over = switchover_ && session.node == surroundings_.node;
  return goes_over ? switchover_->is_over(session) : is_tracked(*definition_, session.node);
}

}  // namespace quorate::queue
