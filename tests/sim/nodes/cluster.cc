#include "tests/sim/nodes/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {

/// What strikes whole nodes; other kinds are for the simulation of groups.
constexpr std::array kStrikes = {Fault::net_cut,   Fault::net_partition,   Fault::net_clog,           Fault::net_reset,
                                 Fault::node_kill, Fault::node_power_loss, Fault::node_crash_in_disk, Fault::node_pause,
                                 Fault::disk_slow};

constexpr Duration kServeBound = 20s;
constexpr Duration kAnswerBound = 30s;
constexpr Duration kDrainBound = 60s;
constexpr Duration kAgreeBound = 20s;

}  // namespace

Cluster::Cluster(Stage& stage)
    : stage_(stage),
      mesh_(stage),
      ledger_(stage),
      around_{.stage = stage,
              .mesh = mesh_,
              .nodes = {},
              .initial_quorum_size = 3,
              .on_death = [this](NodeId id, const std::string& why) { on_death(id, why); },
              .on_dismissal = [this](const std::string& words) { last_dismissal_ = words; }} {
  Random& random = stage.streams.nodes;
  const std::uint64_t dice = random.below(10);
  const std::uint32_t count = dice == 0 ? 1 : dice <= 2 ? 5 : 3;
  for (std::uint32_t i = 1; i <= count; ++i) ids_.push_back(NodeId(i));
  around_.nodes = ids_;
  mesh_.know(ids_);
  for (const NodeId id : ids_) {
    const double rate = stage.has(Fault::clock_drift) ? 0.97 + 0.06 * draw_unit(stage.streams.clock) : 1.0;
    const Instant begin{draw_between(stage.streams.clock, Duration(1s), Duration(1000s))};
    machines_.emplace(id, std::make_unique<Machine>(stage, rate, begin));
    machine(id).shards = draw_between(random, 1, 3);
  }
  make_clients();
}

Cluster::~Cluster() {
  for (auto& [id, machine] : machines_) machine->broker.reset();
}

void Cluster::make_clients() {
  Random& random = stage_.streams.workload;
  const std::uint64_t count = 1 + random.below(3);
  queues_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool is_quorum = draw_chance(random, 0.75);
    queues_.push_back({.name = fmt::format("{}{}", is_quorum ? "quorum" : "classic", i), .is_quorum = is_quorum});
  }
  for (const QueueName& queue : queues_) {
    const auto name = [&](const char* what, unsigned i) { return fmt::format("{}-{}-{}", what, queue.name, i); };
    for (unsigned i = 0; i < stage_.options.workload.publishers; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(stage_, *this, ledger_, name("publisher", i), queue));
    }
    for (unsigned i = 0; i < stage_.options.workload.consumers; ++i) {
      settlers_.push_back(std::make_unique<Consumer>(stage_, *this, ledger_, name("consumer", i), queue));
    }
    if (draw_chance(random, 0.4)) {
      settlers_.push_back(std::make_unique<Getter>(stage_, *this, ledger_, name("getter", 0), queue));
    }
  }
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    churners_.push_back(std::make_unique<Churner>(stage_, *this, ledger_, fmt::format("churner{}", i)));
  }
  for (const auto& client : publishers_) clients_.push_back(client.get());
  for (const auto& client : settlers_) clients_.push_back(client.get());
  for (const auto& client : churners_) clients_.push_back(client.get());
}

// --- life and death ---

void Cluster::start(NodeId id) {
  Machine& on = machine(id);
  on.comes_back = false;
  if (on.broker) return;
  ++on.epoch;
  stage_.tell([&] { return fmt::format("node {}: starts, epoch {}", id.value(), on.epoch); });
  if (on.epoch > 1) stage_.seen(Seen::restarted);
  on.broker = std::make_unique<Broker>(around_, id, Epoch(on.epoch), on.epoch > 1, on.shards, on.disk, on.clock);
  on.broker->begin();
}

void Cluster::stop(NodeId id, bool power_loss) {
  Machine& on = machine(id);
  if (!on.broker) return;
  stage_.tell([&] { return fmt::format("node {}: {}", id.value(), power_loss ? "loses power" : "is killed"); });
  stage_.seen(power_loss ? Seen::lost_power : Seen::killed);
  if (power_loss) mesh_.detach(id, true);
  on.broker.reset();
  if (power_loss) on.disk.lose_power(stage_.streams.of(Fault::node_power_loss), [](const StoredWrite&) {});
}

void Cluster::stop_for_a_while(NodeId id, bool power_loss, Random& random) {
  if (!machine(id).broker) return;
  stop(id, power_loss);
  machine(id).comes_back = true;
  const Duration downtime = draw_chance(random, 0.5) ? draw_between(random, Duration(10ms), Duration(500ms))
                                                     : draw_between(random, Duration(500ms), Duration(8s));
  stage_.schedule.after(downtime, [this, id] {
    if (machine(id).comes_back) start(id);
  });
}

void Cluster::on_death(NodeId id, const std::string& why) {
  stage_.tell([&] { return fmt::format("node {}: ends by itself: {}", id.value(), why); });
  if (why != "crashed") stage_.violated(fmt::format("node {} fails: {}", id.value(), why));
  stop_for_a_while(id, stage_.has(Fault::node_power_loss), stage_.streams.of(Fault::node_crash_in_disk));
}

ConnectionPtr Cluster::connect(ClientEnd& client, std::string& where) {
  const NodeId id = draw_one(stage_.streams.workload, ids_);
  Broker* broker = machine(id).broker.get();
  if (broker == nullptr || !broker->is_serving()) return nullptr;
  where = fmt::format("node {} epoch {}", id.value(), broker->epoch().value());
  return broker->accept(client, ++last_connection_);
}

// --- faults ---

void Cluster::strike_later() {
  stage_.schedule.after(draw_exponential(stage_.streams.operators, stage_.options.fault_gap), [this] {
    if (is_calm_) return;
    const Fault fault = draw_one(stage_.streams.operators, kStrikes);
    if (stage_.has(fault)) strike(fault);
    strike_later();
  });
}

void Cluster::strike(Fault fault) {
  Random& random = stage_.streams.of(fault);
  const NodeId a = draw_one(random, ids_);
  const NodeId b = draw_one(random, ids_);
  Broker* broker = machine(a).broker.get();
  const Duration time = draw_chance(random, 0.6) ? draw_between(random, Duration(50ms), Duration(1500ms))
                                                 : draw_between(random, Duration(1500ms), Duration(12s));
  const auto cut_for = [&](NodeId from, NodeId to) {
    if (from == to) return;
    mesh_.cut(from, to);
    stage_.schedule.after(time, [this, from, to] {
      if (!is_calm_) mesh_.mend(from, to);
    });
  };
  stage_.tell([&] {
    return fmt::format("strikes: {} {} {}", kFaults[static_cast<std::size_t>(fault)].name, a.value(), b.value());
  });
  switch (fault) {
    case Fault::net_cut:
      stage_.seen(Seen::net_cut_one_way);
      return cut_for(a, b);
    case Fault::net_partition: {
      stage_.seen(Seen::net_partitioned);
      const std::uint64_t side = random.next();
      for (const NodeId x : ids_) {
        for (const NodeId y : ids_) {
          if (((side >> x.value()) & 1) != ((side >> y.value()) & 1)) cut_for(x, y);
        }
      }
      return;
    }
    case Fault::net_clog:
      stage_.seen(Seen::net_clogged);
      return mesh_.clog(a, b, time);
    case Fault::net_reset:
      if (a != b) mesh_.reset(a, b);
      return;
    case Fault::node_kill:
      return stop_for_a_while(a, false, random);
    case Fault::node_power_loss:
      return stop_for_a_while(a, true, random);
    case Fault::node_crash_in_disk:
      if (broker != nullptr) {
        broker->set_trap({.steps = {Step::submit, Step::write, Step::sync, Step::done, Step::snapshot_write,
                                    Step::snapshot_sync, Step::snapshot_done},
                          .countdown = random.below(30)});
      }
      return;
    case Fault::node_pause:
      stage_.seen(Seen::paused);
      if (broker != nullptr) broker->pause(stage_.schedule.now() + time);
      return;
    case Fault::disk_slow:
      if (broker != nullptr) broker->disk().slow_down(time / 4);
      return;
    default:
      return;
  }
}

void Cluster::calm() {
  is_calm_ = true;
  stage_.tell([] { return std::string("calm"); });
  mesh_.become_perfect();
  for (const NodeId id : ids_) {
    if (machine(id).broker) machine(id).broker->set_trap({});
    start(id);
  }
}

// --- a run ---

void Cluster::run() {
  for (const NodeId id : ids_) {
    stage_.schedule.after(draw_between(stage_.streams.nodes, Duration(0), Duration(300ms)), [this, id] { start(id); });
  }
  for (Client* client : clients_) client->begin();
  strike_later();
  stage_.run_until(WorldTime{} + stage_.options.fault_phase);
  calm();
  within(kServeBound, "every node serves", [this](std::string& missing) { return all_serve(missing); });
  stage_.run_until(stage_.schedule.now() + 2s);  // of a cluster that is well
  for (const auto& publisher : publishers_) publisher->stop();
  for (const auto& churner : churners_) churner->stop();
  for (const auto& settler : settlers_) settler->become_obedient();
  within(kAnswerBound, "every client has its answers", [this](std::string& missing) { return all_answered(missing); });
  for (const QueueName& queue : queues_) {
    settlers_.push_back(std::make_unique<Consumer>(stage_, *this, ledger_, "drain-" + queue.name, queue));
    settlers_.back()->become_obedient();
    settlers_.back()->begin();
    clients_.push_back(settlers_.back().get());
  }
  within(kDrainBound, "every queue is empty", [this](std::string& missing) { return all_drained(missing); });
  for (const QueueName& queue : queues_) ledger_.check_nothing_lost(queue.name);
  for (Client* client : clients_) client->retire();
  within(kAgreeBound, "all replicas agree", [this](std::string& missing) { return all_agree(missing); });
}

template <class Condition>
void Cluster::within(Duration bound, const std::string& what, Condition&& condition) {
  const WorldTime end = stage_.schedule.now() + bound;
  std::string missing;
  while (!condition(missing)) {
    if (stage_.schedule.now() >= end) {
      stage_.violated(fmt::format("within a bounded time {}; but {}\n{}", what, missing, describe()));
    }
    stage_.run_until(stage_.schedule.now() + 100ms);
    missing.clear();
  }
}

bool Cluster::all_serve(std::string& missing) {
  for (const NodeId id : ids_) {
    if (machine(id).broker && machine(id).broker->is_serving()) continue;
    missing = fmt::format("node {} does not", id.value());
    return false;
  }
  return true;
}

bool Cluster::all_answered(std::string& missing) {
  for (const Client* client : clients_) {
    std::string what;
    if (client->is_answered(what)) continue;
    missing = fmt::format("{} waits for {}", client->describe(), what);
    return false;
  }
  return true;
}

bool Cluster::all_drained(std::string& missing) {
  for (const QueueName& name : queues_) {
    for (const NodeId id : ids_) {
      const cluster::Topology& topology = *machine(id).broker->metadata().topology();
      cluster::QueuePtr definition;
      topology.queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
        if (queue->name == name.name) definition = queue;
      });
      if (!definition) {
        missing = fmt::format("node {} does not know {}", id.value(), name.name);
        return false;
      }
      const queue::Queue* replica = machine(id).broker->queue(definition->id);
      if (replica == nullptr) continue;
      if (replica->machine().ready_count() == 0 && replica->machine().unsettled_count() == 0) continue;
      missing = describe(*definition);
      return false;
    }
  }
  return true;
}

bool Cluster::all_agree(std::string& missing) {
  const Broker& first = *machine(ids_.front()).broker;
  const cluster::TopologyPtr& topology = first.metadata().topology();
  const Bytes metadata = first.metadata().save();
  for (const NodeId id : ids_) {
    const Broker& broker = *machine(id).broker;
    if (broker.metadata().topology()->version != topology->version) {
      missing = fmt::format("node {} is at version {} of the metadata, node {} at {}", id.value(),
                            broker.metadata().topology()->version, ids_.front().value(), topology->version);
      return false;
    }
    if (as_text(broker.metadata().save().view()) != as_text(metadata.view())) {
      stage_.violated(fmt::format("nodes {} and {} differ in version {} of the metadata", ids_.front().value(),
                                  id.value(), topology->version));
    }
  }
  bool agree = true;
  topology->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& definition) {
    const queue::Queue* one = nullptr;
    NodeId one_at;
    for (const NodeId id : ids_) {
      const queue::Queue* replica = machine(id).broker->queue(definition->id);
      const bool belongs = definition->members.empty() ? definition->node == id : definition->has_member_on(id);
      if (belongs != (replica != nullptr)) {
        missing = fmt::format("node {} {} {}", id.value(), replica != nullptr ? "has" : "lacks", describe(*definition));
        agree = false;
        return;
      }
      if (replica == nullptr) continue;
      if (one == nullptr) {
        one = replica;
        one_at = id;
        continue;
      }
      if (replica->machine().applied() != one->machine().applied()) {
        missing = describe(*definition);
        agree = false;
        return;
      }
      if (as_text(replica->machine().serialize().view()) != as_text(one->machine().serialize().view())) {
        stage_.violated(fmt::format("nodes {} and {} differ at entry {}: {}", one_at.value(), id.value(),
                                    one->machine().applied().value(), describe(*definition)));
      }
    }
    if (one == nullptr) return;
    one->machine().check_invariants();
    // Nobody is there any more.
    if (!one->machine().sessions().empty()) {
      missing = fmt::format("{} still knows sessions, the first of node {} epoch {} serial {}", describe(*definition),
                            one->machine().sessions().front().node.value(),
                            one->machine().sessions().front().epoch.value(), one->machine().sessions().front().serial);
      agree = false;
    }
  });
  return agree;
}

std::string Cluster::describe(const cluster::Queue& queue) {
  std::string text = fmt::format("{} {} (group {}, declared on node {})",
                                 queue.type == cluster::QueueType::quorum ? "quorum queue" : "classic queue",
                                 queue.name, queue.id.value(), queue.node.value());
  for (const NodeId id : ids_) {
    if (!machine(id).broker) continue;
    const queue::Queue* replica = machine(id).broker->queue(queue.id);
    if (replica == nullptr) continue;
    const queue::QueueMachine& state = replica->machine();
    const queue::Leadership known = replica->leadership();
    text += fmt::format("; node {}: applied {}, ready {}, unsettled {}, consumers {}, leader {} in term {}{}",
                        id.value(), state.applied().value(), state.ready_count(), state.unsettled_count(),
                        state.consumer_count(), known.leader ? known.leader->value() : 0, known.term.value(),
                        replica->is_ready() ? ", takes mail" : "");
    if (!replica->is_ready()) continue;
    for (const queue::SessionId& session : state.sessions()) {
      for (std::uint32_t link = queue::kGetLink; link < 10; ++link) {
        std::size_t held = 0;
        state.held_by({.session = session, .link = link}, 0, [&](const auto&) { ++held; });
        if (held == 0) continue;
        text += fmt::format(", {} held by {}.{}.{} link {}", held, session.node.value(), session.epoch.value(),
                            session.serial, link);
      }
    }
  }
  return text;
}

std::string Cluster::describe() {
  std::string text;
  for (const NodeId id : ids_) {
    text += machine(id).broker ? machine(id).broker->describe() : fmt::format("node {} is down", id.value());
    text += "\n";
  }
  if (machine(ids_.front()).broker) {
    machine(ids_.front())
        .broker->metadata()
        .topology()
        ->queues_by_id.for_each(
            [&](std::uint64_t, const cluster::QueuePtr& queue) { text += describe(*queue) + "\n"; });
  }
  return text + "last dismissal: " + last_dismissal_;
}

}  // namespace quorate::sim::nodes
