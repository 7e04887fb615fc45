// Orders: what operators want of the whole node, on its way from whichever door it came through to the thread that
// starts and stops nodes. Carrying an order out closes the door, so its outcome is kept for whoever asks again with the
// same ticket. One order at a time.
// Threads: give() is for any, next() and finish() for the one that carries orders out.
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "cluster/formation.h"

namespace quorate {

/// What an order has to reckon with.
struct Situation {
  bool is_known = true;                  // what only this node has
  std::vector<std::string> needed_for;   // what would be lost or stand still without this node
  std::vector<std::string> others;       // names of the other nodes of its cluster
  bool was_forgotten = false;            // by them: what it has is lost already, and nobody is to be told
  std::vector<std::string> live_others;  // of them, those that answer
  std::optional<Duration> minority_for;  // so long it has been looking for a majority in vain; of a node that runs
};

/// The first few of many, as the middle of a sentence.
std::string join_names(const std::vector<std::string>& names);

/// Of a node that looks for its cluster, or for a majority of it.
Situation early_situation(const cluster::Outlook& outlook);

/// Whether the order may be carried out; without a reason against it that --force does not overrule.
Result<void> allow(const http::Order& order, const Situation& situation, const Config& config);

class Orders {
 public:
  /// `on_order` is called, on any thread, when there is something to do.
  explicit Orders(std::function<void()> on_order) : on_order_(std::move(on_order)) {}

  /// ErrorCode::already_exists: nothing is left to do.
  using Check = std::function<Result<void>()>;
  /// The outcome of the order with this ticket; nothing while it is being carried out. A new one is begun if `check`
  /// allows it.
  std::optional<Result<void>> give(const http::Order& order, const Check& check);

  std::optional<http::Order> next() const;
  void finish(Result<void> outcome);

 private:
  const std::function<void()> on_order_;
  mutable std::mutex mutex_;
  std::optional<http::Order> current_;
  std::string last_ticket_;
  Result<void> last_outcome_;
};

}  // namespace quorate
