// quorate-perf: reads the command line, runs the plan, prints what came of it.
#include <sys/resource.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "broker/perf/options.h"
#include "broker/perf/report.h"
#include "broker/perf/run.h"

namespace quorate::perf {
namespace {

constexpr int kExitFailure = 1;

bool write_json(const std::string& file, const std::string& text) {
  std::FILE* out = file == "-" ? stdout : std::fopen(file.c_str(), "w");
  if (out == nullptr) return false;
  const bool is_written = std::fputs(text.c_str(), out) >= 0;
  return (out == stdout ? std::fflush(out) : std::fclose(out)) == 0 && is_written;
}

/// As many sockets as the system lets us have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int load(Plan plan) {
  raise_file_limit();
  plan.run_base = static_cast<std::uint32_t>(Random::from_system().next());
  // JSON on standard output stands alone.
  std::FILE* const text = plan.json_file == "-" ? stderr : stdout;
  Run run(plan, [text](const std::string& line) {
    std::fputs((line + "\n").c_str(), text);
    std::fflush(text);
  });
  const Outcome outcome = run.execute();
  std::fputs(print_summary(plan, outcome).c_str(), text);
  if (!plan.json_file.empty() && !write_json(plan.json_file, print_json(plan, outcome))) {
    std::fputs(("cannot write " + plan.json_file + "\n").c_str(), stderr);
    return kExitFailure;
  }
  return outcome.failure.empty() && outcome.lost == 0 ? 0 : kExitFailure;
}

}  // namespace
}  // namespace quorate::perf

int main(int count, char** values) {
  quorate::perf::PlanOutcome outcome = quorate::perf::parse_options({values + 1, values + count});
  if (outcome.plan) return quorate::perf::load(std::move(*outcome.plan));
  std::fputs(outcome.text.c_str(), outcome.exit_code == 0 ? stdout : stderr);
  return outcome.exit_code;
}
