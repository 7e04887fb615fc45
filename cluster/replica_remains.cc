// What a start finds of a replica, and whether it is worth keeping. Snapshot and log lie in two databases, and a disk
// may have lost the end of one of them; what the others have is worth more than what is in doubt here (raft.md §2.15).
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/log.h"
#include "cluster/replica.h"
#include "raft/configuration.h"

namespace quorate::cluster {
namespace {

/// Of company: whatever the log says that is to come again, until there is an entry that leaves this replica alone.
constexpr LogIndex kForNow{std::numeric_limits<std::uint64_t>::max()};

constexpr const char* kLostWrites = "the disk has lost writes that were synced";

/// A replica that came after another one of the same group on this node may have lost that it began anew: no promise of
/// its own reaches as far as what it finds.
bool is_of_one_before(const storage::GroupRow& row, const std::optional<storage::Snapshot>& snapshot,
                      const storage::LogSummary& log) {
  Term newest = snapshot ? snapshot->meta.last.term : Term(0);
  if (!log.runs.empty()) newest = std::max(newest, log.runs.back().term);
  return row.hard_state.recovering && newest > row.hard_state.term;
}

}  // namespace

Result<Replica::Remains> Replica::take_stock() {
  const storage::GroupStorage& storage = host_.storage();
  auto snapshot = storage.load_snapshot(id_);
  if (!snapshot) {
    const bool is_rotten = snapshot.error().code == ErrorCode::corruption;
    if (!is_rotten || !has_others()) return std::unexpected(snapshot.error());
    return begin_again(snapshot.error().text);
  }
  const std::optional<storage::Snapshot>& found = *snapshot;
  Result<bool> fits = true;
  if (found) fits = is_of_this_log(*found);
  if (!fits) return std::unexpected(fits.error());
  if (!*fits) {
    if (!is_elsewhere(found->meta.last.index, found->meta.configuration)) {
      return failure(ErrorCode::corruption, kLostWrites);
    }
    row_.configuration = found->meta.configuration;
    return begin_again(kLostWrites);
  }
  auto log = storage.summarize(id_, found ? found->meta.last.index : LogIndex(0));
  if (!log) return std::unexpected(log.error());
  if (is_of_one_before(row_, found, *log)) {
    constexpr const char* kOneBefore = "a replica was here before";
    if (!has_others()) return failure(ErrorCode::corruption, kOneBefore);
    return begin_again(kOneBefore);
  }
  return Remains{.snapshot = std::move(*snapshot), .log = std::move(*log)};
}

/// What a snapshot calls live may have been lost, or stand in the log as what was cut off before, when the cut is lost
/// as well. Snapshots from before they named their own end are believed unless there is another reason for doubt.
Result<bool> Replica::is_of_this_log(const storage::Snapshot& snapshot) const {
  if (row_.hard_state.recovering) return host_.storage().has_log_of(id_, snapshot);
  if (!snapshot.live.contains(snapshot.meta.last.index)) return true;
  return host_.storage().has_end_of(id_, snapshot);
}

/// Neither snapshot nor log is worth keeping: the leader's snapshot brings everything. The snapshot goes when the row
/// that says so is durable: without it a log that does not begin at its beginning would be all that a start finds.
Replica::Remains Replica::begin_again(const std::string& why) {
  begin_recovery(why);
  row_.company = {.since = kForNow, .has_others = true};
  host_.write({.group = id_, .drop = true, .row = row_},
              [this] { host_.storage().drop_snapshot(id_, [](Result<void>) {}); });
  return {};
}

void Replica::begin_recovery(const std::string& why) {
  log::warn(log::Category::queue,
            "group.recovering group=\"{}\" error=\"{}\" consequence=\"does not count until a leader "
            "has sent what is missing\"",
            client_.describe(), why);
  row_.hard_state.recovering = true;
}

/// A replica that has lost entries recovers through the others, if there are any (raft.md §2.15).
Result<void> Replica::judge_loss(const raft::Core::Options& options, const storage::LogSummary& log) {
  if (!log.damaged && !row_.hard_state.recovering) return {};
  const auto [known_to, newest] =
      log.configurations.empty() ? std::pair(options.snapshot.index, options.configuration) : log.configurations.back();
  const std::string what =
      log.damaged ? "log entry " + std::to_string(log.damaged->value()) + " is damaged or missing" : kLostWrites;
  if (!is_elsewhere(known_to, newest)) return failure(ErrorCode::corruption, what);
  if (row_.hard_state.recovering && !log.damaged) return {};  // known already
  begin_recovery(what);
  host_.write({.group = id_, .truncate_from = log.damaged, .row = row_}, std::nullopt, storage::Durability::synced);
  return {};
}

// --- who else has the log ---

/// Whether what is lost here can be had from others, when `newest` is the newest configuration that can still be read,
/// and says so up to the entry at `known_to`.
bool Replica::is_elsewhere(LogIndex known_to, const raft::Configuration& newest) const {
  if (row_.company && row_.company->since > known_to) return row_.company->has_others;
  return !newest.is_alone(row_.self);
}

/// Whether it is news.
bool Replica::note_company(LogIndex since, bool has_others) {
  const bool is_newer = !row_.company || row_.company->since < since;
  if (!is_newer || has_others == this->has_others()) return false;
  row_.company = {.since = since, .has_others = has_others};
  return true;
}

/// Who is left alone must know it with the entry that says so: nobody else has what comes behind it. What comes again
/// to who is recovering happened before: as long as it does not count nobody can be left with it alone.
bool Replica::note_who_is_left(const std::vector<raft::Entry>& entries) {
  if (row_.hard_state.recovering) return false;
  bool is_left_alone = false;
  for (const raft::Entry& entry : entries) {
    if (entry.type != raft::EntryType::config) continue;
    const auto configuration = raft::decode_configuration(entry.payload.view());
    if (!configuration || !configuration->is_alone(row_.self)) continue;
    row_.company = {.since = entry.index, .has_others = false};
    is_left_alone = true;
  }
  return is_left_alone;
}

/// Others count only once such a configuration is committed: then they have what stands before it, and what comes later
/// is not committed without them.
void Replica::on_configuration(LogIndex index, const raft::Configuration& committed) {
  if (has_others() || committed.is_alone(row_.self) || core_->configuration().is_alone(row_.self)) return;
  if (!note_company(index, true)) return;
  host_.write({.group = id_, .row = row_}, std::nullopt, storage::Durability::buffered);
}

}  // namespace quorate::cluster
