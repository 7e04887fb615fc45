// Cluster: machines with disks and clocks, the brokers that come and go on them, the mesh between them, and the clients
// around; what strikes them, and what must be true when everything is well again.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/disk.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/nodes/actors.h"
#include "tests/sim/nodes/broker.h"
#include "tests/sim/nodes/ledger.h"
#include "tests/sim/nodes/mesh.h"

namespace quorate::sim::nodes {

class Cluster final : public Doors {
 public:
  explicit Cluster(Stage& stage);
  ~Cluster() override;

  void run();

  ConnectionPtr connect(ClientEnd& client, std::string& where) override;

 private:
  struct Machine {
    Machine(Stage& stage, double rate, Instant start) : disk(stage), clock(stage.schedule, start, rate) {}
    Disk disk;
    NodeClock clock;
    std::uint32_t epoch = 0;
    std::size_t shards = 1;
    std::unique_ptr<Broker> broker;
    bool comes_back = false;
  };

  Machine& machine(NodeId id) { return *machines_.at(id); }
  void start(NodeId id);
  void stop(NodeId id, bool power_loss);
  void stop_for_a_while(NodeId id, bool power_loss, Random& random);
  void on_death(NodeId id, const std::string& why);

  void make_clients();
  // Faults.
  void strike_later();
  void strike(Fault fault);
  void calm();

  // The end.
  template <class Condition>
  void within(Duration bound, const std::string& what, Condition&& condition);
  bool all_serve(std::string& missing);
  bool all_answered(std::string& missing);
  bool all_drained(std::string& missing);
  bool all_agree(std::string& missing);
  std::string describe();
  std::string describe(const cluster::Queue& queue);

  Stage& stage_;
  Mesh mesh_;
  Ledger ledger_;
  std::vector<NodeId> ids_;
  Broker::Around around_;
  std::map<NodeId, std::unique_ptr<Machine>> machines_;
  std::vector<QueueName> queues_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Settler>> settlers_;
  std::vector<std::unique_ptr<Churner>> churners_;
  std::vector<Client*> clients_;
  std::uint64_t last_connection_ = 0;
  std::string last_dismissal_;
  bool is_calm_ = false;
};

}  // namespace quorate::sim::nodes
