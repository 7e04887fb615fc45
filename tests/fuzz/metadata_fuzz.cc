// Any bytes as the metadata: an even first byte begins a snapshot, an odd one entries of the log, each behind its size
// in one byte. What is accepted fits together well enough to be changed, serialized and restored.
#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "broker/exchange/exchange_types.h"
#include "cluster/metadata/machine.h"

using namespace quorate;
using namespace quorate::cluster;

namespace {

RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

void check_snapshot(const MetadataMachine& machine) {
  const Bytes snapshot = machine.serialize();
  MetadataMachine again(&make_index);
  CHECK(again.restore(snapshot.view()).has_value());
  CHECK(again.serialize() == snapshot);
}

void apply(MetadataMachine& machine, ByteView entry) {
  MetadataEffects effects;
  if (machine.apply(LogIndex(machine.topology()->version + 1), entry, effects)) check_snapshot(machine);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteView rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  MetadataMachine machine(&make_index);
  if (data[0] % 2 == 0) {
    if (!machine.restore(rest)) return 0;
    check_snapshot(machine);
    if (machine.topology()->version > UINT64_MAX / 128) return 0;  // no log gets there
    apply(machine, encode_entry({.commands = {NodeStarted{.node = NodeId(1), .epoch = Epoch(UINT32_MAX)}}}).view());
    apply(machine, encode_entry({.commands = {PutVhost{.name = "new"}, DeleteVhost{.name = "/"}}}).view());
    return 0;
  }
  apply(machine, encode_entry({.commands = {PutVhost{.name = "/"}}}).view());
  while (!rest.empty()) {
    const std::size_t length = std::min<std::size_t>(std::to_integer<std::size_t>(rest.front()), rest.size() - 1);
    apply(machine, rest.subspan(1, length));
    rest = rest.subspan(1 + length);
  }
  return 0;
}
