#include "cluster/plane/items.h"

#include <limits>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"

namespace quorate::cluster {

std::size_t begin_item(ItemKind kind, std::uint64_t key, std::vector<std::byte>& out) {
  const std::size_t begin = out.size();
  ByteWriter writer(out);
  writer.write(static_cast<std::uint8_t>(kind));
  writer.write(key);
  writer.write(std::uint32_t{0});
  return begin;
}

void end_item(std::size_t begin, std::vector<std::byte>& out) {
  const std::size_t size = out.size() - begin - kItemHeadBytes;
  CHECK_LE(size, std::numeric_limits<std::uint32_t>::max());
  ByteWriter(out).patch(begin + kItemHeadBytes - sizeof(std::uint32_t), static_cast<std::uint32_t>(size));
}

std::optional<std::vector<Item>> split_frame(const Bytes& frame) {
  std::vector<Item> items;
  ByteReader reader(frame.view());
  while (reader.remaining() > 0) {
    std::uint8_t kind = 0;
    Item item;
    std::uint32_t size = 0;
    ByteView body;
    if (!reader.read(kind) || !reader.read(item.key) || !reader.read(size) || !reader.read_bytes(size, body)) {
      return std::nullopt;
    }
    item.kind = static_cast<ItemKind>(kind);
    item.body = frame.slice(frame.size() - reader.remaining() - size, size);
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace quorate::cluster
