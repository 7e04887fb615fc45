#include "broker/perf/verdict.h"

#include <utility>

namespace quorate::perf {

Verdict judge_ledgers(const Plan& plan, std::vector<Ledger> ledgers) {
  Verdict verdict;
  SeenFlows seen;
  for (Ledger& ledger : ledgers) {
    for (auto& [flow, set] : ledger.seen) verdict.duplicated += seen[flow].merge(set);
  }
  for (const Ledger& ledger : ledgers) {
    for (const SentFlow& sent : ledger.sent) {
      for (const std::uint32_t source : plan.sources_for(sent.producer)) {
        verdict.missing += count_missing(sent.sent, seen[{source, sent.producer}], sent.excused);
      }
    }
  }
  return verdict;
}

}  // namespace quorate::perf
