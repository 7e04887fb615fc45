// A directory for one test, and the ways a disk can betray what was written there.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace quorate::storage {

class TestDirectory {
 public:
  TestDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quorate-storage-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::string> files_ending(const std::string& directory, std::string_view end) {
  std::vector<std::string> out;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().string().ends_with(end) && file.file_size() > 0) out.push_back(file.path().string());
  }
  return out;
}

/// The one file in `directory` with that ending and anything in it.
inline std::string only_file_ending(const std::string& directory, std::string_view end) {
  const auto files = files_ending(directory, end);
  CHECK_EQ(files.size(), 1u);
  return files.front();
}

inline std::string file_content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void replace_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline void flip_bit(const std::string& path, std::size_t offset) {
  std::string content = file_content(path);
  CHECK_LT(offset, content.size());
  content[offset] = static_cast<char>(content[offset] ^ 0x10);
  replace_file(path, content);
}

/// Flips a bit in the first occurrence of `text`.
inline void damage_text(const std::string& path, std::string_view text) {
  const std::size_t offset = file_content(path).find(text);
  CHECK(offset != std::string::npos);
  flip_bit(path, offset);
}

inline void cut_file(const std::string& path, std::size_t size) { std::filesystem::resize_file(path, size); }

}  // namespace quorate::storage
