// Churner: declares, uses and deletes queues that others declare and delete as well, with confirms or in transactions.
// What it publishes may vanish with its queue, but every publication is answered, and so is every question.
#pragma once
#include "tests/sim/nodes/client.h"
#include "tests/sim/nodes/publishers.h"

namespace quorate::sim::nodes {

class Churner final : public Client {
 public:
  /// `all_replicated`: every queue that outlives a node has several members.
  Churner(Stage& stage, Doors& doors, Ledger& ledger, std::string name, bool all_replicated)
      : Client(stage, doors, ledger, std::move(name)),
        all_replicated_(all_replicated),
        transactional_(draw_chance(stage.streams.workload, 0.3)) {}
  std::optional<std::string> missing() const override;

 private:
  /// Queues of the same name are of the same kind, whoever declares them.
  struct Target {
    std::string name;
    bool is_own = false;
    bool is_quorum = false;
    bool auto_delete = false;
  };

  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, const Content& content) override;
  void on_closed() override;
  void go_on();
  void act();
  Target draw_target();
  void declare_it(const Target& target);
  void publish_some(const Target& target);
  void delete_it(const Target& target);
  void begin_or_end_to_consume(const Target& target);

  const bool all_replicated_;
  const bool transactional_;
  bool consuming_ = false;
  std::uint64_t published_ = 0;
  Confirms confirms_;
};

}  // namespace quorate::sim::nodes
