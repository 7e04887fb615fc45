#include "broker/node/node.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "broker/node/standalone.h"
#include "broker/node/startup.h"
#include "cluster/sole_voter.h"

namespace quorate {
namespace {

constexpr auto kClientsLeaveTimeout = std::chrono::seconds(5);
/// What nobody has taken by then waits for an election.
constexpr auto kLeadersLeaveTimeout = std::chrono::seconds(3);

/// Between two looks at something that other threads are finishing.
void pause() {
  std::promise<void> never;
  never.get_future().wait_for(std::chrono::milliseconds(5));
}

/// Of what each shard answers on its own thread.
template <class Question>
std::size_t sum_of(const std::vector<NodeShard*>& shards, Question question) {
  std::vector<std::future<std::size_t>> answers;
  for (NodeShard* shard : shards) {
    auto promise = std::make_shared<std::promise<std::size_t>>();
    answers.push_back(promise->get_future());
    shard->shard().post_from_outside([shard, promise, question] { promise->set_value(question(*shard)); });
  }
  std::size_t sum = 0;
  for (auto& answer : answers) sum += answer.get();
  return sum;
}

/// Waits until all shards have done it.
template <class Deed>
void on_each(const std::vector<NodeShard*>& shards, Deed deed) {
  sum_of(shards, [deed](NodeShard& shard) {
    deed(shard);
    return std::size_t{0};
  });
}

}  // namespace

Node::Node(Config config, Orders& orders, std::function<void(const Error&)> on_failure)
    : config_(std::move(config)),
      orders_(orders),
      on_failure_(std::move(on_failure)),
      storage_(config_.data_dir, clock_) {}

Node::~Node() { CHECK(!running_); }

Result<void> Node::start() {
  if (auto opened = storage_.open_state(); !opened) return opened;
  const auto own_cluster = announced_standalone(config_.data_dir);
  if (!own_cluster) return std::unexpected(own_cluster.error());
  if (auto met = meet_others(*own_cluster); !met) return met;
  if (auto opened = storage_.open_log(record_.nodes.size() > 1); !opened) return opened;
  stands_alone_ = *own_cluster == record_.cluster_id;
  if (stands_alone_) {
    if (auto alone = cluster::stand_alone(storage_.disk(), clock_.wall()); !alone) return alone;
  }
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
  core_->first_shard().post_from_outside([this] {
    served_ = true;
    alarms_->start();
    leader_keeper_->start();
    core_->serve();
  });
  return {};
}

/// The others, if there are to be any: who this node is follows from the cluster it belongs to.
Result<void> Node::meet_others(std::optional<std::uint64_t> own_cluster) {
  link_ = std::make_unique<ClusterLink>(config_, clock_, storage_.snapshots());
  early_ =
      std::make_unique<EarlyDoors>(EarlyView::Parts{.config = config_,
                                                    .clock = clock_,
                                                    .orders = orders_,
                                                    .outlook = [this] { return link_->outlook(); },
                                                    .situation = [this] { return early_situation(link_->outlook()); }},
                                   link_.get());
  if (auto opened = early_->open(); !opened) return opened;
  const Instant before = clock_.now();
  auto record = link_->form(stop_.get_token(), own_cluster);
  if (!record) return std::unexpected(record.error());
  record_ = std::move(*record);
  if (record_.nodes.size() > 1) waited_ = clock_.now() - before;
  return {};
}

Result<void> Node::recover() {
  startup_ = std::make_shared<Startup>(core_->shards().size());
  running_ = true;
  core_->first_shard().post_from_outside([this] {
    doors_->start();
    core_->watch().start();
    core_->begin();
  });
  link_->open(record_, epoch());  // before the shards run: begin() tells it which nodes there are by now
  for (NodeShard* shard : core_->shards()) shard->shard().start();
  if (!stands_alone_) link_->take_in_newcomers();
  const std::stop_callback on_stop(stop_.get_token(), [startup = startup_] {
    startup->report(failure(ErrorCode::unavailable, "stopped before a majority of the cluster was there"));
  });
  const Instant before = clock_.now();
  if (auto recovered = startup_->wait(); !recovered) return recovered;
  if (record_.nodes.size() > 1 && met_majority_at_) waited_ += std::max(*met_majority_at_ - before, Duration::zero());
  return {};
}

/// Shard 0. Until the announcement is gone the next start would leave newcomers behind as well.
void Node::on_others_left() {
  storage_.reader().run([this] {
    if (auto ended = end_standalone(config_.data_dir); !ended) return fail(ended.error());
    log::warn(log::Category::cluster, "cluster.stands_alone node={} cluster_id={}", config_.node_name,
              record_.cluster_id);
    link_->take_in_newcomers();
  });
}

std::vector<std::string> Node::listener_names() const {
  std::vector<std::string> names = listeners_->names();
  for (const std::string& name : doors_->names()) names.push_back(name);
  return names;
}

std::vector<http::ListenerRow> Node::all_listeners() const {
  std::vector<http::ListenerRow> rows = listeners_->rows();
  for (const http::ListenerRow& row : doors_->rows()) rows.push_back(row);
  for (const http::ListenerRow& row : link_->listeners()) rows.push_back(row);
  return rows;
}

// --- what the core asks and tells ---

std::unique_ptr<ShardPost> Node::make_post(cluster::Shard& shard, ShardPost::OnDropped on_dropped) {
  if (!link_->is_clustered()) return nullptr;
  return std::make_unique<ShardPost>(shard, link_->plane(), std::move(on_dropped));
}

bool Node::is_disk_well() { return storage_.busy_for(clock_.now()) < StallWatch::kDiskStallMax; }

/// What the other nodes learn by the heartbeats, this one's operator reads in the log. At each beat.
void Node::on_stuck_shards(std::uint64_t stuck_shards) {
  const Instant now = clock_.now();
  StallWatch::Lines lines;
  stalls_.on_beat({.disk_busy = storage_.busy_for(now), .stuck_shards = stuck_shards}, now, lines);
  for (const auto& [is_over, text] : lines) {
    log::event(log::Category::general, is_over ? log::Level::info : log::Level::warning, "{}", text);
  }
  std::vector<std::string> take_overs;
  take_overs_.on_beat(now, take_overs);
  for (const std::string& line : take_overs) log::info(log::Category::cluster, "{}", line);
}

std::set<GroupId> Node::groups_on_disk() {
  std::set<GroupId> found;
  for (const GroupId group : storage_.log().groups()) found.insert(group);
  for (const GroupId group : storage_.snapshots().groups()) found.insert(group);
  return found;
}

void Node::on_beat(NodeId to, ShardPost& post) { post.send(to, alarms_->own()); }

void Node::on_node_live(NodeId node, bool live) {
  log::event(log::Category::cluster, live ? log::Level::info : log::Level::warning, "node.{} node={}",
             live ? "up" : "down", link_->name_of(node));
  if (live) return;
  alarms_->set_remote(node, link_->name_of(node), {});
  take_overs_.on_silent(node, link_->name_of(node), clock_.now());
}

/// The first time when a majority has agreed to what this node said of itself.
void Node::on_nodes(const cluster::TopologyPtr& topology) {
  if (!met_majority_at_) met_majority_at_ = clock_.now();
  link_->on_nodes(topology);
}

void Node::on_shard_recovered() { startup_->shard_recovered(); }

void Node::show(Readiness readiness) {
  view_->set_service_state(readiness == Readiness::serving   ? http::ServiceState::serving
                           : readiness == Readiness::drained ? http::ServiceState::draining
                                                             : http::ServiceState::paused);
}

void Node::welcome_clients() {
  log::info(log::Category::general, "clients.welcome node={}", config_.node_name);
  if (auto started = listeners_->start(); !started) fail(started.error());
}

void Node::pause_clients(Readiness why, const std::string&) {
  log::warn(log::Category::general, "clients.paused reason=\"{}\"",
            why == Readiness::drained ? "this node is drained" : "this node does not reach a majority of its cluster");
  listeners_->stop();
}

void Node::fail(const Error& error) {
  if (failed_.exchange(true)) return;
  if (startup_) startup_->report(std::unexpected(error));
  on_failure_(error);
}

// --- orders from outside ---

void Node::interrupt_start() { stop_.request_stop(); }

/// From shard 0; every shard tells its connections.
void Node::block_publishers(const std::string& reason) {
  core_->on_every_shard([reason](NodeShard& shard) { shard.connections().set_blocked(reason); });
}

void Node::reload(const Config& config) {
  log::set_levels(log_options(config));
  core_->first_shard().post_from_outside([this, limits = config.alarms] { alarms_->set_limits(limits); });
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
  if (was_running) {
    hand_over_leaders();
    stop_clients();
  }
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
  leader_keeper_.reset();
  view_.reset();
  listeners_.reset();
  alarms_.reset();
  core_.reset();
  link_.reset();
  storage_.close();
}

/// Nobody new comes in, and what is led here finds other leaders while the clients of this node still work.
void Node::hand_over_leaders() {
  core_->first_shard().post_from_outside([this] {
    core_->refuse_clients();
    leader_keeper_->stop();
    listeners_->stop();
    doors_->stop();
  });
  const auto shards = core_->shards();
  // All of them before any client has to go: a consumer that goes on one shard may be the last one of a queue on
  // another.
  on_each(shards, [](NodeShard& shard) { shard.begin_to_stop(); });
  const Instant began = clock_.now();
  const Instant deadline = began + patience_with_others(kLeadersLeaveTimeout);
  const auto count = [&] { return sum_of(shards, [](NodeShard& shard) { return shard.count_left_to_lead(); }); };
  const std::size_t led = count();
  std::size_t left = led;
  for (; left > 0 && clock_.now() < deadline; left = count()) pause();
  if (led > 0) {
    log::info(log::Category::cluster, "node.leaders_handed_over groups={} left={} seconds={:.3f}", led - left, left,
              std::chrono::duration<double>(clock_.now() - began).count());
  }
}

/// Clients get `320 CONNECTION_FORCED` and a few seconds to say goodbye.
void Node::stop_clients() {
  const auto shards = core_->shards();
  const auto count = [&] { return sum_of(shards, [](NodeShard& shard) { return shard.connections().size(); }); };
  on_each(shards,
          [](NodeShard& shard) { shard.pause_clients("broker forced connection closure with reason 'shutdown'"); });
  const Instant deadline = clock_.now() + patience_with_others(kClientsLeaveTimeout);
  while (count() > 0 && clock_.now() < deadline) pause();
  on_each(shards, [](NodeShard& shard) { shard.connections().drop_all(); });
  while (count() > 0 && clock_.now() < deadline + kClientsLeaveTimeout) pause();
}

/// With a failed disk every further moment could only mislead them.
Duration Node::patience_with_others(Duration usual) const { return failed_ ? Duration::zero() : usual; }

void Node::stop_shards() {
  for (NodeShard* shard : core_->shards()) shard->shard().stop();
  for (NodeShard* shard : core_->shards()) shard->shard().join();
}

}  // namespace quorate
