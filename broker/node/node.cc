#include "broker/node/node.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "broker/node/session_options.h"
#include "broker/node/startup.h"

namespace quorate {
namespace {

constexpr auto kClientsLeaveTimeout = std::chrono::seconds(5);

/// Between two looks at something that other threads are finishing.
void pause() {
  std::promise<void> never;
  never.get_future().wait_for(std::chrono::milliseconds(5));
}

}  // namespace

Node::Node(Config config, Orders& orders, std::function<void(const Error&)> on_failure)
    : config_(std::move(config)),
      orders_(orders),
      on_failure_(std::move(on_failure)),
      session_options_(session_options(config_)),
      storage_(config_.data_dir, clock_) {}

Node::~Node() { CHECK(!running_); }

Result<void> Node::start() {
  if (auto opened = storage_.open_state(); !opened) return opened;
  if (auto met = meet_others(); !met) return met;
  if (auto opened = storage_.open_log(record_.nodes.size() > 1); !opened) return opened;
  early_.reset();
  build();
  // Busy ports are noticed before anything is recovered.
  if (auto opened = listeners_->open(); !opened) {
    stop();
    return opened;
  }
  if (auto opened = doors_->open(); !opened) {
    stop();
    return opened;
  }
  view_->set_listeners(all_listeners());
  if (auto recovered = recover(); !recovered) {
    stop();
    return recovered;
  }
  first_shard().post_from_outside([this] {
    served_ = true;
    alarms_->start();
    pause_or_resume();
  });
  return {};
}

std::vector<std::string> Node::listener_names() const {
  std::vector<std::string> names = listeners_->names();
  for (const std::string& name : doors_->names()) names.push_back(name);
  return names;
}

std::vector<http::ListenerRow> Node::all_listeners() const {
  std::vector<http::ListenerRow> rows = listeners_->rows();
  for (const http::ListenerRow& row : doors_->rows()) rows.push_back(row);
  return rows;
}

void Node::publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  if (!topology->nodes.is_same(followed_->nodes)) follow_nodes(topology);
  on_every_shard([topology, changes](NodeShard& shard) { shard.on_topology(topology, changes); });
}

std::vector<NodeId> Node::others(const std::vector<cluster::ClusterNode>& nodes) const {
  std::vector<NodeId> others;
  for (const cluster::ClusterNode& node : nodes) {
    if (node.id != self()) others.push_back(node.id);
  }
  return others;
}

/// Everybody who deals with other nodes hears who they are.
void Node::follow_nodes(const cluster::TopologyPtr& topology) {
  followed_ = topology;
  std::vector<cluster::ClusterNode> nodes;
  topology->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) { nodes.push_back(node); });
  watch_->set_others(others(nodes));
  link_->on_nodes(topology);
  pause_or_resume();
}

void Node::on_majority(bool has_majority) {
  has_majority_ = has_majority;
  pause_or_resume();
}

/// A node that is cut off from the majority can keep no promise to its clients, and one that is drained should not.
void Node::pause_or_resume() {
  const cluster::ClusterNode* row = followed_ ? followed_->find_node(self()) : nullptr;
  const bool is_drained = row != nullptr && row->drained;
  const bool is_paused = !has_majority_ && config_.cluster.partition_handling == PartitionHandling::pause_minority;
  const bool wanted = served_ && !stopping_ && !is_drained && !is_paused;
  if (!served_) return;
  view_->set_service_state(wanted       ? http::ServiceState::serving
                           : is_drained ? http::ServiceState::draining
                                        : http::ServiceState::paused);
  if (wanted == serving_) return;
  serving_ = wanted;
  if (wanted) {
    log::info(log::Category::general, "clients.welcome node={}", config_.node_name);
    on_every_shard([](NodeShard& shard) { shard.resume_clients(); });
    if (auto started = listeners_->start(); !started) fail(started.error());
    return;
  }
  const std::string reason =
      is_drained ? "Node was put into maintenance mode" : "broker forced connection closure with reason 'minority'";
  log::warn(log::Category::general, "clients.paused reason=\"{}\"",
            is_drained ? "this node is drained" : "this node does not reach a majority of its cluster");
  listeners_->stop();
  on_every_shard([reason](NodeShard& shard) { shard.pause_clients(reason); });
}

void Node::interrupt_start() { stop_.request_stop(); }

/// From shard 0; every shard tells its connections.
void Node::block_publishers(const std::string& reason) {
  on_every_shard([reason](NodeShard& shard) { shard.connections().set_blocked(reason); });
}

void Node::fail(const Error& error) {
  failed_ = true;
  if (startup_) startup_->report(std::unexpected(error));
  on_failure_(error);
}

void Node::reload(const Config& config) {
  log::set_levels(log_options(config));
  first_shard().post_from_outside([this, limits = config.alarms] { alarms_->set_limits(limits); });
  if (auto reloaded = listeners_->reload_tls(); reloaded) {
    log::info(log::Category::general, "configuration reloaded");
  } else {
    log::error(log::Category::general, "certificates not reloaded reason=\"{}\"; the old ones stay in use",
               reloaded.error().text);
  }
}

void Node::stop() {
  early_.reset();
  const bool was_running = std::exchange(running_, false);
  if (was_running) stop_clients();
  if (link_) link_->close();
  if (was_running) stop_shards();
  if (view_) {
    situation_ = view_->situation();
  } else if (link_) {
    situation_ = early_situation(link_->outlook());
  }
  storage_.flush();
  if (!failed_ && (served_ || !storage_.after_crash())) storage_.note_clean_end();
  doors_.reset();
  view_.reset();
  listeners_.reset();
  watch_.reset();
  alarms_.reset();
  metadata_.reset();
  shard_views_.clear();
  node_shards_.clear();
  posts_.clear();
  shards_.clear();
  link_.reset();
  storage_.close();
}

/// Clients get `320 CONNECTION_FORCED` and a few seconds to say goodbye.
void Node::stop_clients() {
  first_shard().post_from_outside([this] {
    stopping_ = true;
    watch_->stop();
    listeners_->stop();
    doors_->stop();
  });
  const auto ask = [this](auto&& what) {
    std::vector<std::future<std::size_t>> answers;
    for (auto& node_shard : node_shards_) {
      auto promise = std::make_shared<std::promise<std::size_t>>();
      answers.push_back(promise->get_future());
      node_shard->shard().post_from_outside(
          [shard = node_shard.get(), promise, what] { promise->set_value(what(*shard)); });
    }
    std::size_t sum = 0;
    for (auto& answer : answers) sum += answer.get();
    return sum;
  };
  ask([](NodeShard& shard) {
    shard.shut_down("broker forced connection closure with reason 'shutdown'");
    return shard.connections().size();
  });
  // With a failed disk every further moment could only mislead them.
  const Instant deadline = clock_.now() + (failed_ ? Duration::zero() : Duration(kClientsLeaveTimeout));
  const auto count = [](NodeShard& shard) { return shard.connections().size(); };
  while (ask(count) > 0 && clock_.now() < deadline) pause();
  ask([](NodeShard& shard) {
    shard.connections().drop_all();
    return std::size_t{0};
  });
  while (ask(count) > 0 && clock_.now() < deadline + kClientsLeaveTimeout) pause();
}

void Node::stop_shards() {
  for (auto& shard : shards_) shard->stop();
  for (auto& shard : shards_) shard->join();
}

}  // namespace quorate
