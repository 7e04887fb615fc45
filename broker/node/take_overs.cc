#include "broker/node/take_overs.h"

#include <fmt/format.h>

#include <utility>

namespace quorate {

void TakeOvers::on_taken(NodeId from, Instant now) {
  Loss& loss = losses_[from];
  ++loss.taken;
  loss.last = now;
}

void TakeOvers::on_silent(NodeId node, std::string name, Instant now) {
  Loss& loss = losses_[node];
  loss.name = std::move(name);
  loss.last = now;
}

void TakeOvers::on_beat(Instant now, std::vector<std::string>& out) {
  for (auto at = losses_.begin(); at != losses_.end();) {
    const Loss& loss = at->second;
    if (now - loss.last < kRest) {
      ++at;
      continue;
    }
    if (!loss.name.empty()) out.push_back(fmt::format("leaders.taken_over from={} count={}", loss.name, loss.taken));
    at = losses_.erase(at);
  }
}

}  // namespace quorate
