#include "tests/raft/observer.h"

#include <fmt/format.h>

#include <utility>

#include "raft/print.h"
#include "raft/quorum.h"

namespace quorate::raft::test {

std::vector<std::string> Observer::judge(const Core& core, const Output& output, const Disks& disks) {
  const Disk& disk = *disks.at(core.self());
  if (output.became_leader) judge_leader(core, disk.written());
  for (const Message& message : output.messages) judge_message(message, disk);
  judge_commit(core, disks);
  return std::exchange(complaints_, {});
}

void Observer::judge_leader(const Core& core, const Image& written) {
  const auto [leader, is_first] = leaders_.try_emplace(core.term(), core.self());
  if (!is_first) {
    complaints_.push_back(fmt::format("two leaders in term {}: {} and {}", core.term().value(), print(leader->second),
                                      print(core.self())));
  }
  for (const auto& [index, entry] : committed_) {
    if (written.contains({.index = index, .term = entry.term})) continue;
    complaints_.push_back(fmt::format("{} leads without the committed {}", print(core.self()), print(entry)));
  }
}

void Observer::judge_message(const Message& message, const Disk& disk) {
  const Image& durable = disk.durable();
  const auto complain = [&](std::string_view what) {
    complaints_.push_back(fmt::format("{}: {}", print(message), what));
  };
  if (const auto* reply = std::get_if<AppendReply>(&message.body)) {
    if (durable.hard_state.term < message.term) complain("said before its term is durable");
    const bool begins_recovery = disk.written().hard_state.recovering && !durable.hard_state.recovering;
    if (reply->recovering && begins_recovery) complain("said before the recovery is durable");
    const bool has_entries = reply->rejected || durable.last().index >= reply->index;
    const Entry* entry = durable.find(reply->index);
    const Entry* written = disk.written().find(reply->index);
    const bool is_same = reply->rejected || entry == nullptr || written == nullptr || entry->term == written->term;
    if (!has_entries || !is_same) complain("said before the entries are durable");
  }
  const auto* vote = std::get_if<VoteReply>(&message.body);
  if (vote != nullptr && vote->granted) {
    const bool is_kept = durable.hard_state.term == message.term && durable.hard_state.voted_for == message.to;
    if (!is_kept) complain("said before the vote is durable");
  }
}

void Observer::judge_commit(const Core& core, const Disks& disks) {
  LogIndex& seen = seen_[core.self()];
  if (core.commit_index() <= seen) {
    seen = core.commit_index();  // a restart forgets, and learns again
    return;
  }
  const Image& written = disks.at(core.self())->written();
  for (LogIndex index = seen.plus(1); index <= core.commit_index(); ++index) {
    const Entry* entry = written.find(index);
    if (entry == nullptr) continue;  // came by a snapshot
    const auto [known, is_new] = committed_.try_emplace(index, *entry);
    if (!is_new && known->second != *entry) {
      complaints_.push_back(
          fmt::format("{} commits {}, but {} is committed", print(core.self()), print(*entry), print(known->second)));
    }
  }
  seen = core.commit_index();
  const Entry* last = written.find(seen);
  if (core.role() != Role::leader || last == nullptr) return;
  if (last->term != core.term()) complaints_.push_back("an entry of an older term is committed by counting");
  const bool is_safe = is_quorum(core.configuration(), [&](ReplicaId voter) {
    const auto at = disks.find(voter);
    if (at == disks.end()) return false;
    const Image& durable = at->second->durable();
    return !durable.hard_state.recovering && durable.contains({.index = last->index, .term = last->term});
  });
  if (!is_safe) {
    complaints_.push_back(
        fmt::format("{} commits {}, which is not on the disks of a majority", print(core.self()), print(*last)));
  }
}

}  // namespace quorate::raft::test
