// Sightings: no promise, only what was seen of the rules at work, for the coverage of a campaign.
#pragma once
#include <map>
#include <utility>

#include "base/ids.h"
#include "cluster/replica.h"
#include "cluster/transport.h"
#include "storage/group_storage.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Sightings {
 public:
  explicit Sightings(Stage& stage) : stage_(stage) {}

  void on_submit(const storage::GroupWrite& write);
  void on_send(const cluster::PeerMessage& message);
  void on_turn_end(NodeId node, GroupId group, const cluster::Replica& replica);
  void on_down(NodeId node);

 private:
  struct Past {
    bool leads = false;
    bool steady = false;
    bool recovering = false;
    bool joint = false;
    LogIndex base;
    raft::Configuration configuration;
  };
  void note_configuration(const raft::Core& core, Past& past);

  Stage& stage_;
  std::map<std::pair<NodeId, GroupId>, Past> past_;
};

}  // namespace quorate::sim
