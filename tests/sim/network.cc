#include "tests/sim/network.h"

#include <algorithm>

namespace quorate::sim {

void Network::send(NodeId from, NodeId to, Packet packet) {
  Link& link = links_[{from, to}];
  const bool is_heartbeat = std::holds_alternative<cluster::Heartbeat>(packet);
  const auto shared = std::make_shared<const Packet>(std::move(packet));
  if (stage_.has(Fault::net_replay) && !is_heartbeat) {
    link.past.emplace_back(shared, false);
    if (link.past.size() > kPastMax) link.past.pop_front();
  }
  if (link.cuts > 0) return;
  const NetworkOptions& options = stage_.options.network;
  Random& random = stage_.streams.network;
  if (!is_perfect_ && stage_.has(Fault::net_loss) && draw_chance(stage_.streams.of(Fault::net_loss), options.loss)) {
    stage_.seen(Seen::net_lost);
    return;
  }
  carry(from, to, link, shared);
  const bool again = !is_perfect_ && stage_.has(Fault::net_duplicate) && draw_chance(random, options.duplicate);
  if (!again) return;
  stage_.seen(Seen::net_duplicated);
  carry(from, to, link, shared);
}

void Network::carry(NodeId from, NodeId to, Link& link, const PacketPtr& packet) {
  WorldTime arrival =
      stage_.schedule.now() + draw_exponential(stage_.streams.network, stage_.options.network.delay_mean);
  arrival = std::max(arrival, link.clogged_until);
  const bool may_overtake = !is_perfect_ && stage_.has(Fault::net_reorder);
  if (arrival < link.last_arrival) {
    if (may_overtake) {
      stage_.seen(Seen::net_overtaken);
    } else {
      arrival = link.last_arrival;
    }
  }
  link.last_arrival = std::max(link.last_arrival, arrival);
  stage_.schedule.at(arrival, [this, from, to, stream = link.stream, packet] {
    const Link& now = links_[{from, to}];
    if (now.stream == stream && now.cuts == 0) deliver_(from, to, packet);
  });
}

void Network::replay(NodeId from, NodeId to, Random& random) {
  const auto at = links_.find({from, to});
  if (at == links_.end() || at->second.past.empty()) return;
  const auto& [packet, is_older_than_restart] = at->second.past[random.below(at->second.past.size())];
  stage_.seen(is_older_than_restart ? Seen::net_replayed_over_restart : Seen::net_replayed);
  deliver_(from, to, packet);
}

void Network::note_restart(NodeId node) {
  for (auto& [ends, link] : links_) {
    if (ends.first != node && ends.second != node) continue;
    for (auto& [packet, is_older_than_restart] : link.past) is_older_than_restart = true;
  }
}

void Network::become_perfect() {
  is_perfect_ = true;
  for (auto& [ends, link] : links_) {
    link.cuts = 0;
    link.clogged_until = {};
  }
}

}  // namespace quorate::sim
