// The swap of log and machine for a staged snapshot (raft.md §2.11). Two databases take part, so it goes in steps, each
// durable before the next, and a step that was begun can be done again:
//   1. the snapshot is saved under the staging group's name, beside the staged entries
//   2. the group's row says `installing`, and what contradicts the snapshot is cut off the log: from here on it happens
//   3. the staged entries move into the group's log
//   4. the snapshot is saved under the group's own name
//   5. the row forgets `installing`, and the staging group goes
// A crash before 2 leaves nothing but rubbish, which open() removes; a crash after it is continued from 3 by open(),
// or, when the disk has damaged what was staged, answered by beginning again: who was sent a snapshot is not alone.
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/replica.h"

namespace quorate::cluster {

void Replica::begin_install(const raft::Install& install) {
  CHECK(receiving_ != nullptr);
  installing_ = std::make_unique<Installing>();
  installing_->what = install;
  installing_->from = receiving_->offer.from;
  installing_->term = receiving_->offer.term;
  installing_->snapshot = {
      .meta = install.meta, .live = receiving_->offer.live, .state = Bytes::copy_of(receiving_->state)};
  receiving_.reset();
  host_.storage().save_snapshot(storage::staging_of(id_), installing_->snapshot,
                                installing_->snapshot.meta.last.index.plus(1),
                                later<Result<void>>([this](Result<void> saved) {
                                  if (!saved) return fail(saved.error());
                                  commit_install();
                                }));
}

void Replica::commit_install() {
  const raft::Install& what = installing_->what;
  row_.installing = what.meta.last;
  note_company(what.meta.last.index, !what.meta.configuration.is_alone(row_.self));
  storage::GroupWrite write{.group = id_, .row = row_};
  if (!what.keeps_tail) write.truncate_from = what.truncate_from;
  host_.write(std::move(write), [this] { move_staged_entries(LogIndex(0)); });
}

void Replica::move_staged_entries(LogIndex from) {
  const LogIndex last = installing_->what.meta.last.index;
  if (from > last) return promote_snapshot();
  const auto moved = [this, last](Result<std::vector<raft::Entry>> entries) {
    if (!entries) return abandon_install(entries.error());
    if (entries->empty()) return promote_snapshot();
    const LogIndex next = entries->back().index.plus(1);
    host_.write({.group = id_, .entries = std::move(*entries)}, [this, next] { move_staged_entries(next); });
  };
  host_.storage().read(storage::staging_of(id_), from, last, limits::kReadAheadBytes,
                       later<Result<std::vector<raft::Entry>>>(moved));
}

void Replica::promote_snapshot() {
  const LogIndex behind = installing_->snapshot.meta.last.index.plus(1);
  host_.storage().save_snapshot(id_, installing_->snapshot, behind, later<Result<void>>([this](Result<void> saved) {
                                  if (!saved) return fail(saved.error());
                                  finish_install();
                                }));
}

void Replica::finish_install() {
  const std::unique_ptr<Installing> done = std::move(installing_);
  row_.installing.reset();
  host_.write({.group = id_, .row = row_}, std::nullopt, storage::Durability::synced);
  discard_staging();
  if (done->is_resumed) {
    if (auto loaded = load(); !loaded) fail(loaded.error());
    return;
  }
  const storage::Snapshot& snapshot = done->snapshot;
  if (auto restored = client_.restore(snapshot.state.view()); !restored) return fail(restored.error());
  const LogIndex index = snapshot.meta.last.index;
  applied_ = snapshot_ = index;
  applied_ts_ = snapshot.meta.ts;
  snapshot_bytes_ = snapshot.state.size();
  machine_version_ = snapshot.meta.configuration.machine_version;
  snapshot_due_.reset();
  repairs_.reset();
  step(raft::Installed{.position = snapshot.meta.last, .ok = true});
  announce_live_nodes();
  log::info(log::Category::queue, "group.snapshot_installed group=\"{}\" index={}", client_.describe(), index.value());
  send_body(
      done->from,
      SnapshotResult{.from = core_->self(), .to = done->from, .term = done->term, .index = index, .accepted = true});
}

/// The node stopped after step 2.
void Replica::resume_install(const raft::LogPosition& position) {
  installing_ = std::make_unique<Installing>();
  installing_->is_resumed = true;
  auto own = host_.storage().load_snapshot(id_);
  if (!own && own.error().code != ErrorCode::corruption) return fail(own.error());
  if (own && *own && (*own)->meta.last.index >= position.index) return finish_install();
  auto staged = host_.storage().load_snapshot(storage::staging_of(id_));
  if (!staged) return abandon_install(staged.error());
  if (!*staged || (*staged)->meta.last != position) {
    return abandon_install({.code = ErrorCode::corruption,
                            .text = "the snapshot that was being installed at log entry " +
                                    std::to_string(position.index.value()) + " is gone"});
  }
  installing_->snapshot = std::move(**staged);
  installing_->what.meta = installing_->snapshot.meta;
  move_staged_entries(LogIndex(0));
}

/// What was staged cannot be read. What it contradicts is cut off already, so this replica begins again; but it does so
/// before it has a core and a machine, at a start.
void Replica::abandon_install(const Error& why) {
  if (why.code != ErrorCode::corruption) return fail(why);
  if (!installing_->is_resumed) {
    return fail_until_restart("a snapshot that was being installed is damaged: " + why.text);
  }
  installing_.reset();
  row_.installing.reset();
  Remains nothing = begin_again(why.text);
  discard_staging();
  if (auto begun = begin_with(std::move(nothing)); !begun) fail(begun.error());
}

void Replica::discard_staging() {
  const GroupId staging = storage::staging_of(id_);
  host_.write({.group = staging, .drop = true}, std::nullopt, storage::Durability::buffered);
  host_.storage().drop_snapshot(staging, [](Result<void>) {});  // one that stays gives way to the next that is staged
}

}  // namespace quorate::cluster
