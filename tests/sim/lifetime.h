// Lifetime: of the process on one machine: when it takes its turns, when it stands still, and at which step it is made
// to die. What it does in a turn, and what comes after its death, is its owner's business.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/group_storage.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/open_disk.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

/// How a process ends when it does not by itself.
enum class Death : std::uint8_t { kill, power_loss };

/// Where a process is to die: at the n-th step of one of these kinds.
struct Trap {
  std::set<Step> steps;
  bool only_in_swap = false;
  std::uint64_t countdown = 0;
};
/// Why a process died that ran into one.
inline constexpr std::string_view kTrapped = "crashed";

class Lifetime {
 public:
  using Task = std::move_only_function<void()>;
  /// `on_death` is called once, not from within a turn; the owner is to be destroyed.
  Lifetime(Stage& stage, const NodeClock& clock, std::string name, std::function<void()> take_turn,
           std::function<void(const std::string& why)> on_death);
  ~Lifetime() { end(); }
  /// Its owner is being destroyed: nothing that was planned happens any more.
  void end() { *alive_ = false, dying_ = true; }

  /// A turn soon.
  void wake();
  /// A turn no later than when the process's clock shows this.
  void wake_at(std::optional<Instant> due);
  /// `task`, if the process lives then.
  void after(Duration delay, Task task);

  void pause(WorldTime until);
  WorldTime runs_from() const { return paused_until_; }
  bool is_paused() const { return paused_until_ > stage_.schedule.now(); }

  /// It does nothing more that anybody could see.
  void die(const std::string& why);
  bool is_dying() const { return dying_; }

  void set_trap(Trap trap) { trap_ = std::move(trap); }
  void take_trap_away() { trap_.reset(); }
  /// The process takes this step; true: it runs into its trap, and must die.
  bool is_trapped(Step step);
  /// Notes which groups are exchanging their logs for a snapshot.
  void note_writes(const std::vector<storage::GroupWrite>& writes);
  void note_swap(GroupId group) { swaps_.insert(group); }

 private:
  void note_death_at(Step step);

  Stage& stage_;
  const NodeClock& clock_;
  const std::string name_;
  std::function<void()> take_turn_;
  std::function<void(const std::string&)> on_death_;
  bool dying_ = false;
  bool turn_planned_ = false;
  WorldTime timer_at_ = WorldTime::max();
  WorldTime paused_until_{};
  std::optional<Trap> trap_;
  std::set<GroupId> swaps_;  // groups whose snapshot is being staged or swapped in
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace quorate::sim
