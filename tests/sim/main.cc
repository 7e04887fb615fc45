// sim: a whole cluster in one thread, under faults, from one number. `sim --help` says what it can be asked.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/log.h"
#include "tests/sim/campaign.h"
#include "tests/sim/run.h"

namespace quorate::sim {
namespace {

constexpr const char* kHelp =
    "sim --seed=N [--trace] [--verbose] [--without=FAULTS] [--only=FAULTS] [--fault-ms=N]   one run; --trace prints "
    "every step\n"
    "sim --seeds=N [--first-seed=M] [--jobs=K] [--stop] [--no-shrink] [--without=FAULTS] [--only=FAULTS]   a campaign\n"
    "sim --nodes …     the same with whole nodes: metadata, queues, sessions and clients\n"
    "sim --self-test   the same seed twice must be the same run\n"
    "sim --faults      the names of the faults\n";

struct Words {
  CampaignOptions campaign;
  bool is_campaign = false;
  bool is_self_test = false;
  std::uint64_t seed = 1;
  bool trace = false;
  bool verbose = false;
  std::uint64_t fault_ms = 0;
};

[[noreturn]] void refuse(std::string_view word) {
  std::fprintf(stderr, "sim: '%s'?\n%s", std::string(word).c_str(), kHelp);
  std::exit(2);
}

FaultSet read_faults(std::string_view names) {
  FaultSet faults;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    const auto fault = fault_of(name);
    if (!fault) refuse(name);
    faults.set(static_cast<std::size_t>(*fault));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return faults;
}

Words read_words(int count, char** words) {
  Words read;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const std::string_view name = word.substr(0, word.find('='));
    const std::string_view value = name.size() == word.size() ? std::string_view() : word.substr(name.size() + 1);
    const std::uint64_t number = std::strtoull(std::string(value).c_str(), nullptr, 10);
    if (name == "--seed") {
      read.seed = number;
    } else if (name == "--seeds") {
      read.is_campaign = true;
      read.campaign.seeds = number;
    } else if (name == "--first-seed") {
      read.campaign.first_seed = number;
    } else if (name == "--jobs") {
      read.campaign.jobs = static_cast<unsigned>(std::max<std::uint64_t>(1, number));
    } else if (name == "--stop") {
      read.campaign.stops_at_failure = true;
    } else if (name == "--no-shrink") {
      read.campaign.shrinks = false;
    } else if (name == "--without") {
      read.campaign.without = read_faults(value);
    } else if (name == "--only") {
      read.campaign.only = read_faults(value);
    } else if (name == "--fault-ms") {
      read.fault_ms = number;
    } else if (name == "--trace") {
      read.trace = true;
    } else if (name == "--nodes") {
      read.campaign.whole_nodes = true;
    } else if (name == "--verbose") {
      read.verbose = true;
    } else if (name == "--self-test") {
      read.is_self_test = true;
    } else if (name == "--faults") {
      for (const FaultRow& row : kFaults) std::printf("%s\n", std::string(row.name).c_str());
      std::exit(0);
    } else if (name == "--help") {
      std::printf("%s", kHelp);
      std::exit(0);
    } else {
      refuse(word);
    }
  }
  return read;
}

int run_one(const Words& words) {
  Options options = words.campaign.options_of(words.seed);
  if (words.fault_ms != 0) options.fault_phase = std::chrono::milliseconds(words.fault_ms);
  options.trace = words.trace;
  options.keep_lines = true;
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(words.seed), describe(options).c_str());
  std::fflush(stdout);
  const RunResult result = run_seed(options);
  std::printf("seed %llu: %.1f virtual seconds, %llu events, digest %016llx\n",
              static_cast<unsigned long long>(words.seed), result.virtual_seconds,
              static_cast<unsigned long long>(result.events), static_cast<unsigned long long>(result.digest));
  if (!words.verbose) return 0;
  for (std::size_t i = 0; i < kSeenCount; ++i) {
    if (result.coverage.counts[i] == 0) continue;
    std::printf("  %-36s %llu\n", std::string(name_of(static_cast<Seen>(i))).c_str(),
                static_cast<unsigned long long>(result.coverage.counts[i]));
  }
  return 0;
}

/// The first half of them of groups, the others of whole nodes.
constexpr std::uint64_t kSelfTests = 20;

int test_self() {
  int failed = 0;
  for (std::uint64_t seed = 1; seed <= kSelfTests; ++seed) {
    const Options options = seed > kSelfTests / 2 ? draw_node_options(seed) : draw_options(seed);
    const bool same = run_seed(options).digest == run_seed(options).digest;
    if (!same) std::printf("seed %llu is not the same run twice\n", static_cast<unsigned long long>(seed));
    failed += same ? 0 : 1;
  }
  std::printf("%d passed, %d failed\n", static_cast<int>(kSelfTests) - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace quorate::sim

int main(int count, char** words) {
  using namespace quorate;
  log::configure({.console = false, .level = log::Level::none});
  const sim::Words read = sim::read_words(count, words);
  if (read.is_self_test) return sim::test_self();
  return read.is_campaign ? sim::run_campaign(read.campaign) : sim::run_one(read);
}
