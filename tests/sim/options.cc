#include "tests/sim/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/streams.h"

namespace quorate::sim {
namespace {

using namespace std::chrono_literals;

Duration draw_time(Random& random, Duration low, Duration high) {
  return Duration(static_cast<Duration::rep>(
      draw_magnitude(random, static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
}

HostDraw draw_host(Random& random) {
  HostDraw host;
  raft::Core::Timing& timing = host.timing;
  timing.election_min = draw_time(random, 500ms, 2s);
  timing.heartbeat = draw_between(random, Duration(60ms), timing.election_min / 4);
  timing.idle = draw_time(random, 200ms, 2s);
  timing.wake_spread = draw_time(random, 20ms, 1s);
  timing.promotion = draw_time(random, 200ms, 10s);
  timing.snapshot_retry = draw_time(random, 100ms, 2s);
  raft::Core::Limits& limits = host.limits;
  const bool is_tiny = draw_chance(random, 0.5);
  limits.append_max_bytes = draw_magnitude(random, 1, is_tiny ? 2000 : 1u << 20);
  limits.append_max_entries = draw_magnitude(random, 1, is_tiny ? 4 : 1024);
  limits.window_messages = draw_magnitude(random, 1, is_tiny ? 4 : 256);
  limits.window_bytes = draw_magnitude(random, is_tiny ? 1 : 4096, is_tiny ? 4000 : 8u << 20);
  limits.uncommitted_max_bytes = draw_magnitude(random, 500, 16u << 20);
  limits.uncommitted_max_entries = draw_magnitude(random, 2, 4096);
  limits.tail_max_bytes = draw_magnitude(random, 1, draw_chance(random, 0.5) ? 4000 : 4u << 20);
  host.snapshot_reclaim_min_bytes = draw_magnitude(random, 1, 20'000);
  host.snapshot_entries_max = draw_magnitude(random, 3, 1000);
  host.kept_entries = draw_chance(random, 0.3) ? 0 : draw_magnitude(random, 1, 200);
  host.apply_budget_bytes = draw_magnitude(random, 1, 1u << 20);
  host.snapshot_part_bytes = draw_magnitude(random, 10, 10'000);
  return host;
}

WorkloadOptions draw_workload(Random& random) {
  WorkloadOptions workload;
  workload.publishers = static_cast<unsigned>(draw_between(random, 1, 3));
  workload.consumers = static_cast<unsigned>(draw_between(random, 0, 3));
  workload.publish_gap = draw_time(random, 60ms, 1s);
  workload.body_max_bytes = draw_magnitude(random, 16, 3000);
  workload.pack_max = draw_magnitude(random, 1, 12);
  workload.cached_bodies = draw_magnitude(random, 1, 200);
  workload.transient = draw_chance(random, 0.5) ? 0.2 : 0;
  workload.quiet_spells = draw_chance(random, 0.5);
  return workload;
}

}  // namespace

Options draw_options(std::uint64_t seed) {
  Random random(stream_seed(seed, 0));
  Options options;
  options.seed = seed;
  const bool is_calm = draw_chance(random, 0.1);
  for (const FaultRow& row : kFaults) {
    options.faults.set(static_cast<std::size_t>(row.fault), draw_chance(random, is_calm ? row.share / 4 : row.share));
  }
  options.nodes = static_cast<unsigned>(draw_chance(random, 0.5) ? 3 : draw_between(random, 1, 7));
  options.replicas = static_cast<unsigned>(draw_chance(random, 0.7) ? 3 : draw_between(random, 1, 5));
  if (draw_chance(random, 0.1)) options.replicas = 7;
  options.replicas = std::min(options.replicas, options.nodes);
  options.groups = static_cast<unsigned>(draw_chance(random, 0.6) ? 1 : draw_magnitude(random, 2, 8));
  options.fault_phase = draw_between(random, Duration(20s), Duration(80s));
  options.fault_gap = draw_time(random, 500ms, 5s);
  options.network.delay_mean = draw_time(random, 100us, 50ms);
  options.network.loss = draw_chance(random, 0.7) ? draw_unit(random) * 0.05 : draw_unit(random) * 0.3;
  options.network.duplicate = draw_unit(random) * (draw_chance(random, 0.7) ? 0.05 : 0.5);
  options.disk.write_mean = draw_time(random, 10us, 2ms);
  options.disk.sync_mean = draw_time(random, 50us, 20ms);
  options.disk.read_mean = draw_time(random, 50us, 20ms);
  options.host = draw_host(random);
  options.workload = draw_workload(random);
  return options;
}

/// The plane between nodes keeps its streams in order, and what a node has lost for ever needs a successor with another
/// name. A limit of a few octets would only make the clients wait, and the snapshot of a queue with its sessions would
/// not arrive within the time that is given.
Options draw_node_options(std::uint64_t seed) {
  Options options = draw_options(seed);
  options.whole_nodes = true;
  for (const Fault fault : {Fault::net_duplicate, Fault::net_reorder, Fault::net_replay, Fault::versions,
                            Fault::disk_rolled_back, Fault::disk_wiped}) {
    options.faults.reset(static_cast<std::size_t>(fault));
  }
  raft::Core::Limits& limits = options.host.limits;
  limits.append_max_bytes = std::max<std::size_t>(limits.append_max_bytes, 4000);
  limits.window_messages = std::max<std::size_t>(limits.window_messages, 8);
  limits.window_bytes = std::max<std::size_t>(limits.window_bytes, 16'000);
  limits.uncommitted_max_bytes = std::max<std::size_t>(limits.uncommitted_max_bytes, 64'000);
  limits.uncommitted_max_entries = std::max<std::size_t>(limits.uncommitted_max_entries, 32);
  options.host.snapshot_part_bytes = std::max<std::size_t>(options.host.snapshot_part_bytes, 500);
  return options;
}

std::string rerun_words(const Options& options) {
  const Options fresh = options.whole_nodes ? draw_node_options(options.seed) : draw_options(options.seed);
  std::string words = fmt::format("{}--seed={}", options.whole_nodes ? "--nodes " : "", options.seed);
  if (fresh.faults != options.faults) {
    words += " --only=";
    const char* comma = "";
    for (const FaultRow& row : kFaults) {
      if (options.has(row.fault)) words += fmt::format("{}{}", std::exchange(comma, ","), row.name);
    }
  }
  if (fresh.fault_phase != options.fault_phase) {
    words += fmt::format(" --fault-ms={}",
                         std::chrono::duration_cast<std::chrono::milliseconds>(options.fault_phase).count());
  }
  return words;
}

std::string describe(const Options& options) {
  std::string faults;
  for (const FaultRow& row : kFaults) {
    if (options.has(row.fault)) faults += fmt::format("{}{}", faults.empty() ? "" : " ", row.name);
  }
  const auto ms = [](Duration time) { return static_cast<double>(time.count()) / 1e6; };
  const HostDraw& host = options.host;
  return fmt::format(
      "{} nodes, {} groups of {}, {:.0f} s of faults every {:.0f} ms, delay {:.2f} ms, sync {:.2f} ms, election {:.0f} "
      "ms, "
      "heartbeat {:.0f} ms, append {} B/{}, window {} B/{}, uncommitted {} B/{}, tail {} B, snapshot {} B/{}, keep {}, "
      "part {} B, publish every {:.0f} ms; faults: {}",
      options.nodes, options.groups, options.replicas, ms(options.fault_phase) / 1000, ms(options.fault_gap),
      ms(options.network.delay_mean), ms(options.disk.sync_mean), ms(host.timing.election_min),
      ms(host.timing.heartbeat), host.limits.append_max_bytes, host.limits.append_max_entries, host.limits.window_bytes,
      host.limits.window_messages, host.limits.uncommitted_max_bytes, host.limits.uncommitted_max_entries,
      host.limits.tail_max_bytes, host.snapshot_reclaim_min_bytes, host.snapshot_entries_max, host.kept_entries,
      host.snapshot_part_bytes, ms(options.workload.publish_gap), faults);
}

cluster::HostOptions host_options(const Options& options, NodeId node, Epoch epoch, std::uint32_t machine_version) {
  const HostDraw& host = options.host;
  return {.node = node,
          .epoch = epoch,
          .seed = stream_seed(options.seed, 7777 + node.value() * 1000 + epoch.value()),
          .machine_version = machine_version,
          .timing = host.timing,
          .limits = host.limits,
          .snapshot_reclaim_min_bytes = host.snapshot_reclaim_min_bytes,
          .snapshot_entries_max = host.snapshot_entries_max,
          .kept_entries = host.kept_entries,
          .apply_budget_bytes = host.apply_budget_bytes,
          .snapshot_part_bytes = host.snapshot_part_bytes};
}

}  // namespace quorate::sim
