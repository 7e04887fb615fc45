// The story of a run: the last lines, kept only when somebody will read them, and a digest of every event, by which two
// runs of one seed are compared.
#pragma once
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <utility>

#include "tests/sim/schedule.h"

namespace quorate::sim {

class Trace {
 public:
  Trace(const Schedule& schedule, bool keeps_lines, bool prints)
      : schedule_(schedule), keeps_(keeps_lines), prints_(prints) {}

  /// `write` gives the text; it is called only if the line is kept.
  template <class Write>
  void line(Write&& write) {
    if (keeps_) keep(write());
  }
  /// Part of what must be the same in every run of this seed.
  void digest(std::uint64_t value) {
    digest_ =
        (digest_ ^ value ^ static_cast<std::uint64_t>(schedule_.now().time_since_epoch().count())) * 0x9e3779b97f4a7c15;
    digest_ ^= digest_ >> 29;
  }
  std::uint64_t digest() const { return digest_; }
  void print(std::FILE* to) const;

 private:
  static constexpr std::size_t kLinesMax = 10'000;
  void keep(std::string text);

  const Schedule& schedule_;
  const bool keeps_;
  const bool prints_;
  std::deque<std::string> lines_;
  std::uint64_t digest_ = 0;
};

}  // namespace quorate::sim
