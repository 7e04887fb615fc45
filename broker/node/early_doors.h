// EarlyDoors: a node answers its operators while it has no shards to do so, on a thread of its own: while it looks for
// its cluster and reads its log, and while it is stopped by an order.
#pragma once
#include <string>

#include "base/result.h"
#include "broker/node/cluster_link.h"
#include "broker/node/early_view.h"
#include "broker/node/operator_doors.h"
#include "cluster/shard.h"

namespace quorate {

class EarlyDoors {
 public:
  /// `link` is borrowed too: commands from other machines come through it. None: there are none.
  EarlyDoors(EarlyView::Parts parts, ClusterLink* link);
  /// Closes; whoever still waits for an answer sees the connection end.
  ~EarlyDoors();
  EarlyDoors(const EarlyDoors&) = delete;
  EarlyDoors& operator=(const EarlyDoors&) = delete;

  /// Operators are answered from here on.
  Result<void> open();

 private:
  ClusterLink* const link_;
  cluster::Shard thread_;
  EarlyView view_;
  OperatorDoors doors_;
  bool is_open_ = false;
};

}  // namespace quorate
