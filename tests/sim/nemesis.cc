#include "tests/sim/nemesis.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quorate::sim {

using namespace std::chrono_literals;

const Nemesis::Row Nemesis::kRows[] = {
    {Fault::net_cut, &Nemesis::cut},
    {Fault::net_partition, &Nemesis::partition},
    {Fault::net_clog, &Nemesis::clog},
    {Fault::net_reset, &Nemesis::reset},
    {Fault::net_replay, &Nemesis::replay},
    {Fault::node_kill, &Nemesis::kill},
    {Fault::node_power_loss, &Nemesis::lose_power},
    {Fault::node_crash_in_turn, &Nemesis::crash_in_turn},
    {Fault::node_crash_in_disk, &Nemesis::crash_in_disk},
    {Fault::node_crash_in_swap, &Nemesis::crash_in_swap},
    {Fault::node_pause, &Nemesis::pause},
    {Fault::disk_slow, &Nemesis::slow_disk},
    {Fault::disk_failed_sync, &Nemesis::fail_sync},
    {Fault::disk_full, &Nemesis::fill_disk},
    {Fault::disk_bit_rot, &Nemesis::rot},
    {Fault::disk_snapshot_rot, &Nemesis::rot_snapshot},
    {Fault::disk_staging_rot, &Nemesis::rot_staging},
    {Fault::disk_lost_suffix, &Nemesis::lose_suffix},
    {Fault::disk_rolled_back, &Nemesis::roll_back},
    {Fault::disk_wiped, &Nemesis::wipe},
    {Fault::clock_drift, &Nemesis::drift},
    {Fault::clock_jump, &Nemesis::jump},
};

void Nemesis::begin() {
  for (const Row& row : kRows) {
    if (stage_.has(row.fault)) strike_for_ever(row);
  }
}

void Nemesis::strike_for_ever(const Row& row) {
  Random& random = stage_.streams.of(row.fault);
  stage_.schedule.after(draw_exponential(random, stage_.options.fault_gap * 5), [this, &row, &random] {
    if (stopped_) return;
    (this->*row.strike)(random);
    strike_for_ever(row);
  });
}

// --- the network ---

bool Nemesis::draw_link(Random& random, NodeId& from, NodeId& to) {
  if (victims_.nodes().size() < 2) return false;
  from = draw_node(random);
  do to = draw_node(random);
  while (to == from);
  return true;
}

void Nemesis::cut_for(std::vector<std::pair<NodeId, NodeId>> links, Duration time) {
  for (const auto& [from, to] : links) victims_.cut(from, to);
  stage_.schedule.after(time, [this, links = std::move(links)] {
    if (stopped_) return;  // everything is mended already
    for (const auto& [from, to] : links) victims_.mend(from, to);
  });
}

void Nemesis::cut(Random& random) {
  NodeId from;
  NodeId to;
  if (!draw_link(random, from, to)) return;
  stage_.seen(Seen::net_cut_one_way);
  stage_.tell([&] { return fmt::format("cut {} -> {}", from.value(), to.value()); });
  cut_for({{from, to}}, draw_exponential(random, 3s));
}

void Nemesis::partition(Random& random) {
  std::vector<NodeId> left;
  std::vector<NodeId> right;
  const bool isolates_one = draw_chance(random, 0.4);
  const NodeId lonely = draw_node(random);
  for (const NodeId id : victims_.nodes()) {
    const bool is_left = isolates_one ? id == lonely : draw_chance(random, 0.5);
    (is_left ? left : right).push_back(id);
  }
  const bool one_way = draw_chance(random, 0.3);
  std::vector<std::pair<NodeId, NodeId>> links;
  for (const NodeId a : left) {
    for (const NodeId b : right) {
      links.emplace_back(a, b);
      if (!one_way) links.emplace_back(b, a);
    }
  }
  if (links.empty()) return;
  stage_.seen(Seen::net_partitioned);
  stage_.tell([&] { return fmt::format("partition {} | {}{}", left.size(), right.size(), one_way ? " one way" : ""); });
  cut_for(std::move(links), draw_exponential(random, 4s));
}

void Nemesis::clog(Random& random) {
  NodeId from;
  NodeId to;
  if (!draw_link(random, from, to)) return;
  stage_.seen(Seen::net_clogged);
  victims_.clog(from, to, stage_.schedule.now() + draw_between(random, Duration(10ms), Duration(5s)));
}

void Nemesis::reset(Random& random) {
  NodeId from;
  NodeId to;
  if (!draw_link(random, from, to)) return;
  stage_.seen(Seen::net_reset);
  victims_.reset(from, to);
}

void Nemesis::replay(Random& random) {
  for (std::uint64_t count = draw_between(random, 1, 10); count > 0; --count) {
    NodeId from;
    NodeId to;
    if (draw_link(random, from, to)) victims_.replay(from, to, random);
  }
}

// --- processes ---

void Nemesis::kill(Random& random) { victims_.stop_for(draw_node(random), Death::kill, draw_exponential(random, 2s)); }

void Nemesis::lose_power(Random& random) {
  if (!draw_chance(random, 0.15)) {
    return victims_.stop_for(draw_node(random), Death::power_loss, draw_exponential(random, 2s));
  }
  for (const NodeId id : victims_.nodes()) victims_.stop_for(id, Death::power_loss, draw_exponential(random, 2s));
}

void Nemesis::crash_in_turn(Random& random) {
  Lifetime* process = draw_process(random);
  if (process == nullptr) return;
  process->set_trap({.steps = {Step::submit, Step::send, Step::snapshot_call}, .countdown = random.below(12)});
}

void Nemesis::crash_in_disk(Random& random) {
  Lifetime* process = draw_process(random);
  if (process == nullptr) return;
  process->set_trap(
      {.steps = {Step::write, Step::sync, Step::done, Step::snapshot_write, Step::snapshot_sync, Step::snapshot_done},
       .countdown = random.below(6)});
}

/// Lies in wait for a snapshot that is being installed, on every node.
void Nemesis::crash_in_swap(Random& random) {
  for (const NodeId id : victims_.nodes()) {
    Lifetime* process = victims_.lifetime(id);
    if (process == nullptr || !draw_chance(random, 0.5)) continue;
    process->set_trap({.steps = {Step::submit, Step::snapshot_call, Step::write, Step::sync, Step::done,
                                 Step::snapshot_write, Step::snapshot_sync, Step::snapshot_done},
                       .only_in_swap = true,
                       .countdown = random.below(24)});
  }
}

void Nemesis::pause(Random& random) {
  Lifetime* process = draw_process(random);
  if (process == nullptr) return;
  stage_.seen(Seen::paused);
  process->pause(stage_.schedule.now() + std::min(draw_exponential(random, 2s), Duration(15s)));
}

// --- disks ---

void Nemesis::slow_disk(Random& random) {
  if (OpenDisk* disk = draw_disk(random)) disk->slow_down(draw_between(random, Duration(50ms), Duration(5s)));
}

void Nemesis::fail_sync(Random& random) {
  if (OpenDisk* disk = draw_disk(random)) disk->fail_next_sync();
}

void Nemesis::fill_disk(Random& random) {
  if (OpenDisk* disk = draw_disk(random)) disk->become_full();
}

void Nemesis::rot(Random& random) {
  const NodeId id = draw_node(random);
  const std::vector<GroupId> groups = victims_.groups_on_disks();
  if (groups.empty()) return;
  const GroupId group = draw_one(random, groups);
  if (!victims_.may_harm(id, group)) return;
  for (std::uint64_t count = draw_between(random, 1, 3); count > 0; --count) {
    if (!victims_.disk(id).rot(random, group)) continue;
    victims_.note_harm(id, group);
    stage_.seen(Seen::rot_written);
    stage_.tell([&] { return fmt::format("node {}: an entry of group {} rots", id.value(), group.value()); });
  }
}

/// A start is to meet it, or whoever sends it, or whoever comes first.
void Nemesis::rot_snapshot(Random& random) {
  const NodeId id = draw_node(random);
  const std::vector<GroupId> groups = victims_.groups_on_disks();
  if (groups.empty()) return;
  const GroupId group = draw_one(random, groups);
  switch (random.below(3)) {
    case 0:
      if (rot_snapshot_of(id, group)) victims_.stop_for(id, Death::kill, draw_exponential(random, 1s));
      return;
    case 1:
      for (const NodeId node : victims_.nodes()) {
        victims_.disk(node).await_fetch([this, node](GroupId sent) { rot_snapshot_of(node, sent); });
      }
      return;
    default:
      rot_snapshot_of(id, group);
  }
}

bool Nemesis::rot_snapshot_of(NodeId id, GroupId group) {
  if (stopped_ || !victims_.may_harm(id, group) || !victims_.disk(id).rot_snapshot(group)) return false;
  victims_.note_harm(id, group);
  stage_.seen(Seen::snapshot_rot_written);
  stage_.tell([&] { return fmt::format("node {}: the snapshot of group {} rots", id.value(), group.value()); });
  return true;
}

/// Lies in wait for a snapshot that is being installed, on every node.
void Nemesis::rot_staging(Random& random) {
  for (const NodeId id : victims_.nodes()) {
    victims_.disk(id).await_swap([this, &random, id](GroupId group) {
      if (stopped_ || !victims_.may_harm(id, group) || !rot_swap_of(random, id, group)) return;
      victims_.note_harm(id, group);
      stage_.seen(Seen::staged_rot_written);
      stage_.tell([&] { return fmt::format("node {}: what group {} installs rots", id.value(), group.value()); });
    });
  }
}

/// Of what is read in the middle of a swap: the staged entries, the staged snapshot, and the one that it replaces.
bool Nemesis::rot_swap_of(Random& random, NodeId id, GroupId group) {
  Disk& disk = victims_.disk(id);
  const GroupId staging = storage::staging_of(group);
  switch (random.below(3)) {
    case 0:
      return disk.rot(random, staging);
    case 1:
      return disk.rot_snapshot(staging);
    default:
      return disk.rot_snapshot(group);
  }
}

void Nemesis::lose_suffix(Random& random) {
  const NodeId id = draw_node(random);
  if (!victims_.may_harm(id, std::nullopt) || victims_.disk(id).loss() != storage::Loss::none) return;
  victims_.stop(id, Death::power_loss);
  if (victims_.disk(id).lose_suffix(random)) {
    stage_.seen(Seen::suffix_lost);
    stage_.tell([&] { return fmt::format("node {}: loses the end of its log", id.value()); });
    victims_.note_harm(id, std::nullopt);
  }
  stage_.schedule.after(draw_exponential(random, 1s), [this, id] { victims_.start(id); });
}

void Nemesis::roll_back(Random& random) {
  const NodeId id = draw_node(random);
  if (!victims_.may_harm(id, std::nullopt)) return;
  victims_.stop(id, Death::power_loss);
  if (victims_.disk(id).roll_back()) {
    stage_.seen(Seen::rolled_back);
    stage_.tell([&] { return fmt::format("node {}: an older image of its disk is back", id.value()); });
    victims_.note_harm(id, std::nullopt);
    victims_.replace(id, true);
  }
  stage_.schedule.after(draw_exponential(random, 1s), [this, id] { victims_.start(id); });
}

void Nemesis::wipe(Random& random) {
  const NodeId id = draw_node(random);
  if (!victims_.may_harm(id, std::nullopt)) return;
  victims_.stop(id, Death::power_loss);
  stage_.seen(Seen::wiped);
  stage_.tell([&] { return fmt::format("node {}: its disk is wiped", id.value()); });
  victims_.replace(id, false);
  stage_.schedule.after(draw_exponential(random, 1s), [this, id] { victims_.start(id); });
}

// --- clocks ---

void Nemesis::drift(Random& random) {
  const NodeId id = draw_node(random);
  victims_.clock(id).set_rate(0.9 + 0.2 * draw_unit(random));
  if (Lifetime* process = victims_.lifetime(id)) process->wake();
}

void Nemesis::jump(Random& random) {
  stage_.seen(Seen::clock_jumped);
  const auto by = std::chrono::milliseconds(static_cast<std::int64_t>(random.below(7'200'000)) - 3'600'000);
  victims_.clock(draw_node(random)).jump_wall(by);
}

}  // namespace quorate::sim
