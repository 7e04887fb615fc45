// Startup: what Node::start() waits for, while the shards do the work.
#pragma once
#include <atomic>
#include <cstddef>
#include <future>
#include <utility>

#include "base/result.h"

namespace quorate {

/// The first error, or that every shard has recovered. Reported once, from any thread.
class Startup {
 public:
  explicit Startup(std::size_t shards) : waiting_(shards) {}
  void shard_recovered() {
    if (waiting_.fetch_sub(1) == 1) report({});
  }
  void report(Result<void> result) {
    if (!reported_.test_and_set()) outcome_.set_value(std::move(result));
  }
  Result<void> wait() { return outcome_.get_future().get(); }

 private:
  std::atomic<std::size_t> waiting_;
  std::atomic_flag reported_;
  std::promise<Result<void>> outcome_;
};

}  // namespace quorate
