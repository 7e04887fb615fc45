// Looks at memory and disk again and again, feeds the alarms, logs what changes and tells whoever must block
// publishers. Everything runs on the thread of the shard it is made for, from start() until that shard stops.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <vector>

#include "broker/alarms/alarms.h"
#include "broker/alarms/memory_meter.h"
#include "cluster/shard.h"

namespace quorate::alarms {

class AlarmWatch {
 public:
  struct Options {
    NodeId node;
    std::string node_name;
    std::string data_dir;
    Limits limits;
    /// What is free on the volume of the data directory.
    std::function<Result<std::uint64_t>()> disk_free_bytes;
    /// What a blocked client is told from now on; "" = nobody is blocked any more.
    std::function<void(const std::string& reason)> on_change;
  };

  AlarmWatch(cluster::Shard& shard, Options options);

  // On the shard's thread, like everything below.
  /// The first look, and then on.
  void start();
  /// Takes effect at once.
  void set_limits(const Limits& limits);
  /// What another node says it is short of; nothing for one that is down or has left.
  void set_remote(NodeId node, const std::string& name, Shortage shortage);

  std::vector<Alarm> in_force() const { return alarms_.in_force(); }
  /// What this node is short of, for the others.
  Shortage own() const { return alarms_.own(); }
  /// For listings: limits, and what was measured last.
  const Alarms& alarms() const { return alarms_; }

 private:
  void look();
  void note(const std::optional<Error>& fault, std::optional<Error>& known);
  void take_effect(const Changes& changes);
  void log_limits();

  cluster::Shard& shard_;
  const Options options_;
  const MemoryMeter memory_;
  Alarms alarms_;
  boost::asio::steady_timer timer_;
  std::string memory_source_;  // where the memory available was read
  std::string logged_limits_;
  std::string told_reason_;
  // What cannot be measured, as long as it cannot; logged once.
  std::optional<Error> used_fault_;
  std::optional<Error> available_fault_;
  std::optional<Error> disk_fault_;
};

}  // namespace quorate::alarms
