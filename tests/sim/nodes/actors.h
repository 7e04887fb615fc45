// What clients do: publish with confirms, consume and settle, get, and declare and delete all day.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/nodes/client.h"

namespace quorate::sim::nodes {

struct QueueName {
  std::string name;
  bool is_quorum = true;
};

class Publisher final : public Client {
 public:
  Publisher(Stage& stage, Doors& doors, Ledger& ledger, std::string name, const QueueName& queue)
      : Client(stage, doors, ledger, std::move(name)), queue_(queue) {}
  void stop() { stopped_ = true; }
  bool is_answered(std::string& what) const override;

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, std::string_view body) override;
  void on_closed() override;
  void go_on();
  void settle(std::uint64_t tag, bool multiple, bool taken);

  const QueueName& queue_;
  bool stopped_ = false;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, MessageId> waiting_;
};

/// Holds deliveries for a while, then settles them in one way or another.
class Settler : public Client {
 public:
  using Client::Client;
  /// From now on everything is acknowledged.
  void become_obedient() { obedient_ = true; }

 protected:
  void take(const std::string& queue, std::uint64_t tag, std::string_view body, bool redelivered);
  void on_closed() override { held_.clear(); }

  bool obedient_ = false;
  std::map<std::uint64_t, MessageId> held_;  // by tag

 private:
  void settle(std::uint64_t tag);
};

class Consumer final : public Settler {
 public:
  Consumer(Stage& stage, Doors& doors, Ledger& ledger, std::string name, const QueueName& queue)
      : Settler(stage, doors, ledger, std::move(name)), queue_(queue) {}

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, std::string_view body) override;
  void consume();
  void grow_restless();

  const QueueName& queue_;
};

class Getter final : public Settler {
 public:
  Getter(Stage& stage, Doors& doors, Ledger& ledger, std::string name, const QueueName& queue)
      : Settler(stage, doors, ledger, std::move(name)), queue_(queue) {}

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, std::string_view body) override;
  void go_on();

  const QueueName& queue_;
};

/// Declares, uses and deletes queues that others declare and delete as well.
class Churner final : public Client {
 public:
  using Client::Client;
  void stop() { stopped_ = true; }

 private:
  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method&, std::string_view) override;
  void on_closed() override { consuming_ = false; }
  void go_on();
  void act();

  bool stopped_ = false;
  bool consuming_ = false;
};

}  // namespace quorate::sim::nodes
