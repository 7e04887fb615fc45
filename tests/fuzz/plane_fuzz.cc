// Any bytes as what another node sends: a packet of a stream, a frame of items, a message, a heartbeat. What is taken
// for a message is written back the same way and read again.
#include <vector>

#include "base/check.h"
#include "cluster/plane/items.h"
#include "cluster/plane/packets.h"
#include "cluster/plane/wire.h"

using namespace quorate;
using namespace quorate::cluster;

namespace {

template <class Message>
Bytes encoded(const Message& message) {
  std::vector<std::byte> out;
  encode(message, out);
  return Bytes::copy_of(out);
}

void read_message(const Bytes& bytes) {
  if (const auto message = decode_peer_message(bytes)) CHECK(decode_peer_message(encoded(*message)) == message);
  if (const auto heartbeat = decode_heartbeat(bytes)) CHECK(decode_heartbeat(encoded(*heartbeat)) == heartbeat);
}

void read_frame(const Bytes& bytes) {
  const auto items = split_frame(bytes);
  if (!items) return;
  std::vector<std::byte> again;
  for (const Item& item : *items) {
    read_message(item.body);
    const std::size_t begin = begin_item(item.kind, item.key, again);
    again.insert(again.end(), item.body.view().begin(), item.body.view().end());
    end_item(begin, again);
  }
  CHECK(Bytes::copy_of(again) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = Bytes::copy_of(ByteView(reinterpret_cast<const std::byte*>(data), size));
  (void)greeting_of(bytes);
  read_message(bytes);
  read_frame(bytes);
  if (const auto frame = frame_of(bytes)) read_frame(*frame);
  return 0;
}
