#include "tests/sim/nodes/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;
using cluster::Lane;

void Mesh::attach(NodeId node, Ear& ear) {
  Place& place = places_[node];
  place.ear = &ear;
  ++place.incarnation;
  for (const auto& [other, there] : places_) {
    if (other == node) continue;
    for (std::size_t lane = 0; lane < cluster::kLaneCount; ++lane) {
      dial(node, other, lane, draw_exponential(stage_.streams.network, 5ms));
      // A new incarnation answers: what still talks to the old one hears that it is gone.
      Stream& back = pair(other, node).streams[lane];
      if (there.ear != nullptr && back.taken) break_stream(other, node, lane, 1ms);
    }
  }
}

void Mesh::detach(NodeId node, bool silently) {
  Place& place = places_[node];
  place.ear = nullptr;
  ++place.incarnation;
  for (auto& [other, there] : places_) {
    if (other == node) continue;
    for (std::size_t lane = 0; lane < cluster::kLaneCount; ++lane) {
      Stream& own = pair(node, other).streams[lane];
      if (!std::exchange(own.broken, true)) {
        // What the kernel has taken from a killed process still leaves; a machine without power sends nothing.
        survivors_[own.number] = silently ? 0.3 : draw_unit(stage_.streams.network);
      }
      own.taken = own.dialling = false;
      own.held = 0;
      own.stalled.clear();
      if (there.ear == nullptr || !pair(other, node).streams[lane].taken) continue;
      const bool hears = !silently && !is_cut(node, other);
      break_stream(other, node, lane,
                   hears ? draw_exponential(stage_.streams.network, 2ms)
                         : draw_between(stage_.streams.network, Duration(300ms), Duration(4s)));
    }
  }
}

void Mesh::tell(NodeId from, NodeId to, std::size_t lane, bool up) {
  Ear* ear = places_[from].ear;
  if (ear == nullptr) return;
  stage_.tell([&] { return fmt::format("lane {} {}->{} {}", lane, from.value(), to.value(), up ? "up" : "down"); });
  ear->on_connection(to, static_cast<Lane>(lane), up);
}

void Mesh::dial(NodeId from, NodeId to, std::size_t lane, Duration after) {
  Stream& stream = pair(from, to).streams[lane];
  if (std::exchange(stream.dialling, true)) return;
  stage_.schedule.after(after, [this, from, to, lane, incarnation = places_[from].incarnation] {
    if (places_[from].incarnation != incarnation) return;
    Stream& now = pair(from, to).streams[lane];
    now.dialling = false;
    if (places_[to].ear == nullptr || is_cut(from, to)) {
      return dial(from, to, lane, draw_between(stage_.streams.network, Duration(50ms), Duration(250ms)));
    }
    now.number = ++last_number_;
    now.taken = true;
    now.broken = false;
    now.held = 0;
    now.stalled.clear();
    now.last_arrival = stage_.schedule.now();
    tell(from, to, lane, true);
  });
}

void Mesh::break_stream(NodeId from, NodeId to, std::size_t lane, Duration notice) {
  Stream& stream = pair(from, to).streams[lane];
  if (std::exchange(stream.broken, true)) return;
  stage_.seen(Seen::net_reset);
  stream.stalled.clear();
  survivors_[stream.number] = draw_unit(stage_.streams.network);
  stage_.schedule.after(notice,
                        [this, from, to, lane, number = stream.number, incarnation = places_[from].incarnation] {
                          Stream& now = pair(from, to).streams[lane];
                          if (places_[from].incarnation != incarnation || now.number != number || !now.taken) return;
                          now.taken = false;
                          tell(from, to, lane, false);
                          dial(from, to, lane, draw_between(stage_.streams.network, Duration(1ms), Duration(100ms)));
                        });
}

bool Mesh::send(NodeId from, NodeId to, Lane lane_name, std::vector<std::byte>&& batch) {
  const auto lane = static_cast<std::size_t>(lane_name);
  Pair& link = pair(from, to);
  Stream& stream = link.streams[lane];
  const std::size_t limit =
      lane_name == Lane::control ? cluster::Plane::kControlLaneBytesMax : cluster::Plane::kLaneBytesMax;
  if (!stream.taken || stream.held > limit) return false;
  if (stream.broken) return true;  // taken, and lost
  stream.held += batch.size();
  Random& random = stage_.streams.network;
  WorldTime arrival = stage_.schedule.now() + draw_exponential(random, stage_.options.network.delay_mean);
  // A lost segment is sent again, and all behind it wait.
  const bool is_lost = !is_perfect_ && stage_.has(Fault::net_loss) &&
                       draw_chance(stage_.streams.of(Fault::net_loss), stage_.options.network.loss);
  if (is_lost) {
    stage_.seen(Seen::net_lost);
    arrival += 200ms;
  }
  arrival = std::max({arrival, link.clogged_until, stream.last_arrival});
  stream.last_arrival = arrival;
  stage_.schedule.at(
      arrival, [this, from, to, lane, number = stream.number, incarnation = places_[to].incarnation,
                batch = std::move(batch)]() mutable { arrive(from, to, lane, number, incarnation, std::move(batch)); });
  return true;
}

void Mesh::arrive(NodeId from, NodeId to, std::size_t lane, std::uint64_t number, std::uint64_t incarnation,
                  std::vector<std::byte> batch) {
  Pair& link = pair(from, to);
  Stream& stream = link.streams[lane];
  const Place& place = places_[to];
  if (place.ear == nullptr || place.incarnation != incarnation || number < stream.heard) return;
  const bool is_current = stream.number == number && !stream.broken;
  if (is_current) {
    if (link.cuts > 0 || !stream.stalled.empty()) {
      stream.stalled.push_back(std::move(batch));
      return;
    }
    stream.held -= batch.size();
  } else {
    // A prefix of what was under way arrives: once one is lost, so are all behind it.
    double& survives = survivors_[number];
    if (link.cuts > 0 || !draw_chance(stage_.streams.network, survives)) survives = 0;
    if (survives == 0) return;
  }
  stream.heard = number;
  place.ear->on_frame(from, static_cast<Lane>(lane), Bytes::copy_of(batch));
}

// --- faults ---

void Mesh::cut(NodeId from, NodeId to) {
  Pair& link = pair(from, to);
  if (++link.cuts > 1) return;
  ++link.cut_number;
  watch_cut(from, to);
}

/// Without answers a stream dies, and so does the one in the other direction, whose answers do not come.
void Mesh::watch_cut(NodeId from, NodeId to) {
  for (const auto& [a, b] : {Key{from, to}, Key{to, from}}) {
    for (std::size_t lane = 0; lane < cluster::kLaneCount; ++lane) {
      const Duration patience = draw_between(stage_.streams.network, Duration(500ms), Duration(6s));
      stage_.schedule.after(patience, [this, a, b, lane, from, to, number = pair(from, to).cut_number] {
        const Pair& link = pair(from, to);
        if (link.cuts > 0 && link.cut_number == number) break_stream(a, b, lane, 0ms);
      });
    }
  }
}

void Mesh::mend(NodeId from, NodeId to) {
  Pair& link = pair(from, to);
  if (link.cuts == 0 || --link.cuts > 0) return;
  for (std::size_t lane = 0; lane < cluster::kLaneCount; ++lane) {
    Stream& stream = link.streams[lane];
    while (!stream.stalled.empty() && places_[to].ear != nullptr) {
      std::vector<std::byte> batch = std::move(stream.stalled.front());
      stream.stalled.pop_front();
      stream.held -= batch.size();
      stream.heard = stream.number;
      places_[to].ear->on_frame(from, static_cast<Lane>(lane), Bytes::copy_of(batch));
    }
  }
}

void Mesh::reset(NodeId from, NodeId to) {
  const std::size_t lane = stage_.streams.network.below(cluster::kLaneCount);
  break_stream(from, to, lane, draw_exponential(stage_.streams.network, 5ms));
}

void Mesh::become_perfect() {
  is_perfect_ = true;
  for (auto& [ends, link] : pairs_) {
    link.clogged_until = {};
    if (link.cuts == 0) continue;
    link.cuts = 1;
    mend(ends.first, ends.second);
  }
}

}  // namespace quorate::sim::nodes
