// The kinds of faults, each with the name by which the command line turns it off.
#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quorate::sim {

enum class Fault : std::uint8_t {
  net_loss,
  net_duplicate,
  net_reorder,
  net_cut,
  net_partition,
  net_clog,
  net_reset,
  net_replay,
  node_kill,
  node_power_loss,
  node_crash_in_turn,
  node_crash_in_disk,
  node_crash_in_swap,
  node_pause,
  disk_slow,
  disk_failed_sync,
  disk_full,
  disk_bit_rot,
  disk_snapshot_rot,
  disk_staging_rot,
  disk_lost_suffix,
  disk_rolled_back,
  disk_wiped,
  clock_drift,
  clock_jump,
  membership,
  transfer,
  versions,
};

struct FaultRow {
  Fault fault;
  std::string_view name;
  double share;  // of the seeds that have it
};
inline constexpr std::array kFaults = {
    FaultRow{Fault::net_loss, "net.loss", 0.6},
    FaultRow{Fault::net_duplicate, "net.duplicate", 0.5},
    FaultRow{Fault::net_reorder, "net.reorder", 0.5},
    FaultRow{Fault::net_cut, "net.cut", 0.5},
    FaultRow{Fault::net_partition, "net.partition", 0.6},
    FaultRow{Fault::net_clog, "net.clog", 0.4},
    FaultRow{Fault::net_reset, "net.reset", 0.4},
    FaultRow{Fault::net_replay, "net.replay", 0.4},
    FaultRow{Fault::node_kill, "node.kill", 0.6},
    FaultRow{Fault::node_power_loss, "node.power_loss", 0.6},
    FaultRow{Fault::node_crash_in_turn, "node.crash_in_turn", 0.5},
    FaultRow{Fault::node_crash_in_disk, "node.crash_in_disk", 0.5},
    FaultRow{Fault::node_crash_in_swap, "node.crash_in_swap", 0.5},
    FaultRow{Fault::node_pause, "node.pause", 0.5},
    FaultRow{Fault::disk_slow, "disk.slow", 0.4},
    FaultRow{Fault::disk_failed_sync, "disk.failed_sync", 0.3},
    FaultRow{Fault::disk_full, "disk.full", 0.3},
    FaultRow{Fault::disk_bit_rot, "disk.bit_rot", 0.4},
    FaultRow{Fault::disk_snapshot_rot, "disk.snapshot_rot", 0.3},
    FaultRow{Fault::disk_staging_rot, "disk.staging_rot", 0.3},
    FaultRow{Fault::disk_lost_suffix, "disk.lost_suffix", 0.4},
    FaultRow{Fault::disk_rolled_back, "disk.rolled_back", 0.2},
    FaultRow{Fault::disk_wiped, "disk.wiped", 0.2},
    FaultRow{Fault::clock_drift, "clock.drift", 0.5},
    FaultRow{Fault::clock_jump, "clock.jump", 0.4},
    FaultRow{Fault::membership, "membership", 0.5},
    FaultRow{Fault::transfer, "transfer", 0.5},
    FaultRow{Fault::versions, "versions", 0.3},
};
inline constexpr std::size_t kFaultCount = kFaults.size();

using FaultSet = std::bitset<kFaultCount>;

constexpr bool rows_stand_in_order() {
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    if (static_cast<std::size_t>(kFaults[i].fault) != i) return false;
  }
  return true;
}
static_assert(rows_stand_in_order());

inline std::optional<Fault> fault_of(std::string_view name) {
  for (const FaultRow& row : kFaults) {
    if (row.name == name) return row.fault;
  }
  return std::nullopt;
}

}  // namespace quorate::sim
