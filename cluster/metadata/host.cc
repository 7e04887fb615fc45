#include "cluster/metadata/host.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::cluster {

MetadataHost::MetadataHost(Shard& shard, GroupHost& groups, MetadataMachine::IndexFactory make_index)
    : shard_(shard), groups_(groups), machine_(std::move(make_index)) {}

Result<void> MetadataHost::start(std::function<void()> on_ready) {
  on_ready_ = std::move(on_ready);
  return groups_.open(kMetadataGroup, *this);
}

void MetadataHost::submit(MetadataCommand command, Done done) {
  gathered_.push_back({.command = std::move(command), .done = std::move(done)});
}

bool MetadataHost::on_turn_end() {
  if (!ready_ || gathered_.empty()) return false;
  std::vector<Pending> gathered = std::exchange(gathered_, {});
  for (std::size_t begin = 0; begin < gathered.size(); begin += kMetadataCommandsMax) {
    const std::size_t end = std::min(gathered.size(), begin + kMetadataCommandsMax);
    std::vector<MetadataCommand> commands;
    std::vector<Done> done;
    for (std::size_t i = begin; i < end; ++i) {
      commands.push_back(std::move(gathered[i].command));
      done.push_back(std::move(gathered[i].done));
    }
    asked_.push_back(std::move(done));
    groups_.propose(kMetadataGroup, encode_commands(commands), storage::Durability::synced);
  }
  return true;
}

Result<void> MetadataHost::apply(const raft::Entry& entry, ApplyMode mode) {
  MetadataEffects effects;
  auto applied = machine_.apply(entry.index, entry.payload.view(), effects);
  reclaimable_bytes_ += entry.payload.size();
  if (!applied || mode == ApplyMode::replay) return applied;
  CHECK(!asked_.empty());
  applied_.push_back({.index = entry.index,
                      .topology = machine_.topology(),
                      .effects = std::move(effects),
                      .done = std::move(asked_.front())});
  asked_.pop_front();
  return {};
}

void MetadataHost::on_leader() {
  ready_ = true;
  on_ready_();
}

void MetadataHost::on_committed(LogIndex index) {
  while (!applied_.empty() && applied_.front().index <= index) {
    Applied applied = std::move(applied_.front());
    applied_.pop_front();
    if (publish_) publish_(applied.topology, applied.effects.created, applied.effects.deleted);
    CHECK_EQ(applied.done.size(), applied.effects.outcomes.size());
    for (std::size_t i = 0; i < applied.done.size(); ++i) {
      applied.done[i](applied.effects.outcomes[i], applied.topology);
    }
  }
}

}  // namespace quorate::cluster
