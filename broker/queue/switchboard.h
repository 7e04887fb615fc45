// Carries mail between the sessions and the queues of one shard and those of the others: what a turn produced goes over
// in one batch per shard. Mail that stays on the shard is delivered in the same turn.
#pragma once
#include <functional>
#include <vector>

#include "broker/queue/mail.h"
#include "cluster/shard.h"

namespace quorate::queue {

/// Which shard a queue lives on.
inline ShardId shard_of(GroupId queue, std::size_t shard_count) {
  return ShardId(static_cast<std::uint32_t>(stable_hash(queue.value()) % shard_count));
}

/// Receives what is addressed to one shard.
class MailReceiver {
 public:
  virtual ~MailReceiver() = default;
  virtual void on_mail(QueueMail mail) = 0;
  virtual void on_mail(SessionMail mail) = 0;
};

class Switchboard final : public cluster::TurnHook {
 public:
  explicit Switchboard(cluster::Shard& shard) : shard_(shard) {}
  /// The switchboards and receivers of all shards by id; before any of them starts.
  void connect(std::vector<MailReceiver*> receivers);

  void send(QueueMail mail) { to_queues_[shard_of(mail.queue, receivers_.size()).value()].push_back(std::move(mail)); }
  void send(SessionMail mail) { to_sessions_[shard_of(mail.to).value()].push_back(std::move(mail)); }

  bool on_turn_end() override;

 private:
  template <class Mail>
  bool deliver(std::vector<std::vector<Mail>>& outgoing);

  cluster::Shard& shard_;
  std::vector<MailReceiver*> receivers_;
  std::vector<std::vector<QueueMail>> to_queues_;  // by shard
  std::vector<std::vector<SessionMail>> to_sessions_;
};

}  // namespace quorate::queue
