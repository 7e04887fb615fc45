// What nodes tell each other, as bytes: flat, without names or alignment, because a queue's every entry travels so. The
// grammar is docs/formats/plane.md. Payloads are not copied when they are read: they are slices of what came.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "cluster/node_liveness.h"
#include "cluster/transport.h"

namespace quorate::cluster {

/// Stands in front of every message. A field that comes later comes with the next number, and its readers know both.
inline constexpr std::uint8_t kWireFormat = 1;

void encode(const PeerMessage& message, std::vector<std::byte>& out);
void encode(const Heartbeat& heartbeat, std::vector<std::byte>& out);

// Nothing for bytes that are cut or malformed, go on behind the end, or break what the receiver relies on: entries are
// ascending in index and term (those of an Append without gaps behind `prev`), configurations are valid.
std::optional<PeerMessage> decode_peer_message(const Bytes& bytes);
std::optional<Heartbeat> decode_heartbeat(const Bytes& bytes);

}  // namespace quorate::cluster
