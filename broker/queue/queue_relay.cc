// A queue whose consumers sit on other nodes that have the messages themselves (decision 18): what its leader sends by
// way of their replicas, and what such a replica makes of it.
#include <utility>
#include <variant>

#include "broker/queue/queue.h"

namespace quorate::queue {
namespace {

/// A replica that had nothing to hand on for so long keeps no bodies for it.
constexpr Duration kRelayPause = std::chrono::seconds(5);

}  // namespace

// --- the leader ---

/// What a consumer has to settle, and its end, take one way, so that none of it overtakes the rest. What dies with its
/// delivery goes straight: should a replica cease to serve, what is on the way through it could not be sent again.
void Queue::post(SessionMail mail) {
  const auto* delivery = std::get_if<Delivery>(&mail.what);
  const bool is_of_consumer = (delivery != nullptr && !delivery->settled) ||
                              std::holds_alternative<Referred>(mail.what) ||
                              std::holds_alternative<Cancelled>(mail.what);
  const NodeId to = mail.to.node;
  RemotePost* remote = surroundings_.switchboard.remote();
  if (!is_of_consumer || to == surroundings_.node || remote == nullptr || !serving_.serves(to)) {
    return surroundings_.switchboard.send(std::move(mail));
  }
  if (auto* referred = std::get_if<Referred>(&mail.what)) referred->term = term_;
  remote->send(to, Relayed{.mail = std::move(mail)});
}

/// A leader that has sent something by way of a replica that does not keep up any more says that it may be lost.
void Queue::judge_replicas(const raft::Core& core) {
  RemotePost* remote = surroundings_.switchboard.remote();
  if (remote == nullptr) return;
  for (const NodeId node : serving_.judge(core, surroundings_.shard->now())) {
    remote->send(node, leadership());
  }
}

// --- the replica of the consumer's node ---

/// What an older leader refers to may be something else by now; the courier asks for what it misses.
void Queue::on_mail(Relayed relayed) {
  const auto* referred = std::get_if<Referred>(&relayed.mail.what);
  if (referred != nullptr && (ready_ || referred->term != term_)) return;
  if (ready_) return surroundings_.switchboard.send(std::move(relayed.mail));
  if (!relayed_at_) outbox_.begin(committed_);
  relayed_at_ = surroundings_.shard->now();
  outbox_.relay(std::move(relayed.mail));
}

void Queue::stop_relaying() {
  if (std::exchange(relayed_at_, std::nullopt)) outbox_.clear();
}

/// What the leader will refer to next is young. The entry's memory is that of a whole frame, so it is copied.
void Queue::follow(const raft::Entry& entry) {
  const bool is_busy = surroundings_.shard->now() - *relayed_at_ <= kRelayPause;
  if (!is_busy && outbox_.owed().empty()) return stop_relaying();
  if (is_busy && machine_.is_live(entry.index)) outbox_.keep(entry.index, Bytes::copy_of(entry.payload.view()));
  for (const Effect& effect : effects_) {
    if (const auto* dead = std::get_if<effect::EntryDead>(&effect)) outbox_.on_entry_dead(dead->index);
  }
}

}  // namespace quorate::queue
