// What the arguments and options of commands mean, for --help. One word means the same wherever it stands, or has a row
// for the command where it does not.
#pragma once
#include <string_view>

namespace quorate::ctl {

/// "" = nobody has said it yet.
std::string_view describe_word(std::string_view command, std::string_view word);

/// An option between the tool and the node, which nobody writes.
bool is_hidden(std::string_view option);

}  // namespace quorate::ctl
