#include "broker/node/intake.h"

#include <array>
#include <utility>

#include "broker/node/node_shard.h"
#include "broker/queue/mail_wire.h"
#include "cluster/plane/wire.h"

namespace quorate {
namespace {

using cluster::ItemKind;

ShardId on_shard_of_session(std::uint64_t serial, std::size_t shards) {
  return ShardId(static_cast<std::uint32_t>(queue::shard_of({.serial = serial}).value() % shards));
}

constexpr std::array<cluster::Incoming::Route, 10> kRoutes = {{
    {ItemKind::group, &cluster::on_shard_of_group},
    {ItemKind::shard, &cluster::on_shard_named},
    {ItemKind::heartbeat, &cluster::on_first_shard},
    {ItemKind::queue_mail, &cluster::on_shard_of_group},
    {ItemKind::session_mail, &on_shard_of_session},
    {ItemKind::metadata, &cluster::on_first_shard},
    {ItemKind::leadership, &cluster::on_shard_of_group},
    {ItemKind::who_leads, &cluster::on_shard_of_group},
    {ItemKind::shortage, &cluster::on_first_shard},
    {ItemKind::relayed_mail, &cluster::on_shard_of_group},
}};

std::vector<cluster::Shard*> places_of(const std::vector<NodeShard*>& shards) {
  std::vector<cluster::Shard*> places;
  for (NodeShard* shard : shards) places.push_back(&shard->shard());
  return places;
}

}  // namespace

Intake::Intake(Receivers receivers)
    : receivers_(std::move(receivers)), incoming_(places_of(receivers_.shards), kRoutes) {
  connect_first_shard();
  for (NodeShard* shard : receivers_.shards) connect(*shard);
}

void Intake::on_frame(NodeId from, const Bytes& frame) {
  const auto taken = incoming_.on_frame(from, frame);
  if (!taken) receivers_.on_unreadable(from, "frame: " + taken.error().text);
}

void Intake::on_connection(NodeId peer, cluster::Lane lane, bool up) {
  // Up as well: what was sent while there was no stream was dropped.
  for (NodeShard* shard : receivers_.shards) {
    shard->shard().post_from_outside([shard, peer] { shard->on_node_unreachable(peer); });
  }
  const bool is_broken = lane == cluster::Lane::control && !up;
  receivers_.metadata.shard().post_from_outside([this, peer, is_broken] {
    receivers_.metadata.on_node_unreachable(peer);
    if (is_broken) receivers_.watch.on_broken(peer);
  });
}

void Intake::connect_first_shard() {
  const auto on = [this](ItemKind kind, auto handler) { incoming_.handle(ShardId(0), kind, std::move(handler)); };
  on(ItemKind::heartbeat, [this](NodeId from, std::uint64_t, const Bytes& body) {
    const auto heartbeat = cluster::decode_heartbeat(body);
    if (!heartbeat) return receivers_.on_unreadable(from, "heartbeat");
    receivers_.watch.receive(from, *heartbeat);
  });
  on(ItemKind::metadata, [this](NodeId, std::uint64_t, const Bytes& body) { receivers_.metadata.on_forwarded(body); });
  on(ItemKind::shortage, [this](NodeId from, std::uint64_t, const Bytes& body) {
    const auto shortage = alarms::decode_shortage(body.view());
    if (!shortage) return receivers_.on_unreadable(from, "shortage");
    // The last word of one that is down does not outlive it.
    if (receivers_.watch.is_live(from)) receivers_.on_shortage(from, *shortage);
  });
}

void Intake::connect(NodeShard& shard) {
  const auto on = [&](ItemKind kind, auto handler) { incoming_.handle(shard.shard().id(), kind, std::move(handler)); };
  const auto receive = [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    auto message = cluster::decode_peer_message(body);
    if (!message) return receivers_.on_unreadable(from, "group");
    shard.groups().receive(from, std::move(*message));
  };
  on(ItemKind::group, receive);
  on(ItemKind::shard, receive);
  on(ItemKind::queue_mail, [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    queue::Parcel parcel;
    const bool is_parcel = queue::decode(body, parcel) && parcel.from.node == from && parcel.first > 0;
    if (!is_parcel) return receivers_.on_unreadable(from, "parcel");
    shard.on_mail(std::move(parcel));
  });
  on(ItemKind::session_mail, [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    queue::SessionMail mail;
    if (!queue::decode(body, mail)) return receivers_.on_unreadable(from, "session mail");
    shard.on_mail(std::move(mail));
  });
  on(ItemKind::relayed_mail, [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    queue::Relayed relayed;
    if (!queue::decode(body, relayed.mail)) return receivers_.on_unreadable(from, "relayed mail");
    shard.on_remote(std::move(relayed));
  });
  on(ItemKind::leadership, [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    queue::Leadership leadership;
    if (!queue::decode(body, leadership)) return receivers_.on_unreadable(from, "leadership");
    shard.on_remote(leadership);
  });
  on(ItemKind::who_leads, [this, &shard](NodeId from, std::uint64_t, const Bytes& body) {
    queue::WhoLeads question;
    if (!queue::decode(body, question)) return receivers_.on_unreadable(from, "who leads");
    shard.on_remote(from, question);
  });
}

}  // namespace quorate
