#include "cluster/plane/wire.h"

#include <type_traits>
#include <utility>

#include "cluster/plane/wire_fields.h"

namespace quorate::cluster {
namespace {

/// Kinds of bodies besides raft's own, whose kinds are their places in raft::Body.
constexpr std::uint8_t kOtherKindsFrom = 64;

// --- the rows: each message's fields, in the order of the grammar ----------------------------------------------------

template <class Io, class T>
using Of = std::conditional_t<Io::kReads, T, const T>;

/// Its kind says it all.
template <class Io, class Empty>
  requires std::is_empty_v<Empty>
bool fields(Io& /*io*/, Empty& /*m*/) {
  return true;
}
template <class Io>
bool fields(Io& io, Of<Io, raft::PreVote>& m) {
  return io(m.last, m.machine_version);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::PreVoteReply>& m) {
  return io(m.granted);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::Vote>& m) {
  return io(m.last, m.machine_version, m.transfer);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::VoteReply>& m) {
  return io(m.granted);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::Append>& m) {
  return io(m.prev, m.commit, m.leader_last, m.round, m.heard, m.recover) && io.entries(m.prev, m.entries);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::AppendReply>& m) {
  return io(m.rejected, m.index, m.hint, m.round, m.ordinal, m.recovering, m.machine_version);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::Steady>& m) {
  return io(m.commit, m.dead);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::SteadyReply>& m) {
  return io(m.agreed, m.commit);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::ReadRequest>& m) {
  return io(m.token);
}
template <class Io>
bool fields(Io& io, Of<Io, raft::ReadReply>& m) {
  return io(m.token, m.index);
}
template <class Io>
bool fields(Io& io, Of<Io, SnapshotOffer>& m) {
  return io(m.from, m.to, m.term, m.meta.last, m.meta.ts, m.meta.configuration, m.live, m.state_bytes, m.digest);
}
template <class Io>
bool fields(Io& io, Of<Io, SnapshotWant>& m) {
  return io(m.from, m.to, m.term, m.snapshot, m.entries_after, m.state_from);
}
template <class Io>
bool fields(Io& io, Of<Io, SnapshotPart>& m) {
  return io(m.from, m.to, m.term, m.snapshot, m.entries_after, m.state_from, m.entries_to, m.state) &&
         io.entries({.index = m.entries_after}, m.entries);
}
template <class Io>
bool fields(Io& io, Of<Io, SnapshotResult>& m) {
  return io(m.from, m.to, m.term, m.index, m.accepted);
}
template <class Io>
bool fields(Io& io, Of<Io, RepairRequest>& m) {
  return io(m.from, m.to, m.first, m.last);
}
template <class Io>
bool fields(Io& io, Of<Io, RepairReply>& m) {
  return io(m.from, m.to) && io.entries({}, m.entries);
}
template <class Io>
bool fields(Io& io, Of<Io, SteadyAudit>& m) {
  return io(m.kind, m.hash, m.groups);
}
template <class Io>
bool fields(Io& io, Of<Io, Heartbeat>& m) {
  return io(m.epoch, m.sequence, m.shards);
}

// --- which message it is ---------------------------------------------------------------------------------------------

using Bodies = decltype(PeerMessage::body);

/// Replaces `body` by an alternative chosen at run time, and reads its fields.
template <class Variant, std::size_t kFirst = 0>
bool read_alternative(WireReader& reader, std::size_t chosen, Variant& body) {
  bool ok = false;
  [&]<std::size_t... kPlace>(std::index_sequence<kPlace...>) {
    ((kPlace + kFirst == chosen ? void(ok = fields(reader, body.template emplace<kPlace + kFirst>())) : void()), ...);
  }(std::make_index_sequence<std::variant_size_v<Variant> - kFirst>());
  return ok;
}

/// What the core takes for granted of entries, beyond what their encoding can say.
bool is_sound(const raft::Message& message) {
  const auto* append = std::get_if<raft::Append>(&message.body);
  if (append == nullptr || append->entries.empty()) return true;
  const raft::Entry& last = append->entries.back();
  return last.index.value() - append->prev.index.value() == append->entries.size() && last.term <= message.term;
}
bool is_sound(const SnapshotPart& part) {
  return part.entries_after <= part.entries_to &&
         (part.entries.empty() || part.entries.back().index <= part.entries_to);
}

}  // namespace

void encode(const PeerMessage& message, std::vector<std::byte>& out) {
  WireWriter writer(out);
  out.push_back(std::byte{kWireFormat});
  std::visit(
      [&]<class Body>(const Body& body) {
        if constexpr (std::is_same_v<Body, raft::Message>) {
          out.push_back(static_cast<std::byte>(body.body.index()));
          writer(message.group, body.from, body.to, body.term);
          std::visit([&](const auto& inner) { fields(writer, inner); }, body.body);
        } else {
          out.push_back(static_cast<std::byte>(kOtherKindsFrom + message.body.index() - 1));
          writer(message.group);
          fields(writer, body);
        }
      },
      message.body);
}

void encode(const Heartbeat& heartbeat, std::vector<std::byte>& out) {
  WireWriter writer(out);
  out.push_back(std::byte{kWireFormat});
  fields(writer, heartbeat);
}

std::optional<PeerMessage> decode_peer_message(const Bytes& bytes) {
  WireReader reader(bytes);
  std::uint8_t format = 0;
  std::uint8_t kind = 0;
  PeerMessage message;
  if (!reader.byte(format) || format != kWireFormat || !reader.byte(kind) || !reader(message.group)) {
    return std::nullopt;
  }
  if (kind < kOtherKindsFrom) {
    auto& body = message.body.emplace<raft::Message>();
    if (!reader(body.from, body.to, body.term) || !read_alternative(reader, kind, body.body) || !is_sound(body)) {
      return std::nullopt;
    }
  } else if (!read_alternative<Bodies, 1>(reader, kind - kOtherKindsFrom + 1u, message.body)) {
    return std::nullopt;
  }
  if (const auto* part = std::get_if<SnapshotPart>(&message.body); part != nullptr && !is_sound(*part)) {
    return std::nullopt;
  }
  if (!reader.done()) return std::nullopt;
  return message;
}

std::optional<Heartbeat> decode_heartbeat(const Bytes& bytes) {
  WireReader reader(bytes);
  std::uint8_t format = 0;
  Heartbeat heartbeat;
  if (!reader.byte(format) || format != kWireFormat || !fields(reader, heartbeat) || !reader.done()) {
    return std::nullopt;
  }
  return heartbeat;
}

}  // namespace quorate::cluster
