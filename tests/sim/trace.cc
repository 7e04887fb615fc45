#include "tests/sim/trace.h"

#include <fmt/format.h>

namespace quorate::sim {

void Trace::keep(std::string text) {
  const double seconds = static_cast<double>(schedule_.now().time_since_epoch().count()) / 1e9;
  lines_.push_back(fmt::format("{:11.6f} {}", seconds, text));
  if (prints_) std::fprintf(stdout, "%s\n", lines_.back().c_str());
  if (lines_.size() > kLinesMax) lines_.pop_front();
}

void Trace::print(std::FILE* to) const {
  if (prints_) return;  // it stands there already
  for (const std::string& line : lines_) std::fprintf(to, "%s\n", line.c_str());
}

}  // namespace quorate::sim
