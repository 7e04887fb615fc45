#include "tests/script/blocks.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

namespace quorate::script {
namespace {

constexpr std::string_view kSeparator = "----";

}  // namespace

std::vector<Block> parse_blocks(const std::string& text) {
  std::vector<Block> blocks;
  std::istringstream in(text);
  bool is_inside = false;
  bool is_output = false;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) {
      is_inside = false;
      continue;
    }
    if (!std::exchange(is_inside, true)) {
      blocks.push_back({.line = number});
      is_output = false;
    }
    Block& block = blocks.back();
    if (is_output) {
      block.output.push_back(line);
    } else if (line == kSeparator) {
      is_output = true;
    } else if (line.starts_with('#') && block.input.empty()) {
      block.comments.push_back(line);
    } else {
      block.input.push_back(line);
    }
  }
  return blocks;
}

std::string print_blocks(const std::vector<Block>& blocks) {
  std::string text;
  for (const Block& block : blocks) {
    if (!text.empty()) text += '\n';
    for (const std::string& line : block.comments) text += line + '\n';
    for (const std::string& line : block.input) text += line + '\n';
    if (!block.output.empty()) text += std::string(kSeparator) + '\n';
    for (const std::string& line : block.output) text += line + '\n';
  }
  return text;
}

std::vector<std::string> names_of_scripts(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

std::string indented(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text.empty() ? "  (nothing)\n" : text;
}

}  // namespace quorate::script
