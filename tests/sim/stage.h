// What everything in a run shares: time, chance, what was drawn, the story so far, and the way to say that a promise
// was broken.
#pragma once
#include <cstdlib>
#include <string>
#include <utility>

#include "tests/sim/options.h"
#include "tests/sim/schedule.h"
#include "tests/sim/seen.h"
#include "tests/sim/streams.h"
#include "tests/sim/trace.h"

namespace quorate::sim {

struct Stage {
  explicit Stage(const Options& drawn)
      : options(drawn), streams(drawn.seed), trace(schedule, drawn.keep_lines || drawn.trace, drawn.trace) {}

  Options options;
  Schedule schedule;
  Streams streams;
  Trace trace;
  Coverage coverage;

  /// Lets everything happen up to `end`.
  void run_until(WorldTime end);

  bool has(Fault fault) const { return options.has(fault); }
  void seen(Seen what) { coverage.add(what); }
  template <class Write>
  void tell(Write&& write) {
    trace.line(std::forward<Write>(write));
  }
  /// A promise is broken: prints the trace and ends the process.
  [[noreturn]] void violated(const std::string& what) const;
};

/// What a process that found a violation ends with.
inline constexpr int kViolationExit = 7;

}  // namespace quorate::sim
