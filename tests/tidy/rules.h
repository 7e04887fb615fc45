// What the tree may not do, read from its text: each rule is a row in rules.cc, and each refusal says what to do
// instead. Pure: texts in, findings out; tidy_test.cc reads the files.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace quorate::tidy {

struct Text {
  std::string path;  // from the root of the tree, as in "broker/amqp/frame.h"
  std::string content;
};

struct Finding {
  std::string path;
  unsigned line = 0;
  std::string what;
};
std::string print(const Finding& finding);

/// Comments and the insides of literals become blanks; lines and columns stay.
std::string blank_comments_and_literals(std::string_view content);

/// What is refused in a source file, and what is only worth a look.
std::vector<Finding> refusals_in_source(const Text& source);
std::vector<Finding> advice_on_source(const Text& source);
/// What is refused in a markdown page.
std::vector<Finding> refusals_in_page(const Text& page);

}  // namespace quorate::tidy
