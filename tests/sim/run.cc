#include "tests/sim/run.h"

#include <unistd.h>

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

/// Of real time, for a run that takes a few seconds.
constexpr unsigned kRunSecondsMax = 120;
/// To print how far it came: whoever was interrupted may hold what printing needs.
constexpr unsigned kStorySecondsMax = 5;

/// For the handlers of signals: a failed CHECK ends here, and a run that does not end.
const Stage* running = nullptr;

extern "C" void print_story(int) {
  if (running != nullptr) running->violated("a CHECK failed");
  std::_Exit(kViolationExit);
}

extern "C" void end_hung_run(int) {
  alarm(kStorySecondsMax);  // ends the process
  if (running != nullptr) running->hung();
  std::_Exit(kHangExit);
}

void limit_real_time() {
  struct sigaction action{};
  action.sa_handler = end_hung_run;
  action.sa_flags = SA_RESETHAND | SA_NODEFER;
  sigaction(SIGALRM, &action, nullptr);
  alarm(kRunSecondsMax);
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
  limit_real_time();
  if (options.whole_nodes) {
    nodes::Cluster(stage).run();
  } else {
    run_groups(stage);
  }
  alarm(0);
  running = nullptr;
  return {.virtual_seconds = static_cast<double>(stage.schedule.now().time_since_epoch().count()) / 1e9,
          .events = stage.schedule.events(),
          .digest = stage.trace.digest(),
          .coverage = stage.coverage};
}

}  // namespace quorate::sim
