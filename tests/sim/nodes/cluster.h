// Cluster: a run of whole nodes and the clients around them: first under faults, then until everything is well again.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/nemesis.h"
#include "tests/sim/nodes/binder.h"
#include "tests/sim/nodes/ledger.h"
#include "tests/sim/nodes/operator.h"
#include "tests/sim/nodes/queue_plan.h"
#include "tests/sim/nodes/rest.h"
#include "tests/sim/nodes/site.h"

namespace quorate::sim::nodes {

class Cluster {
 public:
  explicit Cluster(Stage& stage);
  void run();

 private:
  template <class Kind, class... Arguments>
  Kind& add_client(std::string name, Arguments&&... arguments) {
    auto client =
        std::make_unique<Kind>(stage_, site_, ledger_, std::move(name), std::forward<Arguments>(arguments)...);
    Kind& added = *client;
    clients_.push_back(std::move(client));
    return added;
  }
  void make_clients();
  void make_clients_of(const QueuePlan& queue);
  void drain();
  void within(Duration bound, const std::string& what, const std::function<Rest::Missing()>& missing);
  Rest::Missing all_answered() const;
  Rest::Missing all_agree();
  std::vector<std::string> queue_names() const;

  Stage& stage_;
  Site site_;
  Ledger ledger_;
  Nemesis nemesis_;
  std::vector<QueuePlan> queues_;
  Operator operator_;
  Rest rest_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<const Binder*> binders_;  // among them
};

}  // namespace quorate::sim::nodes
