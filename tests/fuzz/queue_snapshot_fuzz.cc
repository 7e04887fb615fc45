// Any bytes as the snapshot of a queue: refused, or a sound machine that serializes alike and takes commands.
#include <vector>

#include "base/check.h"
#include "broker/queue/queue_machine.h"

using namespace quorate;
using namespace quorate::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto machine = QueueMachine::deserialize({reinterpret_cast<const std::byte*>(data), size});
  if (!machine) return 0;
  machine->check_invariants();
  const Bytes snapshot = machine->serialize();
  auto again = QueueMachine::deserialize(snapshot.view());
  CHECK(again.has_value());
  CHECK(again->serialize() == snapshot);
  if (machine->applied().value() >= std::uint64_t{1} << 47) return 0;  // no log gets there

  const ConsumerKey newcomer{.session = {.node = NodeId(9), .epoch = Epoch(9), .serial = 9}, .link = 9};
  std::vector<std::byte> entry;
  std::vector<Command> commands = {
      Enqueue{.message = as_bytes("m")},
      Enqueue{.ttl_ms = 2, .message = as_bytes("m")},
      Attach{.consumer = newcomer, .prefetch = 3, .window = 1'000'000},
      Settle{.consumer = newcomer, .ids = {{.first = 1, .last = 2}}},
      Return{.consumer = newcomer, .reason = ReturnReason::requeued, .ids = {{.first = 3, .last = UINT64_MAX}}},
      Get{.session = newcomer.session}};
  for (const ConsumerKey& key : machine->consumers()) {
    commands.push_back(Credit{.consumer = key, .bytes = UINT64_MAX});
    commands.push_back(Settle{.consumer = key, .ids = {{.first = 0, .last = 5}}});
    commands.push_back(Down{.session = key.session});
  }
  commands.push_back(Configure{.quorum = true, .priority_max = 31, .delivery_limit = 1});
  commands.push_back(From{.session = newcomer.session, .first = 1});
  commands.push_back(SessionsGone{.node = NodeId(1), .below = Epoch(2), .expired = true});
  commands.push_back(Configure{.priority_max = 2});
  commands.push_back(NodeUp{.node = NodeId(1), .epoch = Epoch(UINT32_MAX), .after_crash = true});
  commands.push_back(Purge{.session = newcomer.session});
  for (const Command& command : commands) {
    entry.clear();
    encode_command(command, entry);
    Effects effects;
    const WallTime ts = machine->now() + std::chrono::milliseconds(1);
    CHECK(machine->apply(machine->applied().plus(1), ts, entry, effects).has_value());
    machine->check_invariants();
  }
  return 0;
}
