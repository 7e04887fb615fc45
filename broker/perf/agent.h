// Whoever uses one channel of a Connection: a producer, a consumer, somebody who only declares.
// Called on the thread of its connection only. It answers by what it appends when pump() asks.
#pragma once
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/amqp/methods.h"
#include "broker/perf/incoming.h"

namespace quorate::perf {

class Agent {
 public:
  virtual ~Agent() = default;

  /// A method that nobody waits for. False when it must not come here: the connection fails.
  virtual bool on_method(const amqp::Method& method, Instant now) = 0;
  /// A whole message, delivered or returned. Borrows.
  virtual bool on_message(const Incoming& message, Instant now) = 0;
  /// When the next message may come; until then the connection does not read on.
  virtual Instant resume_at() const { return Instant::min(); }
  /// Appends whole frames, stopping soon after `out` has reached `enough` bytes. Returns when it wants to be asked
  /// again though nothing has come; Instant::max() = it does not.
  virtual Instant pump(std::vector<std::byte>& out, std::size_t enough, Instant now) = 0;
};

}  // namespace quorate::perf
