#include "tests/sim/run.h"

#include <csignal>
#include <cstdio>

#include "tests/sim/convergence.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/nodes/cluster.h"
#include "tests/sim/operators.h"
#include "tests/sim/stage.h"
#include "tests/sim/world.h"

namespace quorate::sim {
namespace {

/// For the handler of SIGABRT: a failed CHECK ends here.
const Stage* running = nullptr;

extern "C" void print_story(int) {
  if (running != nullptr) running->violated("a CHECK failed");
  std::_Exit(kViolationExit);
}

void run_groups(Stage& stage) {
  World world(stage);
  Operators operators(stage, world);
  Nemesis nemesis(stage, world);
  operators.begin();
  nemesis.begin();
  stage.run_until(WorldTime{} + stage.options.fault_phase);
  nemesis.stop();
  Convergence(stage, world, operators).run();
}

}  // namespace

RunResult run_seed(const Options& options) {
  Stage stage(options);
  running = &stage;
  std::signal(SIGABRT, print_story);
  if (options.whole_nodes) {
    nodes::Cluster(stage).run();
  } else {
    run_groups(stage);
  }
  running = nullptr;
  return {.virtual_seconds = static_cast<double>(stage.schedule.now().time_since_epoch().count()) / 1e9,
          .events = stage.schedule.events(),
          .digest = stage.trace.digest(),
          .coverage = stage.coverage};
}

}  // namespace quorate::sim
