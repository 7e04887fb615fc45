#include "tests/sim/nodes/cluster.h"

#include <fmt/format.h>

#include "tests/sim/nodes/churner.h"
#include "tests/sim/nodes/publishers.h"
#include "tests/sim/nodes/settlers.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {

constexpr Duration kServeBound = 30s;
constexpr Duration kAnswerBound = 30s;
constexpr Duration kDrainBound = 180s;  // one entry at a time, 20 ms each: seed 2005502 takes 63 s
constexpr Duration kAgreeBound = 60s;   // a member that has joined is promoted when it has kept pace for a while

}  // namespace

Cluster::Cluster(Stage& stage)
    : stage_(stage),
      site_(stage),
      ledger_(stage),
      nemesis_(stage, site_),
      operator_(stage, site_, queues_),
      rest_(stage, site_) {
  make_clients();
}

/// Where ends of logs get lost every queue has several members, or nothing could ever be lost.
void Cluster::make_clients() {
  Random& random = stage_.streams.workload;
  const bool wants_replicas = stage_.has(Fault::disk_lost_suffix) && draw_chance(random, 0.5);
  const std::uint64_t count = 1 + random.below(3);
  queues_.reserve(count);  // clients keep references
  for (std::uint64_t i = 0; i < count; ++i) queues_.push_back(draw_queue(random, i, wants_replicas));
  for (const QueuePlan& queue : queues_) make_clients_of(queue);
  for (std::uint64_t i = random.below(4); i > 0; --i) add_client<Churner>(fmt::format("churner{}", i), wants_replicas);
  for (std::uint64_t i = random.below(3); i > 0; --i) {
    binders_.push_back(&add_client<Binder>(fmt::format("binder{}", i), wants_replicas));
  }
}

void Cluster::make_clients_of(const QueuePlan& queue) {
  Random& random = stage_.streams.workload;
  const auto name = [&](const char* what, unsigned i) { return fmt::format("{}-{}-{}", what, queue.name, i); };
  for (unsigned i = 0; i < stage_.options.workload.publishers; ++i) {
    add_client<Publisher>(name("publisher", i), queue);
  }
  if (draw_chance(random, 0.3)) add_client<Transactor>(name("transactor", 0), queue);
  for (unsigned i = 0; i < stage_.options.workload.consumers; ++i) add_client<Consumer>(name("consumer", i), queue);
  const bool allows_get = !queue.single_active;
  if (allows_get && draw_chance(random, 0.4)) add_client<Getter>(name("getter", 0), queue);
}

void Cluster::run() {
  site_.begin();
  for (const auto& client : clients_) client->begin();
  nemesis_.begin();
  operator_.begin();
  stage_.run_until(WorldTime{} + stage_.options.fault_phase);

  stage_.tell([] { return std::string("calm"); });
  nemesis_.stop();
  operator_.stop();
  site_.calm();
  within(kServeBound, "every node serves", [this] { return rest_.all_serve(); });
  stage_.run_until(stage_.schedule.now() + 2s);  // of a cluster that is well
  for (const auto& client : clients_) client->stop();
  within(kAnswerBound, "every client has its answers", [this] { return all_answered(); });
  drain();
  for (const auto& client : clients_) client->retire();
  within(kAgreeBound, "everything agrees", [this] { return all_agree(); });
}

void Cluster::drain() {
  for (const QueuePlan& queue : queues_) {
    Consumer& last = add_client<Consumer>("drain-" + queue.name, queue);
    last.stop();
    last.begin();
  }
  within(kDrainBound, "every queue is empty", [this] { return rest_.are_empty(queue_names()); });
  for (const QueuePlan& queue : queues_) ledger_.check_nothing_lost(queue);
}

std::vector<std::string> Cluster::queue_names() const {
  std::vector<std::string> names;
  for (const QueuePlan& queue : queues_) names.push_back(queue.name);
  return names;
}

void Cluster::within(Duration bound, const std::string& what, const std::function<Rest::Missing()>& missing) {
  const WorldTime end = stage_.schedule.now() + bound;
  for (;;) {
    const Rest::Missing lacks = missing();
    if (!lacks) return;
    if (stage_.schedule.now() >= end) {
      stage_.violated(fmt::format("within a bounded time {}; but {}\n{}", what, *lacks, rest_.describe()));
    }
    stage_.run_until(stage_.schedule.now() + 100ms);
  }
}

Rest::Missing Cluster::all_answered() const {
  for (const auto& client : clients_) {
    if (const auto missing = client->missing()) return fmt::format("{} waits for {}", client->describe(), *missing);
  }
  return std::nullopt;
}

Rest::Missing Cluster::all_agree() {
  if (auto missing = rest_.all_agree()) return missing;
  for (const Binder* binder : binders_) {
    const auto contradiction = binder->contradiction(rest_.topology());
    if (contradiction) stage_.violated(fmt::format("{}: {}", binder->describe(), *contradiction));
  }
  return std::nullopt;
}

}  // namespace quorate::sim::nodes
