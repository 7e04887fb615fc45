// Victims: what the nemesis can do harm to: a network, processes, disks and clocks, whatever runs on them.
#pragma once
#include <optional>
#include <vector>

#include "tests/sim/disk.h"
#include "tests/sim/lifetime.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/open_disk.h"

namespace quorate::sim {

class Victims {
 public:
  virtual ~Victims() = default;

  virtual const std::vector<NodeId>& nodes() const = 0;
  /// Those that an entry may rot of, in a fixed order.
  virtual std::vector<GroupId> groups_on_disks() const = 0;

  // The network. Cuts are counted, so that several may overlap.
  virtual void cut(NodeId from, NodeId to) = 0;
  virtual void mend(NodeId from, NodeId to) = 0;
  virtual void clog(NodeId from, NodeId to, WorldTime until) = 0;
  virtual void reset(NodeId from, NodeId to) = 0;
  /// Something from the past arrives once more, where the network can do that.
  virtual void replay(NodeId from, NodeId to, Random& random) = 0;

  // Processes. nullptr: down, or dying.
  virtual Lifetime* lifetime(NodeId node) = 0;
  virtual OpenDisk* open_disk(NodeId node) = 0;
  virtual void start(NodeId node) = 0;
  virtual void stop(NodeId node, Death death) = 0;
  /// Starts again after `downtime`.
  virtual void stop_for(NodeId node, Death death, Duration downtime) = 0;

  // Machines.
  virtual Disk& disk(NodeId node) = 0;
  virtual NodeClock& clock(NodeId node) = 0;
  /// Whether every group survives that its replica on `node` (the one of `only`, or of all groups) loses what it has
  /// promised to keep. False as well when `only` has none there.
  virtual bool may_harm(NodeId node, std::optional<GroupId> only) = 0;
  virtual void note_harm(NodeId node, std::optional<GroupId> only) = 0;
  /// The older image of the disk that is there now, or the empty one, must not act under its old names.
  virtual void replace(NodeId node, bool has_old_image) = 0;
};

}  // namespace quorate::sim
