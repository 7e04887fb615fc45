#include "broker/queue/switchover.h"

#include <algorithm>
#include <utility>

namespace quorate::queue {

void Switchover::on_numbering(ShardId shard) { shards_[shard.value()].numbers = true; }

void Switchover::keep(Parcel parcel) {
  Progress& progress = shards_[shard_of(parcel.from).value()];
  progress.numbers = true;
  progress.kept.keep(std::move(parcel));
}

std::vector<ShardId> Switchover::go_over() {
  std::vector<ShardId> ready;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (!shards_[i].numbers || std::exchange(shards_[i].over, true)) continue;
    ready.emplace_back(static_cast<std::uint32_t>(i));
  }
  return ready;
}

std::vector<Parcel> Switchover::release(ShardId shard) { return shards_[shard.value()].kept.take(); }

void Switchover::forget_parcels() {
  for (Progress& progress : shards_) progress.kept.take();
}

std::optional<LogIndex> Switchover::end(LogIndex last) {
  if (!end_ && std::ranges::all_of(shards_, &Progress::over)) end_ = last;
  return end_;
}

}  // namespace quorate::queue
