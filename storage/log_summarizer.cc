#include "storage/log_summarizer.h"

#include <fmt/format.h>

#include <string>

#include "raft/configuration.h"

namespace quorate::storage {
namespace {

std::unexpected<Error> damaged(GroupId group, const std::string& what) {
  return failure(ErrorCode::corruption, fmt::format("the log of group {} {}", group.value(), what));
}

}  // namespace

Result<void> LogSummarizer::add(const raft::Entry& entry) {
  const std::uint64_t index = entry.index.value();
  const LogIndex next = summary_.last.plus(1);
  if (entry.index != next) {
    return damaged(group_, fmt::format("lacks entry {}: entry {} follows", next.value(), index));
  }
  if (!summary_.runs.empty() && entry.term < summary_.runs.back().term) {
    return damaged(group_, fmt::format("goes back to term {} at entry {}", entry.term.value(), index));
  }
  if (entry.type == raft::EntryType::config) {
    auto configuration = raft::decode_configuration(entry.payload.view());
    if (!configuration) return damaged(group_, fmt::format("holds no configuration at entry {}", index));
    summary_.configurations.emplace_back(entry.index, std::move(*configuration));
  }
  if (summary_.runs.empty() || entry.term > summary_.runs.back().term) {
    summary_.runs.push_back({.first = entry.index, .term = entry.term});
  }
  summary_.last = entry.index;
  summary_.last_ts = entry.ts;
  return {};
}

}  // namespace quorate::storage
