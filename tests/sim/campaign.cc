#include "tests/sim/campaign.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/sim/run.h"
#include "tests/sim/stage.h"

namespace quorate::sim {
namespace {

/// What one process of a campaign has done so far, in memory that the campaign shares; only that process writes it.
struct Slot {
  std::uint64_t seed = 0;  // the one it works at
  std::uint64_t passed = 0;
  double virtual_seconds = 0;
  std::uint64_t events = 0;
  Coverage coverage;
};

struct Failure {
  std::uint64_t seed = 0;
  bool is_hung = false;  // it took too much real time
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options) : options_(options), begin_(clock_.now()) {
    void* memory =
        mmap(nullptr, sizeof(Slot) * options.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slots_ = new (memory) Slot[options.jobs];
    workers_.resize(options.jobs);
  }

  int run() {
    for (unsigned i = 0; i < options_.jobs; ++i) start(i, options_.first_seed + i);
    while (running_ > 0) {
      poll(nullptr, 0, 20);
      for (unsigned i = 0; i < options_.jobs; ++i) look_after(i);
      if (seconds() - reported_ >= 10) report_progress();
    }
    report();
    return failed_.empty() ? 0 : 1;
  }

 private:
  double seconds() const { return static_cast<double>((clock_.now() - begin_).count()) / 1e9; }

  void start(unsigned number, std::uint64_t seed) {
    std::fflush(stdout);
    workers_[number] = fork();
    if (workers_[number] == 0) {
      work(slots_[number], seed);
      std::_Exit(0);
    }
    ++running_;
  }

  void work(Slot& slot, std::uint64_t seed) const {
    for (; seed < options_.first_seed + options_.seeds; seed += options_.jobs) {
      slot.seed = seed;
      const RunResult result = run_seed(options_.options_of(seed));
      ++slot.passed;
      slot.virtual_seconds += result.virtual_seconds;
      slot.events += result.events;
      for (std::size_t i = 0; i < kSeenCount; ++i) slot.coverage.counts[i] += result.coverage.counts[i];
    }
  }

  void look_after(unsigned number) {
    int status = 0;
    if (workers_[number] <= 0 || waitpid(workers_[number], &status, WNOHANG) == 0) return;
    workers_[number] = 0;
    --running_;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    const bool is_hung = WIFEXITED(status) ? WEXITSTATUS(status) == kHangExit : WTERMSIG(status) == SIGALRM;
    failed_.push_back({.seed = slots_[number].seed, .is_hung = is_hung});
    const bool goes_on = !options_.stops_at_failure;
    if (goes_on) start(number, slots_[number].seed + options_.jobs);
  }

  Slot sum() const {
    Slot sum;
    for (unsigned i = 0; i < options_.jobs; ++i) {
      sum.passed += slots_[i].passed;
      sum.virtual_seconds += slots_[i].virtual_seconds;
      sum.events += slots_[i].events;
      for (std::size_t k = 0; k < kSeenCount; ++k) sum.coverage.counts[k] += slots_[i].coverage.counts[k];
    }
    return sum;
  }

  void report_progress() {
    reported_ = seconds();
    const Slot now = sum();
    std::printf("%8.0f s: %llu of %llu seeds, %zu failed, %.1f virtual hours, %.0f virtual seconds per second\n",
                reported_, static_cast<unsigned long long>(now.passed), static_cast<unsigned long long>(options_.seeds),
                failed_.size(), now.virtual_seconds / 3600, now.virtual_seconds / reported_);
    std::fflush(stdout);
  }

  void report() {
    report_progress();
    const Slot all = sum();
    std::string never;
    for (std::size_t i = 0; i < kSeenCount; ++i) {
      const std::string name(name_of(static_cast<Seen>(i)));
      if (all.coverage.counts[i] == 0) {
        never += (never.empty() ? "" : ", ") + name;
      } else {
        std::printf("  %-36s %llu\n", name.c_str(), static_cast<unsigned long long>(all.coverage.counts[i]));
      }
    }
    std::printf("never fired: %s\n", never.empty() ? "nothing" : never.c_str());
    if (!failed_.empty()) report_failures();
    std::printf("%llu passed, %zu failed\n", static_cast<unsigned long long>(all.passed), failed_.size());
  }

  void report_failures() const {
    std::printf("failed seeds:");
    for (const Failure& failure : failed_) {
      std::printf(" %llu%s", static_cast<unsigned long long>(failure.seed), failure.is_hung ? " (hung)" : "");
    }
    std::printf("\n");
    // To make a run smaller that hangs would hang again and again.
    const auto first = std::ranges::find(failed_, false, &Failure::is_hung);
    if (!options_.shrinks || first == failed_.end()) return;
    const std::string words = rerun_words(shrink(options_.options_of(first->seed)));
    std::printf("first failing seed, as small as it gets: sim %s --trace\n", words.c_str());
  }

  SystemClock clock_;
  const CampaignOptions options_;
  const Instant begin_;
  double reported_ = 0;
  Slot* slots_ = nullptr;
  std::vector<pid_t> workers_;
  unsigned running_ = 0;
  std::vector<Failure> failed_;
};

}  // namespace

int run_campaign(const CampaignOptions& options) { return Campaign(options).run(); }

}  // namespace quorate::sim
