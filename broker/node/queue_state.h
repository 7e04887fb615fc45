// How a queue is, in the word that its row shows.
#pragma once
#include <cstddef>
#include <string_view>

namespace quorate {

struct QueueHealth {
  std::size_t members = 1;
  std::size_t online = 0;    // members whose nodes answer
  bool is_quorum = false;    // else its one member is the queue
  bool is_answered = false;  // its leader said how many messages it has
};

/// "running", "minority" or "down". A majority without a leader elects one, and that is no reason for an alarm: it
/// runs.
constexpr std::string_view queue_state(const QueueHealth& queue) {
  if (queue.is_answered) return "running";
  if (!queue.is_quorum || queue.online == 0) return "down";
  return queue.online * 2 > queue.members ? "running" : "minority";
}

}  // namespace quorate
