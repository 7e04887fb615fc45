// Random messages between nodes, of every kind, as group hosts might send them. Equal seeds give equal messages.
#pragma once
#include <string>
#include <utility>
#include <variant>

#include "base/random.h"
#include "cluster/transport.h"
#include "raft/configuration.h"

namespace quorate::cluster {

class RandomPeerMessages {
 public:
  static constexpr std::size_t kKinds =
      std::variant_size_v<raft::Body> + std::variant_size_v<decltype(PeerMessage::body)> - 1;

  explicit RandomPeerMessages(std::uint64_t seed) : random_(seed) {}

  PeerMessage next(std::size_t kind) {
    constexpr std::size_t kRaftKinds = std::variant_size_v<raft::Body>;
    PeerMessage message{.group = GroupId(number())};
    if (kind < kRaftKinds) {
      raft::Message raft{.from = replica(), .to = replica(), .term = Term(number())};
      fill_alternative(kind, raft.body);
      if (const auto* append = std::get_if<raft::Append>(&raft.body); append != nullptr && !append->entries.empty()) {
        raft.term = std::max(raft.term, append->entries.back().term);
      }
      message.body = std::move(raft);
    } else {
      fill_alternative(kind - kRaftKinds + 1, message.body);
    }
    return message;
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  /// Small ones and large ones alike, below 2^62, so that sums stay in range.
  std::uint64_t number() { return random_.next() >> (2 + below(62)); }

 private:
  template <class Variant>
  void fill_alternative(std::size_t chosen, Variant& body) {
    [&]<std::size_t... kPlace>(std::index_sequence<kPlace...>) {
      ((kPlace == chosen ? fill(body.template emplace<kPlace>()) : void()), ...);
    }(std::make_index_sequence<std::variant_size_v<Variant>>());
  }

  bool flag() { return below(2) == 1; }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  raft::ReplicaId replica() {
    return raft::replica_on(NodeId(static_cast<std::uint32_t>(below(1u << 16))), below(1ull << raft::kPlacementBits));
  }
  LogIndex index() { return LogIndex(number()); }
  raft::LogPosition position() { return {.index = index(), .term = Term(number())}; }
  WallTime time() {
    const auto ms = static_cast<std::int64_t>(number());
    return WallTime(std::chrono::milliseconds(flag() ? ms : -ms));
  }
  Bytes bytes() { return Bytes::copy_of(std::string(below(40), static_cast<char>(below(256)))); }
  raft::Configuration configuration() {
    raft::Configuration made{.machine_version = small()};
    for (std::uint64_t i = 0; i <= below(4); ++i) made.voters.push_back(raft::replica_on(NodeId(1), 10 + i));
    if (flag()) made.learners.push_back(raft::replica_on(NodeId(2), 5));
    return made;
  }
  std::vector<raft::Entry> entries(raft::LogPosition before, bool with_gaps) {
    std::vector<raft::Entry> made(below(5));
    for (raft::Entry& entry : made) {
      before.index = before.index.plus(1 + (with_gaps ? below(300) : 0));
      before.term = before.term.plus(below(3));
      entry = {.index = before.index, .term = before.term, .ts = time(), .payload = bytes()};
      entry.type = static_cast<raft::EntryType>(below(3));
      if (entry.type == raft::EntryType::config) entry.payload = raft::encode_configuration(configuration());
    }
    return made;
  }

  void fill(raft::Message& /*m*/) {}
  void fill(raft::PreVote& m) { m = {.last = position(), .machine_version = small()}; }
  void fill(raft::PreVoteReply& m) { m = {.granted = flag()}; }
  void fill(raft::Vote& m) { m = {.last = position(), .machine_version = small(), .transfer = flag()}; }
  void fill(raft::VoteReply& m) { m = {.granted = flag()}; }
  void fill(raft::Append& m) {
    m = {.prev = position(),
         .commit = index(),
         .leader_last = index(),
         .round = number(),
         .heard = number(),
         .recover = flag()};
    m.entries = entries(m.prev, false);
  }
  void fill(raft::AppendReply& m) {
    m = {.rejected = flag(),
         .index = index(),
         .hint = position(),
         .round = number(),
         .ordinal = number(),
         .recovering = flag(),
         .machine_version = small()};
  }
  void fill(raft::Steady& m) {
    m = {.commit = index()};
    for (std::uint64_t i = below(4); i > 0; --i) m.dead.push_back(replica());
  }
  void fill(raft::SteadyReply& m) { m = {.agreed = flag(), .commit = index()}; }
  void fill(raft::Unsteady& /*m*/) {}
  void fill(raft::UnsteadyReply& /*m*/) {}
  void fill(raft::Wake& /*m*/) {}
  void fill(raft::TimeoutNow& /*m*/) {}
  void fill(raft::ReadRequest& m) { m = {.token = number()}; }
  void fill(raft::ReadReply& m) { m = {.token = number(), .index = index()}; }
  void fill(SnapshotOffer& m) {
    m = {.from = replica(),
         .to = replica(),
         .term = Term(number()),
         .meta = {.last = position(), .ts = time(), .configuration = configuration()},
         .state_bytes = number(),
         .digest = small()};
    m.live.snapshot = index();
    LogIndex last;
    for (std::uint64_t i = below(4); i > 0; --i) {
      const LogIndex first = last.plus(1 + below(1'000));
      last = first.plus(below(1'000));
      m.live.live.emplace_back(first, last);
    }
  }
  void fill(SnapshotWant& m) {
    m = {.from = replica(),
         .to = replica(),
         .term = Term(number()),
         .snapshot = index(),
         .entries_after = index(),
         .state_from = number()};
  }
  void fill(SnapshotPart& m) {
    m = {.from = replica(),
         .to = replica(),
         .term = Term(number()),
         .snapshot = index(),
         .entries_after = index(),
         .state_from = number(),
         .state = bytes()};
    m.entries = entries({.index = m.entries_after}, true);
    m.entries_to = (m.entries.empty() ? m.entries_after : m.entries.back().index).plus(below(9));
  }
  void fill(SnapshotResult& m) {
    m = {.from = replica(), .to = replica(), .term = Term(number()), .index = index(), .accepted = flag()};
  }
  void fill(RepairRequest& m) { m = {.from = replica(), .to = replica(), .first = index(), .last = index()}; }
  void fill(RepairReply& m) { m = {.from = replica(), .to = replica(), .entries = entries({}, true)}; }
  void fill(SteadyAudit& m) {
    m = {.kind = static_cast<SteadyAudit::Kind>(below(4)), .hash = number()};
    for (std::uint64_t i = below(4); i > 0; --i) m.groups.emplace_back(GroupId(number()), Term(number()));
  }

  Random random_;
};

}  // namespace quorate::cluster
