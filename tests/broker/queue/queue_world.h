// Queues on one shard with real storage and no thread of the shard's own: a test sends mail, turns the crank and reads
// what the sessions got. Session 1 is link 1, and so on; a message is its body.
#pragma once
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "broker/queue/queue_directory.h"
#include "cluster/group_host.h"
#include "cluster/metadata/machine.h"
#include "cluster/shard.h"
#include "storage/disk_storage.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"
#include "tests/storage/directories.h"

namespace quorate::queue {

inline constexpr GroupId kDurable{cluster::kIdsPerEntry + 1};  // declared at entry 1 of the metadata
inline constexpr GroupId kTransient{cluster::kIdsPerEntry + 2};

class QueueWorld : public MailReceiver, public RemotePost, public ::testing::Test {
 protected:
  static constexpr NodeId kNode{1};

  QueueWorld() { open(); }
  ~QueueWorld() override { close(); }

  // --- the node's life ---
  void open() {
    ++epoch_;
    snapshots_ = must(storage::SnapshotStore::open({.path = directory_ / "state"}));
    log_ = must(storage::LogStore::open({.path = directory_ / "log", .epoch = Epoch(epoch_)}));
    writer_ = std::make_unique<storage::LogWriter>(*log_, storage_clock_);
    reader_ = std::make_unique<storage::LogReader>(*log_);
    storage_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
    shard_ = std::make_unique<cluster::Shard>(ShardId(0), clock_);
    shard_->connect({shard_.get()});
    switchboard_ = std::make_unique<Switchboard>(*shard_, kNode, this);
    switchboard_->connect({this});
    groups_ = std::make_unique<cluster::GroupHost>(
        *shard_, *storage_, nullptr, cluster::HostOptions{.node = kNode, .epoch = Epoch(epoch_)}, note_failure());
    directory_of_queues_ = std::make_unique<QueueDirectory>(
        *shard_, QueueSurroundings{.switchboard = *switchboard_,
                                   .groups = *groups_,
                                   .cache_budget = budget_,
                                   .transient_bodies = transient_bodies_,
                                   .node = kNode,
                                   .epoch = Epoch(epoch_),
                                   .after_crash = after_crash_,
                                   .health_of = [](NodeId) { return NodeHealth::live; },
                                   .settings_of = [this](const cluster::Queue&) { return settings_; },
                                   .topology = [this]() -> const cluster::Topology& { return *topology_; },
                                   .announce = [this](const Leadership&, bool) { ++announcements_; },
                                   .on_taken_over = [](const cluster::Queue&, std::optional<NodeId>) {},
                                   .report_placed = [](GroupId, std::vector<raft::ReplicaId>) {},
                                   .adopt =
                                       [this](ShardId, GroupId, std::vector<Adopted> consumers) {
                                         std::ranges::move(consumers, std::back_inserter(adopted_));
                                       },
                                   .request_delete = [this](GroupId id) { delete_requests_.push_back(id); },
                                   .mark_dirty = {},
                                   .on_failure = note_failure()});
    shard_->add_hook(*switchboard_);
    shard_->add_hook(*directory_of_queues_);
    shard_->add_hook(*groups_);
    const auto recovered = directory_of_queues_->recover(topology_);
    EXPECT_TRUE(recovered) << recovered.error().text;
  }
  void close() {
    if (!shard_) return;
    writer_->stop();
    reader_->stop();
    directory_of_queues_.reset();
    groups_.reset();
    switchboard_.reset();
    shard_.reset();
    reader_.reset();
    writer_.reset();
    log_.reset();
    snapshots_.reset();
    budget_.used = 0;
    transient_bodies_.used = 0;
  }
  void restart() {
    settle();
    close();
    mail_.clear();
    open();
    settle();
  }

  /// Runs turns until neither the shard nor a storage thread has anything left to do.
  void settle() {
    bool worked = true;
    while (worked) {
      while (shard_->run_turn()) continue;
      wait_for_storage();
      worked = shard_->run_turn();
    }
  }
  void turn() { shard_->run_turn(); }
  void advance(Duration by) {
    clock_.advance(by);
    settle();
  }

  // --- what sessions send ---
  SessionId session(unsigned number) const {
    return {.node = kNode, .epoch = Epoch(epoch_), .serial = make_serial(ShardId(0), number)};
  }
  ConsumerKey consumer(unsigned number) const { return {.session = session(number), .link = number}; }
  void send(unsigned from, decltype(QueueMail::what) what, GroupId queue = kDurable) {
    switchboard_->send(QueueMail{.queue = queue, .from = session(from), .what = std::move(what)});
  }
  /// With the sequence numbers 1, 2, … when somebody waits for confirms.
  void publish(const std::string& body, GroupId queue = kDurable, bool persistent = true) {
    send(9,
         Publish{.message = make_message("", "k", {}, as_bytes(body)),
                 .body_size = static_cast<std::uint32_t>(body.size()),
                 .persistent = persistent,
                 .seq = PublishSeq(++published_)},
         queue);
  }
  void attach(unsigned number, Attach attach = {}, GroupId queue = kDurable) {
    attach.consumer = consumer(number);
    if (attach.window == 0) attach.window = 1u << 30;
    send(number, attach, queue);
  }
  void settle_ids(unsigned number, std::uint64_t first, std::uint64_t last, GroupId queue = kDurable) {
    send(number, Settle{.consumer = consumer(number), .ids = {{.first = first, .last = last}}}, queue);
  }

  /// From a session of another node. Through a queue's life its parcels have one leader.
  void send_from_afar(const SessionId& session, std::uint64_t number, QueueMailBody what, GroupId queue = kDurable) {
    Parcel parcel{.queue = queue, .from = session, .term = this->queue(queue).leadership().term, .first = number};
    parcel.commands.push_back(std::move(what));
    switchboard_->send(kNode, std::move(parcel));
  }
  std::uint64_t syncs() const { return writer_->counters().syncs; }

  // --- what sessions got ---
  /// As "1:a 2:b! taken attached", since the last call.
  std::string got() {
    std::string text;
    for (const SessionMail& mail : std::exchange(mail_, {})) {
      text += (text.empty() ? "" : " ") + std::visit([](const auto& what) { return text_of(what); }, mail.what);
    }
    return text;
  }
  std::vector<SessionMail> take_mail() { return std::exchange(mail_, {}); }
  std::vector<SessionMail> deliveries() {
    std::vector<SessionMail> mail = take_mail();
    std::erase_if(mail, [](const SessionMail& each) { return !std::holds_alternative<Delivery>(each.what); });
    return mail;
  }
  std::vector<std::string> bodies() {
    std::vector<std::string> out;
    for (const SessionMail& mail : std::exchange(mail_, {})) {
      if (const auto* delivery = std::get_if<Delivery>(&mail.what)) {
        out.emplace_back(as_text(delivery->message.body()));
      }
    }
    return out;
  }
  std::size_t taken_count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(mail_, [](const SessionMail& mail) { return std::holds_alternative<Taken>(mail.what); }));
  }

  /// `settings` are what the policies ask for from now on.
  void ask_for(Configure settings) {
    settings_ = settings;
    cluster::Topology next = *topology_;
    next.policies = next.policies.with("p", {.priority = static_cast<std::int32_t>(++next.version)});
    topology_ = std::make_shared<const cluster::Topology>(std::move(next));
    directory_of_queues_->on_topology(topology_, {});
  }

  const Queue& queue(GroupId id = kDurable) const { return *directory_of_queues_->find(id); }
  std::size_t log_entries(GroupId id = kDurable) const {
    std::size_t count = 0;
    EXPECT_TRUE(log_->scan(id, LogIndex(0), LogIndex(UINT64_MAX), [&](raft::Entry&&) { return ++count > 0; }));
    return count;
  }

  static cluster::TopologyPtr topology(std::uint64_t version = 1, bool with_durable = true) {
    cluster::Topology topology{.version = version};
    const auto add = [&](GroupId id, const char* name, bool durable) {
      topology.queues_by_id = topology.queues_by_id.with(id.value(), definition(id, name, durable));
    };
    if (with_durable) add(kDurable, "durable", true);
    add(kTransient, "transient", false);
    return std::make_shared<const cluster::Topology>(std::move(topology));
  }
  static cluster::QueuePtr definition(GroupId id, const char* name, bool durable) {
    return std::make_shared<const cluster::Queue>(cluster::Queue{
        .id = id, .vhost = "/", .name = name, .durable = durable, .auto_delete = !durable, .node = kNode});
  }

  Configure settings_;  // of queues that begin to work from now on
  cluster::TopologyPtr topology_ = topology();
  CacheBudget budget_;  // a test may change its limits
  CacheBudget transient_bodies_;
  std::vector<Error> failures_;
  int announcements_ = 0;  // of leaders
  std::vector<GroupId> delete_requests_;
  std::vector<Adopted> adopted_;
  bool after_crash_ = false;  // of the next open()
  std::unique_ptr<QueueDirectory> directory_of_queues_;
  std::unique_ptr<cluster::GroupHost> groups_;
  std::unique_ptr<cluster::Shard> shard_;
  std::unique_ptr<storage::LogStore> log_;
  std::unique_ptr<storage::SnapshotStore> snapshots_;

 private:
  void on_mail(QueueMail mail) override { directory_of_queues_->on_mail(std::move(mail)); }
  void on_mail(SessionMail mail) override { mail_.push_back(std::move(mail)); }
  void on_mail(Parcel parcel) override { directory_of_queues_->on_mail(std::move(parcel)); }
  void on_mail(Numbering numbering) override { directory_of_queues_->on_mail(numbering); }

  // What leaves for other nodes stands among the rest.
  void send(NodeId, const SessionMail& mail) override { mail_.push_back(mail); }
  void send(NodeId, const Relayed& relayed) override { mail_.push_back(relayed.mail); }
  void send(NodeId, const Parcel&) override {}
  void send(NodeId, const Leadership&) override {}
  void send(NodeId, const WhoLeads&) override {}

  template <class T>
  static T must(Result<T> result) {
    CHECK(result.has_value());
    return std::move(*result);
  }
  std::function<void(const Error&)> note_failure() {
    return [this](const Error& error) { failures_.push_back(error); };
  }
  /// Each storage thread answers in order: after this all its earlier answers are in the mailbox.
  void wait_for_storage() {
    std::promise<void> written;
    std::promise<void> read;
    std::promise<void> chores_done;
    writer_->submit({}, 0, storage::Durability::buffered, [&](const Result<void>&) { written.set_value(); });
    reader_->read_each(kDurable, {}, [&](const auto&) { read.set_value(); });
    reader_->run([&] { chores_done.set_value(); });
    written.get_future().wait();
    read.get_future().wait();
    chores_done.get_future().wait();
  }

  static std::string text_of(const Delivery& e) {
    return std::to_string(e.link) + ":" + std::string(as_text(e.message.body())) + (e.redelivered ? "!" : "");
  }
  static std::string text_of(const Taken& e) { return "taken" + std::to_string(e.seq.value()); }
  static std::string text_of(const Attached&) { return "attached"; }
  static std::string text_of(const Cancelled&) { return "cancelled"; }
  static std::string text_of(const GetOk& e) {
    return "got " + text_of(e.delivery) + " left " + std::to_string(e.ready_left);
  }
  static std::string text_of(const GetEmpty&) { return "empty"; }
  static std::string text_of(const Purged& e) { return "purged" + std::to_string(e.count); }
  static std::string text_of(const Counted& e) {
    return "counted" + std::to_string(e.ready) + "/" + std::to_string(e.consumers);
  }
  static std::string text_of(const Deleted& e) {
    static constexpr const char* kOutcomes[] = {"deleted", "in_use", "not_empty"};
    return kOutcomes[static_cast<std::size_t>(e.outcome)] + std::to_string(e.count);
  }
  static std::string text_of(const Through& e) { return "through" + std::to_string(e.number); }
  static std::string text_of(const Refused& e) { return "refused" + std::to_string(e.number); }
  static std::string text_of(const Forgotten&) { return "forgotten"; }
  static std::string text_of(const Referred&) { return "referred"; }
  static std::string text_of(const Gone& e) { return "gone" + std::to_string(e.link); }

  storage::TestDirectory directory_;
  ManualClock clock_;
  SystemClock storage_clock_;  // of the log writer, whose thread waits for real
  std::uint32_t epoch_ = 0;
  std::uint64_t published_ = 0;
  std::unique_ptr<storage::LogWriter> writer_;
  std::unique_ptr<storage::LogReader> reader_;
  std::unique_ptr<storage::DiskStorage> storage_;
  std::unique_ptr<Switchboard> switchboard_;
  std::vector<SessionMail> mail_;
};

}  // namespace quorate::queue
