// Disk: what a replica has written and what of it a crash leaves. Writes become durable one by one, in their order,
// when the test says so.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "raft/core.h"
#include "raft/types.h"

namespace quorate::raft::test {

/// All that is on a disk.
struct Image {
  HardState hard_state;
  SnapshotMeta snapshot;
  std::vector<Entry> entries;  // behind the snapshot, without a gap

  LogPosition last() const;
  /// nullptr: not there, or in the snapshot.
  const Entry* find(LogIndex index) const;
  /// The log up to here is this one, snapshot included.
  bool contains(LogPosition position) const;
  /// Makes `Core` go on from here.
  void put_into(Core::Options& options) const;
};

struct Compaction {
  SnapshotMeta meta;
};
using Task = std::variant<LogWrite, Install, Compaction>;

std::string print(const Task& task);

class Disk {
 public:
  explicit Disk(Image image) : durable_(image), written_(std::move(image)) {}

  const Image& durable() const { return durable_; }
  const Image& written() const { return written_; }
  const std::deque<Task>& under_way() const { return under_way_; }

  /// Says what is wrong with the task, if it would tear a hole into the log.
  std::optional<std::string> begin(Task task);
  /// The oldest task under way is durable. Returns what the core is told.
  Input finish();
  /// Whatever is under way never happened.
  void crash();
  /// What no disk should do: durable entries from here on are gone.
  void lose(LogIndex from);
  void set_recovering() { durable_.hard_state.recovering = written_.hard_state.recovering = true; }

 private:
  Image durable_;
  Image written_;
  std::deque<Task> under_way_;
};

}  // namespace quorate::raft::test
