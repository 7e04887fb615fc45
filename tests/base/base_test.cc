// The small things every floor stands on: checksums, cursors, counted bytes.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/cursor.h"

namespace quorate {

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(crc32c(0, as_bytes(std::string(32, '\0'))), 0x8a9136aau);
  EXPECT_EQ(crc32c(0, as_bytes(std::string(32, '\xff'))), 0x62a8ab43u);
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xe3069283u);
}

TEST(Crc32c, ContinuesOverParts) {
  EXPECT_EQ(crc32c(crc32c(0, as_bytes("1234")), as_bytes("56789")), crc32c(0, as_bytes("123456789")));
}

TEST(Cursor, ReadsBackWhatWasWritten) {
  std::vector<std::byte> buffer;
  ByteWriter writer(buffer);
  writer.write(std::uint16_t{0x1234});
  writer.write_varint(300);
  writer.write_sized("hello");
  ByteReader reader(buffer);
  std::uint16_t fixed = 0;
  std::uint64_t varint = 0;
  std::string text;
  ASSERT_TRUE(reader.read(fixed) && reader.read_varint(varint) && reader.read_sized(text));
  EXPECT_EQ(fixed, 0x1234);
  EXPECT_EQ(varint, 300u);
  EXPECT_EQ(text, "hello");
  EXPECT_TRUE(reader.done());
}

TEST(Cursor, FailsAtEveryCut) {
  std::vector<std::byte> buffer;
  ByteWriter writer(buffer);
  writer.write(std::uint32_t{7});
  writer.write_varint(1ull << 40);
  writer.write_sized("word");
  for (std::size_t cut = 0; cut < buffer.size(); ++cut) {
    ByteReader reader(ByteView(buffer).first(cut));
    std::uint32_t fixed = 0;
    std::uint64_t varint = 0;
    std::string text;
    EXPECT_FALSE(reader.read(fixed) && reader.read_varint(varint) && reader.read_sized(text)) << cut;
    EXPECT_TRUE(reader.failed());
  }
}

TEST(Bytes, ASliceKeepsTheWholeAlive) {
  Bytes part;
  {
    const Bytes whole = Bytes::copy_of("hello world");
    part = whole.slice(6, 5);
  }
  EXPECT_EQ(part.text(), "world");
}

}  // namespace quorate
