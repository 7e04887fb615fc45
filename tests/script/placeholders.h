// Names that the broker makes up differ from run to run; a transcript calls them amq.gen-1, amq.ctag-1 and so on.
#pragma once
#include <fmt/format.h>

#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace quorate::script {

class Placeholders {
 public:
  std::string hide(const std::string& text) {
    static const std::regex kMadeUp("amq\\.(gen|ctag)-[A-Za-z0-9_-]{22}");
    std::string hidden;
    std::string::const_iterator from = text.begin();
    for (std::sregex_iterator at(text.begin(), text.end(), kMadeUp), end; at != end; ++at) {
      hidden.append(from, (*at)[0].first);
      hidden += stand_in(at->str(0), at->str(1));
      from = (*at)[0].second;
    }
    return hidden.append(from, text.end());
  }

  std::string reveal(std::string text) const {
    for (const auto& [made_up, stand_in] : names_) {
      text = std::regex_replace(text, std::regex("amq\\." + stand_in.substr(4) + "\\b"), made_up);
    }
    return text;
  }

 private:
  const std::string& stand_in(const std::string& made_up, const std::string& kind) {
    for (const auto& known : names_) {
      if (known.first == made_up) return known.second;
    }
    const std::size_t number = ++(kind == "gen" ? queues_ : tags_);
    return names_.emplace_back(made_up, fmt::format("amq.{}-{}", kind, number)).second;
  }

  std::vector<std::pair<std::string, std::string>> names_;
  std::size_t queues_ = 0;
  std::size_t tags_ = 0;
};

}  // namespace quorate::script
