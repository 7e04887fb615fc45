#include "tests/sim/nodes/post.h"

#include <utility>

#include "broker/node/shard_post.h"
#include "broker/queue/mail_wire.h"

namespace quorate::sim::nodes {

using cluster::ItemKind;
using cluster::Lane;

Post::Post(Stage& stage, Mesh& mesh, NodeId self, cluster::Shard& shard, std::function<void(NodeId)> on_dropped)
    : stage_(stage),
      on_dropped_(std::move(on_dropped)),
      outgoing_(
          shard,
          [&mesh, self](NodeId to, Lane lane, std::vector<std::byte>&& batch) {
            return mesh.send(self, to, lane, std::move(batch));
          },
          [this](NodeId to) { note_dropped(to); }) {}

void Post::note_dropped(NodeId to) {
  const bool is_waiting = !dropped_.empty();
  dropped_.insert(to);
  if (is_waiting) return;
  stage_.schedule.after(ShardPost::kDroppedDelay, [this, alive = alive_] {
    if (!*alive) return;
    for (const NodeId node : std::exchange(dropped_, {})) on_dropped_(node);
  });
}

void Post::send(NodeId to, const queue::Parcel& parcel) {
  queue::encode(parcel, outgoing_.begin(to, Lane::data, ItemKind::queue_mail, parcel.queue.value()));
  outgoing_.end();
}

void Post::send(NodeId to, const queue::SessionMail& mail) {
  queue::encode(mail, outgoing_.begin(to, Lane::data, ItemKind::session_mail, mail.to.serial));
  outgoing_.end();
}

void Post::send(NodeId to, const queue::Leadership& leadership) {
  queue::encode(leadership, outgoing_.begin(to, Lane::control, ItemKind::leadership, leadership.queue.value()));
  outgoing_.end();
}

void Post::send(NodeId to, const queue::WhoLeads& question) {
  queue::encode(question, outgoing_.begin(to, Lane::control, ItemKind::who_leads, question.queue.value()));
  outgoing_.end();
}

void Post::send_metadata(NodeId to, const Bytes& entry) {
  std::vector<std::byte>& out = outgoing_.begin(to, Lane::control, ItemKind::metadata, 0);
  out.insert(out.end(), entry.view().begin(), entry.view().end());
  outgoing_.end();
}

}  // namespace quorate::sim::nodes
