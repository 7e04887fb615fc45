#include "cluster/plane/outgoing.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/plane/wire.h"

namespace quorate::cluster {
namespace {

struct LaneOf {
  Lane operator()(const raft::Message& message) const {
    const bool is_data =
        std::holds_alternative<raft::Append>(message.body) || std::holds_alternative<raft::AppendReply>(message.body);
    return is_data ? Lane::data : Lane::control;
  }
  Lane operator()(const SnapshotPart& /*part*/) const { return Lane::bulk; }
  Lane operator()(const RepairReply& /*reply*/) const { return Lane::bulk; }
  Lane operator()(const auto& /*small*/) const { return Lane::control; }
};

}  // namespace

Outgoing::Outgoing(Shard& shard, Carry carry, OnDropped on_dropped)
    : shard_(shard), carry_(std::move(carry)), on_dropped_(std::move(on_dropped)) {}

Lane Outgoing::lane_of(const PeerMessage& message) { return std::visit(LaneOf(), message.body); }

void Outgoing::send(NodeId to, PeerMessage message) {
  const bool has_group = message.group != GroupId();
  auto& out = begin(to, lane_of(message), has_group ? ItemKind::group : ItemKind::shard,
                    has_group ? message.group.value() : shard_.id().value());
  encode(message, out);
  end();
}

void Outgoing::send(NodeId to, const Heartbeat& heartbeat) {
  encode(heartbeat, begin(to, Lane::control, ItemKind::heartbeat, 0));
  end();
}

std::vector<std::byte>& Outgoing::begin(NodeId to, Lane lane, ItemKind kind, std::uint64_t key) {
  CHECK(open_ == nullptr);
  auto& batches = buffer_for(to, lane).batches;
  if (batches.empty() || batches.back().size() >= Plane::kFrameBytes) batches.emplace_back();
  open_ = &batches.back();
  open_at_ = begin_item(kind, key, *open_);
  return *open_;
}

void Outgoing::end() { end_item(open_at_, *std::exchange(open_, nullptr)); }

bool Outgoing::on_turn_end() {
  CHECK(open_ == nullptr);
  std::vector<NodeId> dropped;
  for (Buffer& buffer : buffers_) {
    for (auto& batch : buffer.batches) {
      const bool taken = carry_(buffer.to, buffer.lane, std::move(batch));
      if (!taken && std::ranges::find(dropped, buffer.to) == dropped.end()) dropped.push_back(buffer.to);
    }
    buffer.batches.clear();
  }
  for (const NodeId node : dropped) shard_.defer([this, node] { on_dropped_(node); });
  return !dropped.empty();
}

Outgoing::Buffer& Outgoing::buffer_for(NodeId to, Lane lane) {
  const auto found =
      std::ranges::find_if(buffers_, [&](const Buffer& buffer) { return buffer.to == to && buffer.lane == lane; });
  return found != buffers_.end() ? *found : buffers_.emplace_back(Buffer{.to = to, .lane = lane});
}

}  // namespace quorate::cluster
