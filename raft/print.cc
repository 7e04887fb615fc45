#include "raft/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/overloaded.h"
#include "raft/configuration.h"

namespace quorate::raft {
namespace {

constexpr std::size_t kTextShownMax = 32;

/// Words with single blanks between them; an empty one leaves no trace.
class Line {
 public:
  template <class... Args>
  Line& add(fmt::format_string<Args...> format, Args&&... args) {
    if (!text_.empty()) text_ += ' ';
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    return *this;
  }
  Line& flag(bool is_set, std::string_view word) {
    if (is_set) add("{}", word);
    return *this;
  }
  Line& number(std::string_view name, std::uint64_t value) {
    if (value != 0) add("{}={}", name, value);
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string print_list(const std::vector<ReplicaId>& replicas) {
  std::string text;
  for (const ReplicaId replica : replicas) {
    if (!text.empty()) text += ',';
    text += print(replica);
  }
  return text;
}

std::string print_payload(const Bytes& payload) {
  const std::string_view text = payload.text();
  const bool is_text = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"'; });
  if (is_text && text.size() <= kTextShownMax) return fmt::format("\"{}\"", text);
  return fmt::format("({} octets)", text.size());
}

std::string print_entries(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    if (!text.empty()) text += ", ";
    text += print(entry);
  }
  return '[' + text + ']';
}

/// The upper half of an ordinal is the node's epoch.
std::string print_ordinal(std::uint64_t ordinal) {
  return ordinal >> 32 == 0 ? fmt::format("#{}", ordinal) : fmt::format("#{}.{}", ordinal >> 32, ordinal & UINT32_MAX);
}

std::string_view print_grant(bool granted) { return granted ? "granted" : "denied"; }

std::string print_append(const Append& append) {
  const LogIndex end = append.entries.empty() ? append.prev.index : append.entries.back().index;
  Line line;
  line.add("append behind {}", print(append.prev));
  if (!append.entries.empty()) line.add("{}", print_entries(append.entries));
  line.add("commit={}", append.commit.value());
  if (append.leader_last != end) line.add("last={}", append.leader_last.value());
  line.number("round", append.round);
  // What the leader has heard matters to whoever has lost something, and to nobody else.
  if (append.recover) line.add("recover heard={}", print_ordinal(append.heard));
  return line.take();
}

std::string print_append_reply(const AppendReply& reply) {
  Line line;
  line.add("append-reply {} {}", reply.rejected ? "rejects" : "has", reply.index.value());
  if (reply.rejected) line.add("hint {}", print(reply.hint));
  line.number("round", reply.round).flag(reply.recovering, "recovering");
  return line.number("v", reply.machine_version).add("{}", print_ordinal(reply.ordinal)).take();
}

std::string print_steady(const Steady& steady) {
  Line line;
  line.add("steady commit={}", steady.commit.value());
  if (!steady.dead.empty()) line.add("dead={}", print_list(steady.dead));
  return line.take();
}

std::string print_question(std::string_view name, LogPosition last, std::uint32_t version, bool is_transfer) {
  return Line().add("{} {}", name, print(last)).number("v", version).flag(is_transfer, "transfer").take();
}

}  // namespace

std::string_view print(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "?";
}

std::string_view print(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::not_leader:
      return "not leader";
    case Refusal::busy:
      return "busy";
    case Refusal::transferring:
      return "transferring";
    case Refusal::change_pending:
      return "change pending";
    case Refusal::invalid:
      return "invalid";
    case Refusal::failed:
      return "failed";
  }
  return "?";
}

std::string_view print(Progress::State state) {
  switch (state) {
    case Progress::State::probe:
      return "probe";
    case Progress::State::replicate:
      return "replicate";
    case Progress::State::snapshot:
      return "snapshot";
  }
  return "?";
}

std::string print(ReplicaId replica) {
  const std::uint64_t placement = replica.value() & ((std::uint64_t{1} << kPlacementBits) - 1);
  const NodeId node = node_of(replica);
  return node.value() == 0 ? fmt::format("{}", placement) : fmt::format("{}/{}", node.value(), placement);
}

std::string print(LogPosition position) { return fmt::format("{}@{}", position.index.value(), position.term.value()); }

std::string print(LogMark mark) { return fmt::format("{} of leader {}", mark.index.value(), mark.term.value()); }

std::string print(const Configuration& configuration) {
  Line line;
  line.add("voters={}", print_list(configuration.voters));
  if (configuration.is_joint()) line.add("outgoing={}", print_list(configuration.outgoing));
  if (!configuration.learners.empty()) line.add("learners={}", print_list(configuration.learners));
  if (!configuration.joining.empty()) line.add("joining={}", print_list(configuration.joining));
  return line.number("v", configuration.machine_version).take();
}

std::string print(const HardState& hard_state) {
  Line line;
  line.add("term {}", hard_state.term.value());
  if (hard_state.voted_for != kNoReplica) line.add("vote {}", print(hard_state.voted_for));
  return line.flag(hard_state.recovering, "recovering").take();
}

std::string print(const Entry& entry) {
  const std::string position = print(LogPosition{.index = entry.index, .term = entry.term});
  switch (entry.type) {
    case EntryType::noop:
      return position + " noop";
    case EntryType::command:
      return position + ' ' + print_payload(entry.payload);
    case EntryType::config: {
      const auto configuration = decode_configuration(entry.payload.view());
      return position + " config " + (configuration ? print(*configuration) : "(unreadable)");
    }
  }
  return position + " ?";
}

std::string print(const SnapshotMeta& meta) {
  return fmt::format("snapshot {} {}", print(meta.last), print(meta.configuration));
}

std::string print(const Body& body) {
  return std::visit(
      Overloaded{
          [](const PreVote& m) { return print_question("pre-vote", m.last, m.machine_version, false); },
          [](const PreVoteReply& m) { return fmt::format("pre-vote-reply {}", print_grant(m.granted)); },
          [](const Vote& m) { return print_question("vote", m.last, m.machine_version, m.transfer); },
          [](const VoteReply& m) { return fmt::format("vote-reply {}", print_grant(m.granted)); },
          [](const Append& m) { return print_append(m); },
          [](const AppendReply& m) { return print_append_reply(m); },
          [](const Steady& m) { return print_steady(m); },
          [](const SteadyReply& m) {
            return fmt::format("steady-reply {} commit={}", m.agreed ? "agreed" : "refused", m.commit.value());
          },
          [](const Unsteady&) { return std::string("unsteady"); },
          [](const UnsteadyReply&) { return std::string("unsteady-reply"); },
          [](const Wake&) { return std::string("wake"); },
          [](const TimeoutNow&) { return std::string("timeout-now"); },
          [](const ReadRequest& m) { return fmt::format("read-request {}", m.token); },
          [](const ReadReply& m) { return fmt::format("read-reply {} index={}", m.token, m.index.value()); },
      },
      body);
}

std::string print(const Message& message) {
  return fmt::format("{}>{} t{} {}", print(message.from), print(message.to), message.term.value(), print(message.body));
}

std::string print(const Input& input) {
  return std::visit(
      Overloaded{
          [](const Campaign&) { return std::string("campaign"); },
          [](const Deadline&) { return std::string("deadline"); },
          [](const TurnEnd&) { return std::string("turn-end"); },
          [](const Receive& in) { return "receive " + print(in.message); },
          [](const Propose& in) { return "propose " + print_payload(in.payload); },
          [](const ProposeConfiguration& in) { return "propose-configuration " + print(in.target); },
          [](const ReadIndex& in) { return fmt::format("read-index {}", in.token); },
          [](const TransferTo& in) { return "transfer-to " + print(in.replica); },
          [](const AppendDone& in) {
            Line line;
            line.add("append-done {}", print(in.mark));
            if (in.hard_state) line.add("{}", print(*in.hard_state));
            return line.take();
          },
          [](const AppendFailed&) { return std::string("append-failed"); },
          [](const Applied& in) { return fmt::format("applied {}", in.index.value()); },
          [](const Compacted& in) { return "compacted " + print(in.position); },
          [](const PeerLive& in) { return fmt::format("peer-{} {}", in.since ? "live" : "dead", print(in.replica)); },
          [](const PeerUnreachable& in) { return "peer-unreachable " + print(in.replica); },
          [](const Fetched& in) {
            return fmt::format("fetched for {} behind {} {}", print(in.to), print(in.prev), print_entries(in.entries));
          },
          [](const SnapshotSent& in) {
            return fmt::format("snapshot-sent to {} {} {}", print(in.to), in.index.value(),
                               in.accepted ? "accepted" : "refused");
          },
          [](const SnapshotStaged& in) {
            return fmt::format("staged from {} t{} {}", print(in.from), in.term.value(), print(in.meta));
          },
          [](const Installed& in) { return fmt::format("installed {}{}", print(in.position), in.ok ? "" : " failed"); },
      },
      input);
}

std::string print(const LogWrite& write) {
  Line line;
  line.add("write");
  if (write.truncate_from) line.add("truncate from {}", write.truncate_from->value());
  if (!write.entries.empty()) line.add("{}", print_entries(write.entries));
  if (write.hard_state) line.add("{}", print(*write.hard_state));
  return line.add("mark {}", print(write.mark)).take();
}

std::string print(const Install& install) {
  return fmt::format("install {} {}", print(install.meta), install.keeps_tail ? "keeps tail" : "in place of the log");
}

std::string print(const Output& output) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    if (!text.empty()) text += "; ";
    text += part;
  };
  if (output.became_leader) add("became leader");
  if (output.stepped_down) add("stepped down");
  if (output.refused != Refusal::none) add(fmt::format("refused: {}", print(output.refused)));
  if (output.append) add(print(*output.append));
  if (output.install) add(print(*output.install));
  for (const Message& message : output.messages) add(print(message));
  for (const Fetch& fetch : output.fetches) {
    add(fmt::format("fetch for {} behind {} to {}", print(fetch.to), print(fetch.prev), fetch.last.value()));
  }
  for (const ReplicaId peer : output.snapshots) add("snapshot for " + print(peer));
  for (const ReadReady& read : output.reads) add(fmt::format("read {} index={}", read.token, read.index.value()));
  for (const ReplicaId peer : output.lost_data) add(print(peer) + " has lost data");
  return text;
}

std::string print(const Progress& progress) {
  Line line;
  line.add("{}: {} match={} next={}", print(progress.replica()), print(progress.state()), progress.match().value(),
           progress.next().value());
  line.flag(progress.live, "live").flag(progress.steady, "steady").flag(progress.recovering, "recovering");
  return line.flag(progress.lost_data, "lost-data").flag(progress.fetching, "fetching").take();
}

std::string print(const Core& core) {
  const LogPosition base = core.log().base();
  Line line;
  line.add("{}: {} t{}", print(core.self()), print(core.role()), core.term().value());
  if (core.hard_state().voted_for != kNoReplica) line.add("vote={}", print(core.hard_state().voted_for));
  if (core.leader() != kNoReplica) line.add("leader={}", print(core.leader()));
  line.add("log=({}..{}]", print(base), print(core.log().last()));
  line.add("durable={} commit={}", core.durable_index().value(), core.commit_index().value());
  line.flag(core.is_steady(), "steady").flag(core.is_recovering(), "recovering");
  return line.flag(core.is_installing(), "installing").flag(core.failed(), "failed").take();
}

}  // namespace quorate::raft
