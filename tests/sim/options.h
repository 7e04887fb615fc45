// What a seed decides before anything happens: the size of the cluster, every limit and rate, and which kinds of faults
// there will be (swarm testing: Groce et al. 2012). The command line can take kinds away and shorten the time.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "cluster/host_context.h"
#include "raft/core.h"
#include "tests/sim/fault.h"

namespace quorate::sim {

struct NetworkOptions {
  Duration delay_mean = std::chrono::milliseconds(1);
  double loss = 0;
  double duplicate = 0;
};

struct DiskOptions {
  Duration write_mean = std::chrono::microseconds(100);
  Duration sync_mean = std::chrono::microseconds(500);
  Duration read_mean = std::chrono::microseconds(300);
};

struct HostDraw {
  raft::Core::Timing timing;
  raft::Core::Limits limits;
  std::uint64_t snapshot_reclaim_min_bytes = 4096;
  std::uint64_t snapshot_entries_max = 100;
  std::uint64_t kept_entries = 16;
  std::size_t apply_budget_bytes = 1u << 20;
  std::size_t snapshot_part_bytes = 1u << 20;
};

struct WorkloadOptions {
  unsigned publishers = 2;  // per group
  unsigned consumers = 2;
  Duration publish_gap = std::chrono::milliseconds(200);
  std::uint64_t body_max_bytes = 200;
  std::uint64_t pack_max = 4;  // commands in one entry
  std::size_t cached_bodies = 32;
  double transient = 0.1;     // of the publications
  bool quiet_spells = false;  // nobody does anything for a while, so that groups fall asleep
};

struct Options {
  std::uint64_t seed = 1;
  bool whole_nodes = false;  // tests/sim/nodes instead of groups alone
  FaultSet faults;
  Duration fault_phase = std::chrono::seconds(60);
  Duration fault_gap = std::chrono::seconds(2);  // between two faults, on average
  unsigned nodes = 3;
  unsigned groups = 1;
  unsigned replicas = 3;  // voters of a group at its beginning, at most
  NetworkOptions network;
  DiskOptions disk;
  HostDraw host;
  WorkloadOptions workload;
  bool trace = false;  // print every line as it comes
  bool keep_lines = false;

  bool has(Fault fault) const { return faults.test(static_cast<std::size_t>(fault)); }
};

/// What `seed` decides, for groups alone.
Options draw_options(std::uint64_t seed);
/// The same for whole nodes.
Options draw_node_options(std::uint64_t seed);
/// The words of the command line that lead to `options` from a fresh draw.
std::string rerun_words(const Options& options);
/// One line for people.
std::string describe(const Options& options);
/// What was drawn for the group hosts, for one of them.
cluster::HostOptions host_options(const Options& options, NodeId node, Epoch epoch, std::uint32_t machine_version);

}  // namespace quorate::sim
