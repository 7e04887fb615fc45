// Campaign: many seeds on several processes. A process that finds a violation dies with it, and so does one whose run
// does not end; the campaign notes the seed, starts another one for the rest, and at the end makes the first failing
// seed smaller and prints how to repeat it.
#pragma once
#include <cstdint>
#include <optional>

#include "tests/sim/options.h"

namespace quorate::sim {

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 100;
  unsigned jobs = 1;
  bool stops_at_failure = false;
  bool shrinks = true;
  bool whole_nodes = false;
  FaultSet without;
  std::optional<FaultSet> only;  // instead of what a seed draws

  Options options_of(std::uint64_t seed) const {
    Options options = whole_nodes ? draw_node_options(seed) : draw_options(seed);
    if (only) options.faults = *only;
    options.faults &= ~without;
    return options;
  }
};

/// The exit code of the program.
int run_campaign(const CampaignOptions& options);

/// Whether this run, in a process of its own and in silence, finds a violation.
bool fails(const Options& options);
/// A failing run with fewer kinds of faults and less time.
Options shrink(Options options);

}  // namespace quorate::sim
