#include "storage/log_reader.h"

#include <utility>

namespace quorate::storage {
namespace {

Result<std::vector<raft::Entry>> read_range(const LogStore& store, GroupId group, LogIndex from, LogIndex to,
                                            std::size_t bytes_max) {
  std::vector<raft::Entry> entries;
  std::size_t bytes = 0;
  const auto scanned = store.scan(group, from, to, [&](raft::Entry&& entry) {
    bytes += entry.payload.size();
    entries.push_back(std::move(entry));
    return bytes < bytes_max;
  });
  const bool is_cut_short = !scanned && scanned.error().code == ErrorCode::corruption && !entries.empty();
  if (!scanned && !is_cut_short) return std::unexpected(scanned.error());
  return entries;
}

Result<std::vector<raft::Entry>> read_some(const LogStore& store, GroupId group, const std::vector<LogIndex>& indexes) {
  std::vector<raft::Entry> entries;
  for (const LogIndex index : indexes) {
    auto entry = store.read(group, index);
    if (!entry) return std::unexpected(entry.error());
    if (entry->has_value()) entries.push_back(std::move(**entry));
  }
  return entries;
}

}  // namespace

void LogReader::read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, Done done) {
  reads_.post([this, group, from, to, bytes_max, done = std::move(done)]() mutable {
    done(read_range(store_, group, from, to, bytes_max));
  });
}

void LogReader::read_each(GroupId group, std::vector<LogIndex> indexes, Done done) {
  reads_.post([this, group, indexes = std::move(indexes), done = std::move(done)]() mutable {
    done(read_some(store_, group, indexes));
  });
}

void LogReader::abandon_chores() {
  chores_.abandon();
  store_.cancel_reclaim();
}

void LogReader::stop() {
  reads_.stop();
  chores_.stop();
}

}  // namespace quorate::storage
