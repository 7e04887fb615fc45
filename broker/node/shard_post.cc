#include "broker/node/shard_post.h"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "broker/alarms/shortage_wire.h"
#include "broker/queue/mail_wire.h"

namespace quorate {

using cluster::ItemKind;
using cluster::Lane;

namespace {

ShardPost::After by_timer(cluster::Shard& shard) {
  auto timer = std::make_shared<boost::asio::steady_timer>(shard.io());
  return [timer = std::move(timer)](Duration delay, std::move_only_function<void()> task) {
    timer->expires_after(delay);
    timer->async_wait([task = std::move(task)](const boost::system::error_code& cancelled) mutable {
      if (!cancelled) task();
    });
  };
}

}  // namespace

ShardPost::ShardPost(cluster::Shard& shard, cluster::Plane& plane, OnDropped on_dropped)
    : ShardPost(
          shard,
          [&plane](NodeId to, Lane lane, std::vector<std::byte>&& batch) {
            return plane.send(to, lane, std::move(batch));
          },
          by_timer(shard), std::move(on_dropped)) {}

ShardPost::ShardPost(cluster::Shard& shard, cluster::Outgoing::Carry carry, After after, OnDropped on_dropped)
    : after_(std::move(after)),
      on_dropped_(std::move(on_dropped)),
      outgoing_(shard, std::move(carry), [this](NodeId to) { note_dropped(to); }) {}

void ShardPost::note_dropped(NodeId to) {
  const bool is_waiting = !dropped_.empty();
  dropped_.insert(to);
  if (is_waiting) return;
  after_(kDroppedDelay, [this] {
    for (const NodeId node : std::exchange(dropped_, {})) on_dropped_(node);
  });
}

void ShardPost::send(NodeId to, const queue::Parcel& parcel) {
  queue::encode(parcel, outgoing_.begin(to, Lane::data, ItemKind::queue_mail, parcel.queue.value()));
  outgoing_.end();
}

void ShardPost::send(NodeId to, const queue::SessionMail& mail) {
  queue::encode(mail, outgoing_.begin(to, Lane::data, ItemKind::session_mail, mail.to.serial));
  outgoing_.end();
}

void ShardPost::send(NodeId to, const queue::Relayed& relayed) {
  queue::encode(relayed.mail, outgoing_.begin(to, Lane::data, ItemKind::relayed_mail, relayed.mail.queue.value()));
  outgoing_.end();
}

void ShardPost::send(NodeId to, const queue::Leadership& leadership) {
  queue::encode(leadership, outgoing_.begin(to, Lane::control, ItemKind::leadership, leadership.queue.value()));
  outgoing_.end();
}

void ShardPost::send(NodeId to, const queue::WhoLeads& question) {
  queue::encode(question, outgoing_.begin(to, Lane::control, ItemKind::who_leads, question.queue.value()));
  outgoing_.end();
}

void ShardPost::send(NodeId to, alarms::Shortage shortage) {
  alarms::encode(shortage, outgoing_.begin(to, Lane::control, ItemKind::shortage, 0));
  outgoing_.end();
}

void ShardPost::send_metadata(NodeId to, const Bytes& entry) {
  std::vector<std::byte>& out = outgoing_.begin(to, Lane::control, ItemKind::metadata, 0);
  out.insert(out.end(), entry.view().begin(), entry.view().end());
  outgoing_.end();
}

}  // namespace quorate
