// Runs a fuzzer over every file of the corpus directories it is given, for builds without libFuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::vector<std::string> directories(arguments + 1, arguments + argument_count);
  std::size_t input_count = 0;
  for (const std::string& directory : directories) {
    if (!std::filesystem::is_directory(directory)) {
      std::fprintf(stderr, "no corpus directory %s\n", directory.c_str());
      return 1;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++input_count;
    }
  }
  std::printf("%zu inputs replayed\n", input_count);
  return input_count > 0 ? 0 : 1;
}
