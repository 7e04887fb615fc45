// Those who publish: one with confirms, one in transactions. What they were told about a message stands in the ledger.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/nodes/client.h"
#include "tests/sim/nodes/queue_plan.h"

namespace quorate::sim::nodes {

/// The publications of one channel that wait for their confirms.
class Confirms {
 public:
  void begin() { next_ = 1, waiting_.clear(); }
  void expect(MessageId id) { waiting_.emplace(next_++, id); }
  /// Those that are answered now; nothing when an answer is for what was answered before, or never sent.
  std::optional<std::vector<MessageId>> settle(std::uint64_t tag, bool multiple);
  std::size_t size() const { return waiting_.size(); }
  std::optional<std::string> missing() const;

 private:
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, MessageId> waiting_;  // by tag
};

/// What is common to them: a queue, and messages of drawn sizes.
class Sender : public Client {
 public:
  Sender(Stage& stage, Doors& doors, Ledger& ledger, std::string name, const QueuePlan& queue)
      : Client(stage, doors, ledger, std::move(name)), queue_(queue) {}

 protected:
  void declare_queue() { declare({.queue = queue_.name, .arguments = queue_.arguments()}); }
  MessageId publish_one();
  void on_content(const amqp::Method& announcement, const Content& content) override;

  const QueuePlan& queue_;
};

class Publisher final : public Sender {
 public:
  using Sender::Sender;
  std::optional<std::string> missing() const override;

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_closed() override { confirms_.begin(); }
  void go_on();
  void settle(std::uint64_t tag, bool multiple, bool taken);

  Confirms confirms_;
};

class Transactor final : public Sender {
 public:
  using Sender::Sender;

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_closed() override { pending_.clear(); }
  void go_on();
  void act();

  std::vector<MessageId> pending_;  // published since the last commit
};

}  // namespace quorate::sim::nodes
