// Cluster: a run of whole nodes and the clients around them: first under faults, then until everything is well again.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/nemesis.h"
#include "tests/sim/nodes/actors.h"
#include "tests/sim/nodes/ledger.h"
#include "tests/sim/nodes/rest.h"
#include "tests/sim/nodes/site.h"

namespace quorate::sim::nodes {

class Cluster {
 public:
  explicit Cluster(Stage& stage);
  void run();

 private:
  void make_queues();
  void make_clients();
  void drain();
  void within(Duration bound, const std::string& what, const std::function<Rest::Missing()>& missing);
  Rest::Missing all_answered() const;
  std::vector<std::string> queue_names() const;

  Stage& stage_;
  Site site_;
  Ledger ledger_;
  Nemesis nemesis_;
  Rest rest_;
  std::vector<QueueName> queues_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Settler>> settlers_;
  std::vector<std::unique_ptr<Churner>> churners_;
  std::vector<Client*> clients_;
};

}  // namespace quorate::sim::nodes
