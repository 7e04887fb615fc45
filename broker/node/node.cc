#include "broker/node/node.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"
#include "broker/node/session_options.h"

namespace quorate {
namespace {

constexpr std::string_view kLogFact = "log";  // identity of the log database
constexpr std::string_view kEpochFact = "epoch";
constexpr std::string_view kCleanEpochFact = "clean_epoch";  // the last one that ended in order
/// A write that takes longer means a disk that hangs: others should lead meanwhile.
constexpr Duration kDiskStallMax = std::chrono::seconds(2);
constexpr auto kClientsLeaveTimeout = std::chrono::seconds(5);

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

/// Between two looks at something that other threads are finishing.
void pause() {
  std::promise<void> never;
  never.get_future().wait_for(std::chrono::milliseconds(5));
}

}  // namespace

/// What start() waits for: the first error, or that every shard has recovered. Reported once, from any thread.
class Node::Startup {
 public:
  explicit Startup(std::size_t shards) : waiting_(shards) {}
  void shard_recovered() {
    if (waiting_.fetch_sub(1) == 1) report({});
  }
  void report(Result<void> result) {
    if (!reported_.test_and_set()) outcome_.set_value(std::move(result));
  }
  Result<void> wait() { return outcome_.get_future().get(); }

 private:
  std::atomic<std::size_t> waiting_;
  std::atomic_flag reported_;
  std::promise<Result<void>> outcome_;
};

Node::Node(Config config, std::function<void(const Error&)> on_failure)
    : config_(std::move(config)), on_failure_(std::move(on_failure)), session_options_(session_options(config_)) {}

Node::~Node() { CHECK(!running_); }

Result<void> Node::start() {
  if (auto opened = open_state(); !opened) return opened;
  if (auto met = meet_others(); !met) return met;
  if (auto opened = open_log(); !opened) return opened;
  build_shards();
  // Busy ports are noticed before anything is recovered.
  if (auto opened = listeners_->open(); !opened) {
    stop();
    return opened;
  }
  if (auto opened = doors_->open(listeners_->rows()); !opened) {
    stop();
    return opened;
  }
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
  for (std::string& name : doors_->names()) names.push_back(std::move(name));
  return names;
}

Result<void> Node::open_state() {
  std::error_code error;
  std::filesystem::create_directories(config_.data_dir, error);
  if (error) {
    return failure(ErrorCode::io, "cannot create the data directory '" + config_.data_dir + "': " + error.message());
  }
  auto lock = storage::DirectoryLock::acquire(config_.data_dir);
  if (!lock) return std::unexpected(lock.error());
  lock_.emplace(std::move(*lock));

  const std::filesystem::path directory = config_.data_dir;
  auto snapshots = storage::SnapshotStore::open({.path = (directory / "state").string()});
  if (!snapshots) return std::unexpected(snapshots.error());
  auto before = (*snapshots)->get(kEpochFact);
  if (!before) return std::unexpected(before.error());
  std::uint32_t last_epoch = 0;
  if (*before) {
    const auto [end, fault] = std::from_chars((*before)->data(), (*before)->data() + (*before)->size(), last_epoch);
    if (fault != std::errc{}) {
      return failure(ErrorCode::corruption, "the epoch recorded in '" + config_.data_dir + "/state' is no number");
    }
  }
  epoch_ = Epoch(last_epoch + 1);
  auto clean = (*snapshots)->get(kCleanEpochFact);
  if (!clean) return std::unexpected(clean.error());
  after_crash_ = *before && *clean != *before;
  if (auto put = (*snapshots)->put(kEpochFact, std::to_string(epoch_.value())); !put) return put;
  snapshots_ = std::move(*snapshots);
  return {};
}

/// What a disk has lost, a node of several gets back from the others.
Result<void> Node::open_log() {
  const std::filesystem::path directory = config_.data_dir;
  const auto on_loss =
      record_.nodes.size() > 1 ? storage::LogStore::OnLoss::recover : storage::LogStore::OnLoss::refuse;
  auto log = storage::LogStore::open({.path = (directory / "log").string(), .epoch = epoch_, .on_loss = on_loss});
  if (!log) return std::unexpected(log.error());
  if (auto known = check_log_identity(**log); !known) return known;
  log_ = std::move(*log);
  writer_ = std::make_unique<storage::LogWriter>(*log_, clock_);
  reader_ = std::make_unique<storage::LogReader>(*log_);
  storage_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
  return {};
}

/// A node whose log has vanished beside its state would vote anew under an old name.
Result<void> Node::check_log_identity(const storage::LogStore& log) {
  auto known = snapshots_->get(kLogFact);
  if (!known) return std::unexpected(known.error());
  const auto identity = log.identity();
  if (!identity) return std::unexpected(identity.error());
  if (!*known) return snapshots_->put(kLogFact, *identity);
  if (**known == *identity) return {};
  return failure(ErrorCode::corruption, "the log in '" + config_.data_dir +
                                            "/log' is not the one that this node has written: it must not act under "
                                            "its old name; bring the log back, or replace the node");
}

void Node::build_shards() {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t wanted = config_.shards != 0 ? config_.shards : cores;
  const std::size_t count = std::min({wanted, std::size_t{1} << queue::kShardBits, cluster::NodeLiveness::kShardsMax});
  Random seeds = Random::from_system();
  const auto counters = std::make_shared<NodeCounters>();
  std::vector<cluster::Shard*> shards;
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<cluster::Shard>(ShardId(static_cast<std::uint32_t>(i)), clock_));
    shards.push_back(shards_.back().get());
  }
  std::vector<NodeShard*> node_shards;
  for (std::size_t i = 0; i < count; ++i) {
    cluster::Shard* shard = shards[i];
    shard->connect(shards);
    ShardPost* post = nullptr;
    if (link_->is_clustered()) {
      posts_.push_back(std::make_unique<ShardPost>(*shard, link_->plane(),
                                                   [this, i](NodeId to) { node_shards_[i]->on_node_unreachable(to); }));
      post = posts_.back().get();
    }
    node_shards_.push_back(
        std::make_unique<NodeShard>(*shard, *storage_, session_options_,
                                    NodeShard::Options{.node = self(),
                                                       .epoch = epoch_,
                                                       .after_crash = after_crash_,
                                                       .seed = seeds.next(),
                                                       .initial_quorum_size = config_.cluster.initial_quorum_size,
                                                       .counters = counters,
                                                       .transport = post,
                                                       .remote = post,
                                                       .on_failure = [this](const Error& error) { fail(error); }}));
    node_shards.push_back(node_shards_.back().get());
  }
  metadata_ = std::make_unique<cluster::MetadataHost>(
      first_shard(), node_shards.front()->groups(),
      cluster::MetadataHost::Options{
          .node = self(), .epoch = epoch_, .make_index = &make_index, .forward = [this](NodeId to, const Bytes& entry) {
            posts_.front()->send_metadata(to, entry);
          }});
  first_shard().add_hook(*metadata_);
  for (NodeShard* shard : node_shards) shard->connect(node_shards, *metadata_);
  // Last of a turn: what it made for other nodes leaves.
  for (std::size_t i = 0; i < posts_.size(); ++i) shards_[i]->add_hook(posts_[i]->outgoing());
  watch_ = std::make_unique<cluster::ClusterWatch>(
      first_shard(), epoch_,
      cluster::ClusterWatch::Surroundings{
          .send =
              [this](NodeId to, const cluster::Heartbeat& beat) {
                posts_.front()->send(to, beat);
                posts_.front()->send(to, alarms_->own());
              },
          .on_node_live =
              [this](NodeId node, bool live) {
                log::info(log::Category::cluster, "node.{} node={}", live ? "up" : "down", link_->name_of(node));
                if (!live) alarms_->set_remote(node, link_->name_of(node), {});
                on_every_shard([node, live](NodeShard& shard) { shard.on_node_live(node, live, false); });
              },
          .on_given_up =
              [this](NodeId node) {
                on_every_shard([node](NodeShard& shard) { shard.on_node_live(node, false, true); });
              },
          .on_majority = [this](bool has_majority) { on_majority(has_majority); },
          .is_disk_well = [this] { return writer_->busy_for(clock_.now()) < kDiskStallMax; }});
  alarms_ = std::make_unique<alarms::AlarmWatch>(
      first_shard(),
      alarms::AlarmWatch::Options{.node = self(),
                                  .node_name = config_.node_name,
                                  .data_dir = config_.data_dir,
                                  .limits = config_.alarms,
                                  .on_change = [this](const std::string& reason) { block_publishers(reason); }});
  link_->connect(node_shards, *metadata_, *watch_, *alarms_, *reader_);
  listeners_ = std::make_unique<Listeners>(config_, node_shards);
  doors_ = std::make_unique<OperatorDoors>(
      NodeView::Parts{.config = config_, .shards = node_shards, .link = *link_, .watch = *watch_, .alarms = *alarms_});
  link_->set_on_question([this](std::string_view kind, Bytes words, cluster::AnswerFunction answer) {
    if (kind != NodeView::kQuestion) {
      return answer(failure(ErrorCode::invalid_argument, "no such question: " + std::string(kind)));
    }
    first_shard().post_from_outside([this, words = std::move(words), answer = std::move(answer)]() mutable {
      doors_->view().on_question(words, std::move(answer));
    });
  });
}

/// The others, if there are to be any: who this node is follows from the cluster it belongs to.
Result<void> Node::meet_others() {
  link_ = std::make_unique<ClusterLink>(config_, clock_, *snapshots_);
  auto record = link_->form(stop_.get_token());
  if (!record) return std::unexpected(record.error());
  record_ = std::move(*record);
  return {};
}

/// Metadata first; what it knows tells which queues there are.
Result<void> Node::recover() {
  startup_ = std::make_shared<Startup>(shards_.size());
  running_ = true;
  for (auto& shard : shards_) shard->start();
  first_shard().post_from_outside([this] { doors_->start(); });
  first_shard().post_from_outside([this] {
    watch_->start();
    watch_->set_others(others(record_.nodes));
    if (auto started = metadata_->start(birth_of_metadata()); !started) return fail(started.error());
    announce_start();
  });
  link_->open(record_, epoch_);
  const std::stop_callback on_stop(stop_.get_token(), [startup = startup_] {
    startup->report(failure(ErrorCode::unavailable, "stopped before a majority of the cluster was there"));
  });
  return startup_->wait();
}

/// A founder is born among the founders. Whoever joins begins outside: the leader takes it in.
cluster::Birth Node::birth_of_metadata() const {
  cluster::Birth birth{.self = record_.replica, .configuration = {.voters = record_.founders}};
  birth.campaign = record_.founders.front() == record_.replica;
  return birth;
}

/// Leftovers of this node's earlier epochs go. Whatever the answer contains, this node knows now.
void Node::announce_start() {
  submit_all({cluster::NodeStarted{.node = self(), .epoch = epoch_}}, metadata_->topology(),
             [this](const cluster::TopologyPtr& topology) { introduce_nodes(topology); });
}

/// The first nodes of a cluster tell the metadata of each other, and a node that has moved where it is now.
void Node::introduce_nodes(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  const cluster::ClusterNode* row = topology->find_node(self());
  const cluster::ClusterNode here = link_->here(record_);
  if (row == nullptr && topology->nodes.empty()) {
    for (const cluster::ClusterNode& node : record_.nodes) commands.emplace_back(cluster::PutNode{.node = node});
    commands.emplace_back(cluster::NodeStarted{.node = self(), .epoch = epoch_});
  } else if (row == nullptr) {
    return fail({.code = ErrorCode::unavailable,
                 .text = "the cluster has forgotten this node: to join again it needs an empty data directory"});
  } else if (row->host != here.host || row->port != here.port) {
    commands.emplace_back(cluster::PutNode{.node = here});
  }
  // Whoever drains a node stops it, as a rule; its next start ends that.
  if (row != nullptr && row->drained) commands.emplace_back(cluster::DrainNode{.id = self(), .drained = false});
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { create_defaults(now); });
}

/// An empty cluster gets its default vhost and user.
void Node::create_defaults(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  if (topology->vhosts.empty()) {
    commands.emplace_back(cluster::PutVhost{.name = config_.default_vhost});
    Random random = Random::from_system();
    auth::Salt salt;
    for (std::byte& octet : salt) octet = static_cast<std::byte>(random.next());
    commands.emplace_back(cluster::PutUser{.name = config_.default_user,
                                           .password_hash = auth::hash_password(config_.default_pass, salt),
                                           .tags = config_.default_user_tags});
    commands.emplace_back(cluster::SetPermissions{.user = config_.default_user,
                                                  .vhost = config_.default_vhost,
                                                  .patterns = {.configure = config_.default_permission_configure,
                                                               .write = config_.default_permission_write,
                                                               .read = config_.default_permission_read}});
  }
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { begin_to_serve(now); });
}

void Node::begin_to_serve(const cluster::TopologyPtr& topology) {
  drop_orphans(*topology);
  metadata_->set_publish([this](const auto&... change) { publish(change...); });
  follow_nodes(topology);
  recover_queues(topology);
}

/// `then` gets the version in which all of them have been carried out; with nothing to do that is `before`.
void Node::submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then) {
  if (commands.empty()) return then(before);
  const auto left = std::make_shared<std::size_t>(commands.size());
  for (cluster::MetadataCommand& command : commands) {
    metadata_->submit(std::move(command), [left, then](cluster::Outcome, const cluster::TopologyPtr& topology) {
      if (--*left == 0) then(topology);
    });
  }
}

/// A group that was declared within the history we know and is not in the topology was deleted: its log may go.
void Node::drop_orphans(const cluster::Topology& topology) {
  std::set<GroupId> found;
  for (const GroupId group : log_->groups()) found.insert(group);
  for (const GroupId group : snapshots_->groups()) found.insert(group);
  for (const GroupId group : found) {
    const GroupId owner = storage::is_staging(group) ? storage::owner_of_staging(group) : group;
    const bool is_deleted = owner != kMetadataGroup && cluster::declared_at(owner) <= topology.version &&
                            topology.find_queue(owner) == nullptr;
    if (is_deleted) node_shards_.front()->groups().drop(group);
  }
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
  if (wanted == serving_) return;
  serving_ = wanted;
  doors_->view().set_service_state(wanted       ? http::ServiceState::serving
                                   : is_drained ? http::ServiceState::draining
                                                : http::ServiceState::paused);
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

template <class Task>
void Node::on_every_shard(Task task) {
  for (auto& node_shard : node_shards_) {
    first_shard().post(node_shard->shard().id(), [shard = node_shard.get(), task] { task(*shard); });
  }
}

void Node::recover_queues(const cluster::TopologyPtr& topology) {
  for (auto& node_shard : node_shards_) {
    first_shard().post(node_shard->shard().id(), [shard = node_shard.get(), topology, startup = startup_] {
      shard->recover(topology, [startup] { startup->shard_recovered(); });
    });
  }
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
  if (std::exchange(running_, false)) {
    stop_clients();
    if (link_) link_->close();
    stop_shards();
  }
  if (writer_) writer_->stop();
  if (reader_) {
    reader_->abandon_chores();
    reader_->stop();
  }
  note_clean_end();
  doors_.reset();
  listeners_.reset();
  watch_.reset();
  alarms_.reset();
  metadata_.reset();
  node_shards_.clear();
  posts_.clear();
  shards_.clear();
  link_.reset();
  reader_.reset();
  writer_.reset();
  log_.reset();
  snapshots_.reset();
  lock_.reset();
}

/// Everything that was submitted is in the log.
void Node::note_clean_end() {
  if (!snapshots_ || failed_ || (after_crash_ && !served_)) return;
  if (auto put = snapshots_->put(kCleanEpochFact, std::to_string(epoch_.value())); !put) {
    log::warn(log::Category::storage, "end not recorded reason=\"{}\"", put.error().text);
  }
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
