// RocksDB finds our checksum where it looks for its own, and gets the same values from it.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace quorate::storage {
namespace {

constexpr const char* kExtend = "_ZN7rocksdb6crc32c6ExtendEjPKcm";

using Extend = std::uint32_t (*)(std::uint32_t, const char*, std::size_t);

std::string file_of(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 ? info.dli_fname : "";
}

TEST(RocksdbCrc32c, TheProgramsComesBeforeTheLibrarys) {
  const void* found = dlsym(RTLD_DEFAULT, kExtend);
  const void* replaced = dlsym(RTLD_NEXT, kExtend);
  ASSERT_NE(found, nullptr);
  ASSERT_NE(replaced, nullptr) << "this RocksDB has no function of that name, and is slower for it";
  EXPECT_NE(found, replaced);
  EXPECT_NE(file_of(replaced).find("librocksdb"), std::string::npos);
  EXPECT_EQ(file_of(found).find("librocksdb"), std::string::npos);
}

TEST(RocksdbCrc32c, BothAgreeOnEveryLengthAndStart) {
  const auto ours = reinterpret_cast<Extend>(dlsym(RTLD_DEFAULT, kExtend));
  const auto theirs = reinterpret_cast<Extend>(dlsym(RTLD_NEXT, kExtend));
  ASSERT_TRUE(ours != nullptr && theirs != nullptr);
  std::string bytes(300, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37 + 11);
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; from + size <= bytes.size(); ++size) {
      const auto start = static_cast<std::uint32_t>(size * 0x9e3779b9);
      ASSERT_EQ(ours(start, bytes.data() + from, size), theirs(start, bytes.data() + from, size))
          << from << " " << size;
    }
  }
}

}  // namespace
}  // namespace quorate::storage
