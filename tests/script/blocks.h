// The form of a script: what goes in, then `----`, then what comes out.
//
//   file    := block (blank-line block)*
//   block   := comment* input* [ "----" output* ]      without "----" nothing comes out
//   comment := "#" text          a block that begins with one is a new case in an empty world;
//                                one without goes on where the block before it ended
#pragma once
#include <string>
#include <vector>

namespace quorate::script {

struct Block {
  std::size_t line = 0;  // in the file, from 1
  std::vector<std::string> comments;
  std::vector<std::string> input;
  std::vector<std::string> output;

  bool begins_case() const { return !comments.empty() && !input.empty(); }
};

std::vector<Block> parse_blocks(const std::string& text);
std::string print_blocks(const std::vector<Block>& blocks);

/// The scripts of a folder, by name without ".txt", sorted.
std::vector<std::string> names_of_scripts(const std::string& folder);
/// For the message of a failure: a line each, indented.
std::string indented(const std::vector<std::string>& lines);

}  // namespace quorate::script
