// Majority arithmetic over a Configuration. In a joint one every answer needs a majority of both halves
// (Ongaro 2014, §4.3).
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/check.h"
#include "raft/types.h"

namespace quorate::raft {

/// More members than this make every commit slower and nothing safer.
inline constexpr std::size_t kVotersMax = 15;

enum class Tally : std::uint8_t { pending, won, lost };

namespace detail {

/// The highest index that a majority of `voters` has reached.
template <class IndexOf>
LogIndex majority_index(const std::vector<ReplicaId>& voters, IndexOf&& index_of) {
  CHECK(!voters.empty() && voters.size() <= kVotersMax);
  std::array<LogIndex, kVotersMax> indexes;
  for (std::size_t i = 0; i < voters.size(); ++i) indexes[i] = index_of(voters[i]);
  const auto end = indexes.begin() + static_cast<std::ptrdiff_t>(voters.size());
  const auto pivot = indexes.begin() + static_cast<std::ptrdiff_t>(voters.size() / 2);
  std::nth_element(indexes.begin(), pivot, end, std::greater<>());
  return *pivot;
}

inline Tally tally_half(const std::vector<ReplicaId>& voters, const std::map<ReplicaId, bool>& votes) {
  std::size_t granted = 0;
  std::size_t open = 0;
  for (const ReplicaId voter : voters) {
    const auto vote = votes.find(voter);
    open += vote == votes.end() ? 1 : 0;
    granted += vote != votes.end() && vote->second ? 1 : 0;
  }
  const std::size_t majority = voters.size() / 2 + 1;
  if (granted >= majority) return Tally::won;
  return granted + open >= majority ? Tally::pending : Tally::lost;
}

}  // namespace detail

template <class IndexOf>
LogIndex quorum_index(const Configuration& configuration, IndexOf&& index_of) {
  const LogIndex index = detail::majority_index(configuration.voters, index_of);
  if (!configuration.is_joint()) return index;
  return std::min(index, detail::majority_index(configuration.outgoing, index_of));
}

/// Votes of replicas that are no voters are not counted.
inline Tally tally(const Configuration& configuration, const std::map<ReplicaId, bool>& votes) {
  const Tally incoming = detail::tally_half(configuration.voters, votes);
  if (!configuration.is_joint()) return incoming;
  const Tally outgoing = detail::tally_half(configuration.outgoing, votes);
  if (incoming == Tally::lost || outgoing == Tally::lost) return Tally::lost;
  return incoming == Tally::won && outgoing == Tally::won ? Tally::won : Tally::pending;
}

template <class Has>
bool is_quorum(const Configuration& configuration, Has&& has) {
  return quorum_index(configuration, [&](ReplicaId voter) { return LogIndex(has(voter) ? 1 : 0); }) == LogIndex(1);
}

}  // namespace quorate::raft
