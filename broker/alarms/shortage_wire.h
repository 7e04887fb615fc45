// A Shortage as nodes tell it each other (docs/formats/plane.md): with every heartbeat, so that whoever was away learns
// of it at once.
#pragma once
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "broker/alarms/alarms.h"

namespace quorate::alarms {

void encode(Shortage shortage, std::vector<std::byte>& out);
/// nullopt: cut, too long, or of another format.
std::optional<Shortage> decode_shortage(ByteView bytes);

}  // namespace quorate::alarms
