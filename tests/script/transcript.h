// Transcripts: what clients send, then `----`, then what the broker answers; one file per topic.
//
//   file    := block (blank-line block)*
//   block   := comment* input* [ "----" output* ]      without "----" nothing is answered
//   comment := "#" text          a block that begins with one is a new case in an empty broker;
//                                one without goes on where the block before it ended
//
// A line of input is `[connection][/channel]> method fields… properties… body=…` or one of the verbs in
// docs/TESTING.md; output is `[connection][/channel]< …`. Without a connection the first one is meant, which has no
// name; without a channel it is 1, or 0 for the class connection. Every line is carried out to its end before the next
// one. Names that the broker makes up are written amq.gen-1, amq.ctag-1 and so on, in the order in which they appear.
#pragma once
#include <string>
#include <vector>

#include "tests/script/client.h"

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

/// The same blocks with the output that the broker gives today.
std::vector<Block> play(std::vector<Block> blocks, Delivery delivery);

}  // namespace quorate::script
