#include "broker/node/shard_post.h"

#include <utility>

#include "broker/alarms/shortage_wire.h"
#include "broker/queue/mail_wire.h"

namespace quorate {

using cluster::ItemKind;
using cluster::Lane;

ShardPost::ShardPost(cluster::Shard& shard, cluster::Plane& plane, std::function<void(NodeId)> on_dropped)
    : on_dropped_(std::move(on_dropped)),
      timer_(shard.io()),
      outgoing_(
          shard,
          [&plane](NodeId to, Lane lane, std::vector<std::byte>&& batch) {
            return plane.send(to, lane, std::move(batch));
          },
          [this](NodeId to) { note_dropped(to); }) {}

void ShardPost::note_dropped(NodeId to) {
  const bool is_waiting = !dropped_.empty();
  dropped_.insert(to);
  if (is_waiting) return;
  timer_.expires_after(kDroppedDelay);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
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
