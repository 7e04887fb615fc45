// Any bytes as entries of a queue's log. What decodes is written back the same way and read again; the machine applies
// it, stays sound and survives its own snapshot. A byte 0xff at a command's place begins the next entry.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "broker/queue/queue_machine.h"

using namespace quorate;
using namespace quorate::queue;

namespace {

void check_round_trip(ByteView entry) {
  ByteReader reader(entry);
  Command command;
  while (decode_command(reader, command)) {
    std::vector<std::byte> written;
    encode_command(command, written);
    ByteReader again(written);
    Command same;
    CHECK(decode_command(again, same) && again.done());
    std::vector<std::byte> twice;
    encode_command(same, twice);
    CHECK(written == twice);
  }
}

/// Up to the first 0xff that stands where a command begins.
std::size_t entry_size(ByteView bytes) {
  ByteReader reader(bytes);
  Command command;
  while (reader.remaining() > 0 && reader.rest().front() != std::byte{0xff}) {
    if (!decode_command(reader, command)) return bytes.size();
  }
  return bytes.size() - reader.remaining();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView rest(reinterpret_cast<const std::byte*>(data), size);
  QueueMachine machine;
  LogIndex index;
  while (!rest.empty()) {
    const ByteView entry = rest.first(entry_size(rest));
    rest = rest.subspan(std::min(entry.size() + 1, rest.size()));
    check_round_trip(entry);
    Effects effects;
    index = index.plus(1 + entry.size() * 1'000);
    const WallTime ts{std::chrono::milliseconds(index.value())};
    if (!machine.apply(index, ts, entry, effects)) return 0;
    machine.check_invariants();
    const Bytes snapshot = machine.serialize();
    auto restored = QueueMachine::deserialize(snapshot.view());
    CHECK(restored.has_value());
    CHECK(restored->serialize() == snapshot);
    machine = std::move(*restored);
  }
  return 0;
}
