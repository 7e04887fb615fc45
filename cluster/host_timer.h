// HostTimer: wakes a running shard when its group host has something due, or those who stand on its groups, for a shard
// without news sleeps. Operation: at the end of every turn it looks at their next deadlines and has one timer go off no
// later than that; its handler does nothing, since any handler makes a turn. A timer that a later deadline has
// overtaken is left to go off for nothing: deadlines move with every turn, and a timer that moved with them would cost
// a system call each. Concurrency: the shard's thread, or before it starts.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "base/time.h"
#include "cluster/group_host.h"
#include "cluster/shard.h"

namespace quorate::cluster {

class HostTimer final : public TurnHook {
 public:
  using NextDeadline = std::function<std::optional<Instant>()>;
  /// Both outlive it. Its hook belongs behind the host's. `others`: when somebody else needs a turn. Asks for the
  /// shard's first turn.
  HostTimer(Shard& shard, const GroupHost& host, NextDeadline others = {});

  bool on_turn_end() override;

 private:
  Shard& shard_;
  const GroupHost& host_;
  const NextDeadline others_;
  boost::asio::steady_timer timer_;
  std::optional<Instant> armed_for_;
};

}  // namespace quorate::cluster
