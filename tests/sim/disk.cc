#include "tests/sim/disk.h"

#include <algorithm>
#include <cstring>

#include "storage/log_format.h"

namespace quorate::sim {

StoredWrite encode_write(const storage::GroupWrite& write) {
  StoredWrite stored{.group = write.group, .drop = write.drop, .truncate_from = write.truncate_from, .row = write.row};
  stored.entries.reserve(write.entries.size());
  for (const raft::Entry& entry : write.entries) {
    const auto header = storage::encode_entry_header(write.group, entry);
    Bytes value = Bytes::allocate(header.size() + entry.payload.size());
    std::memcpy(value.mutable_data(), header.data(), header.size());
    if (!entry.payload.empty()) {
      std::memcpy(value.mutable_data() + header.size(), entry.payload.data(), entry.payload.size());
    }
    stored.entries.emplace_back(entry.index, StoredEntry{.term = entry.term, .value = std::move(value)});
  }
  return stored;
}

std::optional<raft::Entry> decode_stored(GroupId group, LogIndex index, const StoredEntry& stored) {
  return storage::decode_entry({.group = group, .index = index, .term = stored.term}, stored.value.view());
}

// --- images ---

void Image::apply(const StoredWrite& write) {
  if (write.drop) groups.erase(write.group);
  const bool is_empty = !write.truncate_from && write.entries.empty() && !write.row;
  if (is_empty) return;
  GroupImage& group = groups[write.group];
  if (write.truncate_from) {
    group.entries.erase(group.entries.lower_bound(*write.truncate_from), group.entries.end());
  }
  for (const auto& [index, entry] : write.entries) group.entries.insert_or_assign(index, entry);
  if (write.row) group.row = write.row;
}

void Image::apply(const SnapshotOp& op) {
  if (op.snapshot) {
    snapshots[op.group] = {.content = op.snapshot};
  } else {
    snapshots.erase(op.group);
  }
}

const GroupImage* Image::find(GroupId group) const {
  const auto at = groups.find(group);
  return at == groups.end() ? nullptr : &at->second;
}

const storage::Snapshot* Image::snapshot(GroupId group) const {
  const auto at = snapshots.find(group);
  return at == snapshots.end() ? nullptr : at->second.content.get();
}

bool Image::is_snapshot_rotten(GroupId group) const {
  const auto at = snapshots.find(group);
  return at != snapshots.end() && at->second.is_rotten;
}

std::optional<Term> Image::term_at(GroupId group, LogIndex index) const {
  if (const GroupImage* image = find(group); image != nullptr) {
    const auto at = image->entries.find(index);
    if (at != image->entries.end()) return at->second.term;
  }
  const storage::Snapshot* saved = snapshot(group);
  if (saved != nullptr && saved->meta.last.index == index) return saved->meta.last.term;
  return std::nullopt;
}

// --- writing ---

void Disk::write(LogOp op) {
  current_.apply(op);
  unsynced_log_.push_back(std::move(op));
}

void Disk::write(SnapshotOp op) {
  current_.apply(op);
  unsynced_snapshots_.push_back(std::move(op));
}

std::vector<SnapshotOp> Disk::sync_snapshots() {
  std::vector<SnapshotOp> ops = std::exchange(unsynced_snapshots_, {});
  for (const SnapshotOp& op : ops) {
    synced_.apply(op);
    if (op.snapshot) erase_dead(op);
  }
  return ops;
}

/// The log forgets what a durable snapshot does not need: at once, or when the next one comes.
void Disk::erase_dead(const SnapshotOp& op) {
  if (draw_chance(stage_.streams.disk, 0.3)) return;
  storage::LiveSet live = op.snapshot->live;
  live.keep_from(op.kept_from);
  for (Image* image : {&current_, &synced_}) {
    const auto at = image->groups.find(op.group);
    if (at == image->groups.end()) continue;
    auto& entries = at->second.entries;
    const auto end = entries.upper_bound(live.snapshot);
    for (auto entry = entries.begin(); entry != end;) {
      entry = live.contains(entry->first) ? std::next(entry) : entries.erase(entry);
    }
  }
}

// --- power and damage ---

std::set<GroupId> Disk::cut_unsynced(Random& random) {
  const std::size_t kept_log = random.below(unsynced_log_.size() + 1);
  const std::size_t kept_snapshots = random.below(unsynced_snapshots_.size() + 1);
  if (kept_log < unsynced_log_.size()) {
    // The first one lost may be there in part; the log's checksum takes it for a torn tail and cuts it.
    stage_.seen(draw_chance(random, 0.5) ? Seen::write_torn : Seen::unsynced_writes_lost);
  } else if (kept_log > 0) {
    stage_.seen(Seen::unsynced_writes_kept);
  }
  return keep_unsynced(kept_log, kept_snapshots);
}

std::set<GroupId> Disk::keep_unsynced(std::size_t log_ops, std::size_t snapshot_ops) {
  std::set<GroupId> touched;
  for (const LogOp& op : unsynced_log_) {
    for (const StoredWrite& write : op) touched.insert(write.group);
  }
  unsynced_log_.resize(log_ops);
  unsynced_snapshots_.resize(snapshot_ops);
  sync_snapshots();
  current_.snapshots = synced_.snapshots;
  return touched;
}

void Disk::read_again(const std::set<GroupId>& groups) {
  for (const GroupId group : groups) {
    if (const GroupImage* image = synced_.find(group); image != nullptr) {
      current_.groups[group] = *image;
    } else {
      current_.groups.erase(group);
    }
  }
}

void Disk::lose_unsynced() { read_again(keep_unsynced(0, 0)); }

bool Disk::rot(Random& random, GroupId group) {
  const GroupImage* image = synced_.find(group);
  if (image == nullptr || image->entries.empty()) return false;
  auto at = image->entries.begin();
  std::advance(at, random.below(image->entries.size()));
  const LogIndex index = at->first;
  const auto current = current_.groups.find(group);
  const bool is_the_same = current != current_.groups.end() && current->second.entries.contains(index) &&
                           current->second.entries[index].term == at->second.term;
  if (!is_the_same || rotten_[group].contains(index)) return false;
  const Bytes& sound = at->second.value;
  Bytes damaged = Bytes::copy_of(sound.view());
  damaged.mutable_data()[random.below(damaged.size())] ^= static_cast<std::byte>(1u << random.below(8));
  synced_.groups[group].entries[index].value = damaged;
  current_.groups[group].entries[index].value = damaged;
  rotten_[group].insert(index);
  return true;
}

bool Disk::rot_snapshot(GroupId group) {
  const auto at = synced_.snapshots.find(group);
  const bool is_the_same = at != synced_.snapshots.end() && current_.snapshot(group) == at->second.content.get();
  if (!is_the_same || at->second.is_rotten) return false;
  at->second.is_rotten = current_.snapshots[group].is_rotten = true;
  rotten_snapshots_.insert(group);
  return true;
}

bool Disk::is_damaged(GroupId group) const {
  if (rotten(group) > 0 || synced_.is_snapshot_rotten(group)) return true;
  const GroupImage* image = synced_.find(group);
  const bool is_in_swap = image != nullptr && image->row && image->row->installing;
  const GroupId staging = storage::staging_of(group);
  return is_in_swap && (rotten(staging) > 0 || synced_.is_snapshot_rotten(staging));
}

std::size_t Disk::rotten(GroupId group) const {
  const auto known = rotten_.find(group);
  const GroupImage* image = synced_.find(group);
  if (known == rotten_.end() || image == nullptr) return 0;
  std::size_t count = 0;
  for (const LogIndex index : known->second) {
    const auto at = image->entries.find(index);
    if (at != image->entries.end() && !decode_stored(group, index, at->second)) ++count;
  }
  return count;
}

void Disk::remember() {
  remembered_ = std::make_unique<Image>(synced_);
  since_remembered_.clear();
}

/// The end of the log is gone, but not the promises, which are kept in a file of their own as well.
bool Disk::lose_suffix(Random& random) {
  if (!remembered_ || since_remembered_.empty()) return false;
  lose_unsynced();
  Image rest = *remembered_;
  const std::size_t kept = random.below(since_remembered_.size());
  for (std::size_t i = 0; i < kept; ++i) rest.apply(since_remembered_[i]);
  for (auto& [group, image] : rest.groups) {
    if (!storage::is_staging(group)) image.row.reset();  // what is staged has no promises
  }
  for (const auto& [group, image] : synced_.groups) {
    if (!image.row || storage::is_staging(group)) continue;
    auto& row = rest.groups[group].row;
    row = image.row;
    row->hard_state.recovering = true;
    if (row->company && row->company->has_others) row->company.reset();
  }
  rest.snapshots = synced_.snapshots;
  synced_ = rest;
  current_ = std::move(rest);
  remembered_.reset();
  since_remembered_.clear();
  loss_ = storage::Loss::entries;
  return true;
}

bool Disk::roll_back() {
  if (!remembered_) return false;
  lose_unsynced();
  synced_ = *remembered_;
  current_ = std::move(*remembered_);
  remembered_.reset();
  since_remembered_.clear();
  loss_ = storage::Loss::promises;
  return true;
}

void Disk::forget(GroupId group) {
  for (Image* image : {&current_, &synced_}) {
    image->groups.erase(group);
    image->snapshots.erase(group);
  }
}

void Disk::wipe() {
  current_ = {};
  synced_ = {};
  unsynced_log_.clear();
  unsynced_snapshots_.clear();
  remembered_.reset();
  since_remembered_.clear();
  rotten_.clear();
  rotten_snapshots_.clear();
  loss_ = storage::Loss::none;
}

void Disk::note_recovery() {
  if (loss_ != storage::Loss::entries) return;
  for (const auto& [group, image] : synced_.groups) {
    if (image.row && !image.row->hard_state.recovering) return;
  }
  loss_ = storage::Loss::none;
}

}  // namespace quorate::sim
