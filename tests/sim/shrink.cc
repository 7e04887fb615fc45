#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "tests/sim/campaign.h"
#include "tests/sim/run.h"

namespace quorate::sim {

using namespace std::chrono_literals;

bool fails(const Options& options) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    run_seed(options);
    std::_Exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

Options shrink(Options options) {
  for (const FaultRow& row : kFaults) {
    if (!options.has(row.fault)) continue;
    Options smaller = options;
    smaller.faults.reset(static_cast<std::size_t>(row.fault));
    if (fails(smaller)) options = smaller;
  }
  Duration passes = 0s;
  while (options.fault_phase - passes > 500ms) {
    Options smaller = options;
    smaller.fault_phase = std::chrono::duration_cast<std::chrono::milliseconds>((options.fault_phase + passes) / 2);
    if (fails(smaller)) {
      options = smaller;
    } else {
      passes = smaller.fault_phase;
    }
  }
  return options;
}

}  // namespace quorate::sim
