// Transcripts: what clients send, then `----`, then what the broker answers; one file per topic.
// The form of a file stands at the top of blocks.h.
//
// A line of input is `[connection][/channel]> method fields… properties… body=…` or one of the verbs in
// docs/TESTING.md; output is `[connection][/channel]< …`. Without a connection the first one is meant, which has no
// name; without a channel it is 1, or 0 for the class connection. Every line is carried out to its end before the next
// one. Names that the broker makes up are written amq.gen-1, amq.ctag-1 and so on, in the order in which they appear.
#pragma once
#include <string>
#include <vector>

#include "tests/script/blocks.h"
#include "tests/script/client.h"

namespace quorate::script {

/// The same blocks with the output that the broker gives today.
std::vector<Block> play(std::vector<Block> blocks, Delivery delivery);

}  // namespace quorate::script
