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

/// What a process ends with that found a violation, or was stopped for its time.
inline constexpr int kViolationExit = 7;
inline constexpr int kHangExit = 8;

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
  [[noreturn]] void violated(const std::string& what) const { end(what, kViolationExit); }
  /// The same for a run that has taken too much real time.
  [[noreturn]] void hung() const { end("takes too long", kHangExit); }

 private:
  [[noreturn]] void end(const std::string& what, int code) const;
};

}  // namespace quorate::sim
