// Those who take messages out of a queue and settle them in one way or another, at once or in transactions.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/nodes/client.h"
#include "tests/sim/nodes/queue_plan.h"

namespace quorate::sim::nodes {

/// Holds deliveries for a while, then settles them. When it is stopped it acknowledges everything, and soon.
class Settler : public Client {
 public:
  Settler(Stage& stage, Doors& doors, Ledger& ledger, std::string name, const QueuePlan& queue)
      : Client(stage, doors, ledger, std::move(name)),
        queue_(queue),
        transactional_(draw_chance(stage.streams.workload, 0.15)) {}

 protected:
  void on_open() override;
  void on_closed() override;
  /// False: the answer is for who derives from this.
  bool take_answer(const amqp::Method& method);
  void take(std::uint64_t tag, const Content& content, bool redelivered);

  const QueuePlan& queue_;

 private:
  enum class Deed : std::uint8_t { acknowledge, give_back };
  struct Settled {
    std::uint64_t tag = 0;
    MessageId id = 0;
    Deed deed = Deed::acknowledge;
  };

  void settle_later(std::uint64_t tag);
  void settle(std::uint64_t tag);
  template <class Method>
  void settle_one(std::uint64_t tag, Deed deed, const Method& method);
  void settle_up_to(std::uint64_t tag, Deed deed);
  void note(Settled settled);
  void note_in_ledger(const Settled& settled);
  void recover();
  void end_transactions();
  void end_transaction();

  const bool transactional_;
  bool recovering_ = false;                  // everything has been given back, also what is still on its way
  std::map<std::uint64_t, MessageId> held_;  // by tag
  std::vector<Settled> uncommitted_;
};

class Consumer final : public Settler {
 public:
  using Settler::Settler;
  void stop() override;

 private:
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, const Content& content) override;
  void consume();
  void grow_restless();
};

class Getter final : public Settler {
 public:
  using Settler::Settler;

 private:
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, const Content& content) override;
  void go_on();
};

}  // namespace quorate::sim::nodes
