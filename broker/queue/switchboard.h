// Carries mail between the sessions and the queues of one shard and those of the others: what a turn produced goes over
// in one batch per shard. Mail that stays on the shard is delivered in the same turn. What is for another node goes to
// the RemotePost, and leaves at the end of the turn as well.
#pragma once
#include <functional>
#include <tuple>
#include <vector>

#include "broker/queue/mail.h"
#include "cluster/shard.h"

namespace quorate::queue {

/// Which shard a queue lives on.
inline ShardId shard_of(GroupId queue, std::size_t shard_count) {
  return ShardId(static_cast<std::uint32_t>(stable_hash(queue.value()) % shard_count));
}

/// Whether the sessions of `node` send this queue parcels: it may be, or may have been, led elsewhere.
inline bool is_tracked(const cluster::Queue& queue, NodeId node) {
  return queue.type == cluster::QueueType::quorum || queue.was_quorum || queue.node != node;
}

/// Receives what is addressed to one shard.
class MailReceiver {
 public:
  virtual ~MailReceiver() = default;
  virtual void on_mail(QueueMail mail) = 0;
  virtual void on_mail(SessionMail mail) = 0;
  virtual void on_mail(Parcel parcel) = 0;
  virtual void on_mail(Numbering numbering) = 0;
};

/// The way to other nodes. What is sent may get lost.
class RemotePost {
 public:
  virtual ~RemotePost() = default;
  virtual void send(NodeId to, const Parcel& parcel) = 0;
  virtual void send(NodeId to, const SessionMail& mail) = 0;
  virtual void send(NodeId to, const Relayed& relayed) = 0;
  virtual void send(NodeId to, const Leadership& leadership) = 0;
  virtual void send(NodeId to, const WhoLeads& question) = 0;
};

class Switchboard final : public cluster::TurnHook {
 public:
  /// `remote` outlives it; absent on a node that is alone.
  Switchboard(cluster::Shard& shard, NodeId node, RemotePost* remote) : shard_(shard), node_(node), remote_(remote) {}
  /// The receivers of all shards by id; before any of them starts.
  void connect(std::vector<MailReceiver*> receivers);

  /// To the queue's shard on this node.
  void send(QueueMail mail) { lane<QueueMail>()[home_of(mail.queue)].push_back(std::move(mail)); }
  /// Arrives behind the QueueMail of this turn and before its parcels.
  void send(Numbering numbering) { lane<Numbering>()[home_of(numbering.queue)].push_back(numbering); }
  void send(NodeId to, Parcel parcel) {
    if (to == node_) {
      lane<Parcel>()[home_of(parcel.queue)].push_back(std::move(parcel));
    } else if (remote_ != nullptr) {
      remote_->send(to, parcel);
    }
  }
  /// An address that a client made up may name a shard or a node that does not exist.
  void send(SessionMail mail) {
    if (mail.to.node != node_) {
      if (remote_ != nullptr) remote_->send(mail.to.node, mail);
      return;
    }
    auto& shards = lane<SessionMail>();
    if (const std::size_t to = shard_of(mail.to).value(); to < shards.size()) shards[to].push_back(std::move(mail));
  }

  NodeId node() const { return node_; }
  std::size_t shard_count() const { return receivers_.size(); }
  RemotePost* remote() const { return remote_; }
  bool on_turn_end() override;

 private:
  template <class Mail>
  using ByShard = std::vector<std::vector<Mail>>;

  template <class Mail>
  ByShard<Mail>& lane() {
    return std::get<ByShard<Mail>>(outgoing_);
  }
  std::size_t home_of(GroupId queue) const { return shard_of(queue, receivers_.size()).value(); }
  template <class Mail>
  bool deliver();

  cluster::Shard& shard_;
  const NodeId node_;
  RemotePost* const remote_;
  std::vector<MailReceiver*> receivers_;
  std::tuple<ByShard<QueueMail>, ByShard<Numbering>, ByShard<Parcel>, ByShard<SessionMail>> outgoing_;
};

}  // namespace quorate::queue
