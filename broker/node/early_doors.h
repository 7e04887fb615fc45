// EarlyDoors: a node answers its operators while it looks for its cluster and reads its log, on a thread of its own.
// When its shards are there, their OperatorDoors take over the same addresses.
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
  /// All borrowed.
  EarlyDoors(const Config& config, const Clock& clock, ClusterLink& link);
  /// Closes; whoever still waits for an answer sees the connection end.
  ~EarlyDoors();
  EarlyDoors(const EarlyDoors&) = delete;
  EarlyDoors& operator=(const EarlyDoors&) = delete;

  /// Operators are answered from here on.
  Result<void> open();

 private:
  ClusterLink& link_;
  cluster::Shard thread_;
  EarlyView view_;
  OperatorDoors doors_;
  bool is_open_ = false;
};

}  // namespace quorate
