// Workload: the clients of all queues. Publishers send packs of numbered messages and hear confirms; consumers attach,
// settle, return, discard, cancel and vanish; others get, purge and read. They know no leader: they ask one node after
// another.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "broker/queue/commands.h"
#include "tests/sim/checkers/checkers.h"
#include "tests/sim/sim_queue.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Process;

class Workload final : public Audience {
 public:
  using ProcessOf = std::function<Process*(NodeId)>;
  Workload(Stage& stage, Checkers& checkers, std::vector<NodeId> nodes, ProcessOf process_of)
      : stage_(stage),
        checkers_(checkers),
        random_(stage.streams.workload),
        nodes_(std::move(nodes)),
        process_of_(std::move(process_of)) {}

  void begin(GroupId group);
  /// Nobody begins anything new.
  void stop() { stopped_ = true; }
  /// Publishes until one publication is confirmed.
  void probe(GroupId group);
  bool is_probe_confirmed(GroupId group) const { return confirmed_probes_.contains(group); }
  void forget_probes() {
    probes_.clear();
    confirmed_probes_.clear();
  }

  // Audience
  void on_confirmed(GroupId group, NodeId node, const std::vector<std::uint64_t>& publications,
                    const raft::LogPosition& position, bool is_alone) override;
  void on_unknown(const std::vector<std::uint64_t>& publications) override;
  void on_effect(GroupId group, NodeId node, const queue::Effect& effect) override;
  void on_delivery(GroupId group, NodeId node, const queue::effect::Deliver& delivery, const Bytes& body) override;

 private:
  struct Consumer {
    GroupId group;
    queue::ConsumerKey key;
    bool no_ack = false;
    bool needs_credit = false;
  };
  using ConsumerPtr = std::shared_ptr<Consumer>;

  bool is_quiet() const;
  Duration draw(Duration mean) { return draw_exponential(random_, mean); }
  Proposal publications(unsigned count);
  static Proposal of(const queue::Command& command);
  /// Brings the proposal to whoever leads; gives up after some attempts.
  void call(GroupId group, Proposal proposal, unsigned attempts = 6);
  void publish_for_ever(GroupId group);
  void consume_for_ever(GroupId group);
  void attach(const ConsumerPtr& consumer);
  void answer(const ConsumerPtr& consumer, std::uint64_t id);
  void do_odd_jobs(GroupId group);
  void read(GroupId group);
  queue::SessionId new_session();

  Stage& stage_;
  Checkers& checkers_;
  Random& random_;
  std::vector<NodeId> nodes_;
  ProcessOf process_of_;
  bool stopped_ = false;
  std::uint64_t last_publication_ = 0;
  std::uint64_t last_session_ = 0;
  std::map<std::uint32_t, std::uint32_t> client_epochs_;
  std::map<GroupId, NodeId> leaders_;  // as far as clients know
  std::map<queue::ConsumerKey, ConsumerPtr> consumers_;
  std::map<GroupId, std::set<std::uint64_t>> probes_;
  std::set<GroupId> confirmed_probes_;
};

}  // namespace quorate::sim
