// Binder: owns an exchange and a few queues that nobody else touches, binds and unbinds them, publishes through the
// exchange, counts, purges and deletes. So it knows at any time which bindings there are and how many messages are in
// each queue, and every answer must agree with that. When an answer is lost with its connection it gives its names up
// and begins again with others.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/metadata/topology.h"
#include "tests/sim/nodes/client.h"

namespace quorate::sim::nodes {

class Binder final : public Client {
 public:
  /// `all_replicated`: none of its queues is a classic one.
  Binder(Stage& stage, Doors& doors, Ledger& ledger, std::string name, bool all_replicated)
      : Client(stage, doors, ledger, std::move(name)), all_replicated_(all_replicated) {}
  std::optional<std::string> missing() const override;
  /// What this topology says otherwise than this client knows.
  std::optional<std::string> contradiction(const cluster::Topology& topology) const;

 private:
  static constexpr std::size_t kQueues = 2;
  static constexpr std::size_t kKeys = 3;

  struct Owned {
    std::string name;
    bool is_quorum = true;
    std::set<std::size_t> keys;  // it is bound with
    std::uint64_t stored = 0;    // messages in it, for certain
    std::uint64_t maybe = 0;     // and those whose confirm was lost with a connection
    std::uint64_t purged = 0;    // of which nothing confirmed since proves that the disk knows
  };
  struct Sent {
    std::vector<std::size_t> queues;  // that it goes to
    bool is_returned = false;
  };
  using Then = std::function<void(std::uint64_t count)>;

  void on_open() override;
  void on_method(const amqp::Method& method) override;
  void on_content(const amqp::Method& announcement, const Content& content) override;
  void on_closed() override;

  void choose_names();
  void set_up();
  void go_on();
  void act();
  template <class Method>
  void ask_for(std::string what, const Method& method, Then then);
  void declare_queue(std::size_t i, Then then);
  void bind(std::size_t i, std::size_t key, Then then);
  void unbind(std::size_t i, std::size_t key);
  void publish_some();
  void count(Owned& queue);
  void purge(Owned& queue);
  void remove(std::size_t i);
  void on_confirm(std::uint64_t tag, bool multiple);
  void on_refused(std::uint64_t tag, bool multiple);
  void check_count(const Owned& queue, std::uint64_t count);
  static std::string key_name(std::size_t key) { return "k" + std::to_string(key); }
  std::set<std::string> bound_keys(const cluster::Exchange& exchange, const Owned& queue) const;

  const bool all_replicated_;
  unsigned generation_ = 0;
  bool may_have_one_member(const Owned& queue) const { return !queue.is_quorum || stage_.has(Fault::membership); }
  bool is_known_ = false;  // everything is declared, and what stands here is how it is
  std::string exchange_;
  std::string type_;
  std::array<Owned, kQueues> queues_;
  Then then_;
  std::uint64_t next_tag_ = 1;
  std::map<std::uint64_t, Sent> waiting_;  // by tag
};

}  // namespace quorate::sim::nodes
