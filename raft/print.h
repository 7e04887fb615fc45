// Every type of consensus as one short line of text, for transcripts and for reports of a crash. A log position is
// written index@term, a replica node/placement, or by its number alone when it has no node, as in tests.
#pragma once
#include <string>
#include <string_view>

#include "raft/core.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/types.h"

namespace quorate::raft {

std::string_view print(Role role);
std::string_view print(Refusal refusal);
std::string_view print(Progress::State state);
std::string print(ReplicaId replica);
std::string print(LogPosition position);
std::string print(LogMark mark);
std::string print(const Configuration& configuration);
std::string print(const HardState& hard_state);
/// Text is quoted; of other payloads, and of long ones, only the size is shown.
std::string print(const Entry& entry);
std::string print(const SnapshotMeta& meta);
std::string print(const Body& body);
std::string print(const Message& message);
std::string print(const Input& input);
std::string print(const LogWrite& write);
std::string print(const Install& install);
/// Its parts with "; " between them; empty when nothing is to be done.
std::string print(const Output& output);
std::string print(const Progress& progress);
/// What the replica believes of itself and of its log.
std::string print(const Core& core);

}  // namespace quorate::raft
