#include "tests/sim/describe.h"

#include <fmt/format.h>

#include <array>

#include "base/overloaded.h"
#include "raft/print.h"

namespace quorate::sim {

std::string describe(const cluster::PeerMessage& message) {
  const std::string what = std::visit(
      Overloaded{
          [](const raft::Message& m) { return raft::print(m); },
          [](const cluster::SnapshotOffer& m) {
            return fmt::format("offer {} -> {} t{} {}", raft::print(m.from), raft::print(m.to), m.term.value(),
                               raft::print(m.meta));
          },
          [](const cluster::SnapshotWant& m) {
            return fmt::format("want {} -> {} t{} snapshot {} entries after {} state from {}", raft::print(m.from),
                               raft::print(m.to), m.term.value(), m.snapshot.value(), m.entries_after.value(),
                               m.state_from);
          },
          [](const cluster::SnapshotPart& m) {
            return fmt::format("part {} -> {} t{} snapshot {} entries ({}, {}] {} state from {} +{}",
                               raft::print(m.from), raft::print(m.to), m.term.value(), m.snapshot.value(),
                               m.entries_after.value(), m.entries_to.value(), m.entries.size(), m.state_from,
                               m.state.size());
          },
          [](const cluster::SnapshotResult& m) {
            return fmt::format("result {} -> {} t{} {} {}", raft::print(m.from), raft::print(m.to), m.term.value(),
                               m.index.value(), m.accepted ? "accepted" : "refused");
          },
          [](const cluster::RepairRequest& m) {
            return fmt::format("repair? {} -> {} [{}, {}]", raft::print(m.from), raft::print(m.to), m.first.value(),
                               m.last.value());
          },
          [](const cluster::RepairReply& m) {
            return fmt::format("repair! {} -> {} {} entries", raft::print(m.from), raft::print(m.to), m.entries.size());
          },
          [](const cluster::SteadyAudit& m) {
            constexpr std::array kKinds = {"hash", "wants list", "list", "not led"};
            return fmt::format("audit {} {:x}, {} groups", kKinds[static_cast<std::size_t>(m.kind)], m.hash,
                               m.groups.size());
          },
      },
      message.body);
  return fmt::format("g{} {}", message.group.value(), what);
}

std::string describe(const storage::GroupWrite& write) {
  std::string text = fmt::format("g{}", write.group.value());
  if (write.drop) text += " drop";
  if (write.truncate_from) text += fmt::format(" truncate from {}", write.truncate_from->value());
  if (!write.entries.empty()) {
    const raft::Entry& first = write.entries.front();
    const raft::Entry& last = write.entries.back();
    text += fmt::format(" entries {}@{}..{}@{}", first.index.value(), first.term.value(), last.index.value(),
                        last.term.value());
  }
  if (write.row) {
    text += " row " + raft::print(write.row->hard_state);
    if (write.row->installing) text += " installing " + raft::print(*write.row->installing);
  }
  return text;
}

}  // namespace quorate::sim
