// The command line of quorate-perf: words in, a plan or a text out. The names are those of RabbitMQ's PerfTest wherever
// it has the option, its short names of several letters (-qp, -sco) included. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "broker/perf/plan.h"

namespace quorate::perf {

/// Either a plan, or a text to print before exiting with `exit_code` (--help, --version, a mistake).
struct PlanOutcome {
  std::optional<Plan> plan;
  std::string text;
  int exit_code = 0;
};

PlanOutcome parse_options(const std::vector<std::string>& arguments);

}  // namespace quorate::perf
