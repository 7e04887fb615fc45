#include "tests/sim/nodes/cluster.h"

#include <fmt/format.h>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {

constexpr Duration kServeBound = 30s;
constexpr Duration kAnswerBound = 30s;
constexpr Duration kDrainBound = 60s;
constexpr Duration kAgreeBound = 20s;

}  // namespace

Cluster::Cluster(Stage& stage)
    : stage_(stage), site_(stage), ledger_(stage), nemesis_(stage, site_), rest_(stage, site_) {
  make_queues();
  make_clients();
}

void Cluster::make_queues() {
  Random& random = stage_.streams.workload;
  const std::uint64_t count = 1 + random.below(3);
  queues_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool is_quorum = draw_chance(random, 0.75);
    queues_.push_back({.name = fmt::format("{}{}", is_quorum ? "quorum" : "classic", i), .is_quorum = is_quorum});
  }
}

void Cluster::make_clients() {
  Random& random = stage_.streams.workload;
  for (const QueueName& queue : queues_) {
    const auto name = [&](const char* what, unsigned i) { return fmt::format("{}-{}-{}", what, queue.name, i); };
    for (unsigned i = 0; i < stage_.options.workload.publishers; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(stage_, site_, ledger_, name("publisher", i), queue));
    }
    for (unsigned i = 0; i < stage_.options.workload.consumers; ++i) {
      settlers_.push_back(std::make_unique<Consumer>(stage_, site_, ledger_, name("consumer", i), queue));
    }
    if (draw_chance(random, 0.4)) {
      settlers_.push_back(std::make_unique<Getter>(stage_, site_, ledger_, name("getter", 0), queue));
    }
  }
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    churners_.push_back(std::make_unique<Churner>(stage_, site_, ledger_, fmt::format("churner{}", i)));
  }
  for (const auto& client : publishers_) clients_.push_back(client.get());
  for (const auto& client : settlers_) clients_.push_back(client.get());
  for (const auto& client : churners_) clients_.push_back(client.get());
}

void Cluster::run() {
  site_.begin();
  for (Client* client : clients_) client->begin();
  nemesis_.begin();
  stage_.run_until(WorldTime{} + stage_.options.fault_phase);

  nemesis_.stop();
  stage_.tell([] { return std::string("calm"); });
  site_.calm();
  within(kServeBound, "every node serves", [this] { return rest_.all_serve(); });
  stage_.run_until(stage_.schedule.now() + 2s);  // of a cluster that is well
  for (const auto& publisher : publishers_) publisher->stop();
  for (const auto& churner : churners_) churner->stop();
  for (const auto& settler : settlers_) settler->become_obedient();
  within(kAnswerBound, "every client has its answers", [this] { return all_answered(); });
  drain();
  for (Client* client : clients_) client->retire();
  within(kAgreeBound, "all replicas agree", [this] { return rest_.all_agree(); });
}

void Cluster::drain() {
  for (const QueueName& queue : queues_) {
    settlers_.push_back(std::make_unique<Consumer>(stage_, site_, ledger_, "drain-" + queue.name, queue));
    settlers_.back()->become_obedient();
    settlers_.back()->begin();
    clients_.push_back(settlers_.back().get());
  }
  within(kDrainBound, "every queue is empty", [this] { return rest_.are_empty(queue_names()); });
  for (const QueueName& queue : queues_) ledger_.check_nothing_lost(queue.name);
}

std::vector<std::string> Cluster::queue_names() const {
  std::vector<std::string> names;
  for (const QueueName& queue : queues_) names.push_back(queue.name);
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
  for (const Client* client : clients_) {
    std::string what;
    if (!client->is_answered(what)) return fmt::format("{} waits for {}", client->describe(), what);
  }
  return std::nullopt;
}

}  // namespace quorate::sim::nodes
