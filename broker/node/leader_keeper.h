// LeaderKeeper: moves leaders of quorum queues, a few at a time, away from nodes that lead clearly more than their
// share. It works on the node that leads the metadata, so that one node does it for all. Lives on shard 0.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/ctl/leader_balance.h"
#include "broker/node/node_view.h"

namespace quorate {

/// At most `moves_max` of the moves that `rebalance` would make, from nodes that lead more than their share and a tenth
/// of it, or two, whichever is more.
std::vector<ctl::LeaderMove> urgent_moves(const std::vector<http::QueueRow>& queues,
                                          const std::vector<std::string>& fit, std::size_t moves_max);

class LeaderKeeper {
 public:
  struct Options {
    Duration interval{};        // zero: never
    std::size_t moves_max = 0;  // in each
  };
  /// `view` outlives it.
  LeaderKeeper(NodeView& view, Options options);

  void start();
  void stop();

 private:
  void tick();
  void look();
  void move(const std::vector<ctl::LeaderMove>& moves);

  NodeView& view_;
  const Options options_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace quorate
