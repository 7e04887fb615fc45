#include "cluster/sole_voter.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cluster/metadata/machine.h"
#include "raft/configuration.h"

namespace quorate::cluster {
namespace {

/// So many groups share a sync.
constexpr std::size_t kGroupsPerWrite = 256;

/// Where the log ends, as far as it could be read.
raft::LogPosition end_of(const GroupOnDisk& found) {
  raft::LogPosition end = found.snapshot ? found.snapshot->last : raft::LogPosition{};
  end.index = std::max(end.index, found.log.last);
  if (!found.log.runs.empty()) end.term = found.log.runs.back().term;
  return end;
}

/// Nothing for a group without a row, which does not exist.
Result<std::optional<GroupOnDisk>> read_group(const storage::GroupStorage& storage, GroupId group) {
  auto row = storage.row(group);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::optional<GroupOnDisk>();
  GroupOnDisk found{.row = std::move(**row)};
  const auto snapshot = storage.load_snapshot(group);
  if (!snapshot) return std::unexpected(snapshot.error());
  if (*snapshot) found.snapshot = (*snapshot)->meta;
  auto log = storage.summarize(group, found.snapshot ? found.snapshot->last.index : LogIndex(0));
  if (!log) return std::unexpected(log.error());
  found.log = std::move(*log);
  return std::optional(std::move(found));
}

Result<void> write(storage::GroupStorage& storage, std::vector<storage::GroupWrite> writes) {
  const auto written = std::make_shared<std::promise<Result<void>>>();
  auto answer = written->get_future();
  storage.submit(std::move(writes), 0, storage::Durability::synced,
                 [written](Result<void> result) { written->set_value(std::move(result)); });
  return answer.get();
}

}  // namespace

const raft::Configuration& GroupOnDisk::configuration() const {
  if (!log.configurations.empty()) return log.configurations.back().second;
  return snapshot ? snapshot->configuration : row.configuration;
}

std::string_view fault_of(const GroupOnDisk& found) {
  if (found.row.self == raft::kNoReplica) return "it has no replica here";
  if (found.row.hard_state.recovering) return "this disk has lost a part of what it had";
  if (found.row.installing) return "the node was stopped while it took over what it had missed";
  if (found.log.damaged) return "its log is damaged";
  return found.configuration().voters.empty() ? "its members are not known" : "";
}

std::optional<storage::GroupWrite> make_sole_voter(GroupId group, const GroupOnDisk& found, WallTime now) {
  const raft::ReplicaId self = found.row.self;
  const raft::Configuration& before = found.configuration();
  const raft::Configuration after{.voters = {self}, .machine_version = before.machine_version};
  if (before == after) return std::nullopt;
  const raft::LogPosition end = end_of(found);
  storage::GroupRow row = found.row;
  row.hard_state.term = std::max(row.hard_state.term, end.term).plus(1);
  row.hard_state.voted_for = self;
  row.company = storage::Company{.since = end.index.plus(1)};
  WallTime ts = now;
  if (found.snapshot) ts = std::max(ts, found.snapshot->ts);
  if (!found.log.runs.empty()) ts = std::max(ts, found.log.last_ts);
  raft::Entry entry{.index = end.index.plus(1),
                    .term = row.hard_state.term,
                    .type = raft::EntryType::config,
                    .ts = ts,
                    .payload = raft::encode_configuration(after)};
  return storage::GroupWrite{.group = group, .entries = {std::move(entry)}, .row = std::move(row)};
}

/// It has to have been a full member: a learner may lack the entry that says that this node exists, and ids of queues
/// whose declaration it lacks would be given twice.
Result<void> may_stand_alone(const storage::GroupStorage& storage) {
  const auto refuse = [](std::string_view why) {
    return failure(ErrorCode::corruption, "what this node has cannot be made a cluster: " + std::string(why));
  };
  if (storage.loss() == storage::Loss::promises) return refuse("this disk has forgotten votes");
  const auto metadata = read_group(storage, kMetadataGroup);
  if (!metadata) return std::unexpected(metadata.error());
  if (!*metadata) return refuse("there is no metadata here");
  if (const std::string_view fault = fault_of(**metadata); !fault.empty()) {
    return refuse("of the metadata, " + std::string(fault));
  }
  const std::vector<raft::ReplicaId>& voters = (*metadata)->configuration().voters;
  if (std::ranges::find(voters, (*metadata)->row.self) == voters.end()) {
    return refuse("it was not, or no longer, a full member of its cluster");
  }
  for (const GroupId group : storage.groups()) {
    if (storage::is_staging(group)) continue;
    if (auto read = read_group(storage, group); !read) return std::unexpected(read.error());
  }
  return {};
}

Result<void> stand_alone(storage::GroupStorage& storage, WallTime now) {
  std::vector<storage::GroupWrite> writes;
  std::size_t changed = 0;
  const auto flush = [&]() -> Result<void> {
    changed += writes.size();
    return writes.empty() ? Result<void>() : write(storage, std::exchange(writes, {}));
  };
  for (const GroupId group : storage.groups()) {
    if (storage::is_staging(group)) continue;
    const auto found = read_group(storage, group);
    if (!found) return std::unexpected(found.error());
    if (!*found) continue;
    if (const std::string_view fault = fault_of(**found); !fault.empty()) {
      log::error(log::Category::queue, "group.left_without_majority group={} reason=\"{}\"", group.value(), fault);
      continue;
    }
    if (auto change = make_sole_voter(group, **found, now)) writes.push_back(std::move(*change));
    if (writes.size() < kGroupsPerWrite) continue;
    if (auto written = flush(); !written) return written;
  }
  if (auto written = flush(); !written) return written;
  log::warn(log::Category::cluster, "cluster.sole_voter groups={}", changed);
  return {};
}

}  // namespace quorate::cluster
