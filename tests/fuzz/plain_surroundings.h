// A world for one session without queues or a log: metadata is applied at once, a queue answers every request in the
// shortest way and keeps nothing. Answers wait until the session has returned, as they would on a shard.
#pragma once
#include <deque>
#include <functional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "broker/amqp/session.h"
#include "broker/amqp/surroundings.h"
#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"
#include "cluster/metadata/machine.h"

namespace quorate::amqp {

class PlainSurroundings final : public Surroundings {
 public:
  PlainSurroundings() : machine_(&make_index) {
    apply(cluster::PutVhost{.name = "/"});
    apply(cluster::PutUser{
        .name = "guest", .password_hash = auth::hash_password("guest", auth::Salt{}), .tags = {"administrator"}});
    apply(cluster::SetPermissions{
        .user = "guest", .vhost = "/", .patterns = {.configure = ".*", .write = ".*", .read = ".*"}});
  }

  const cluster::TopologyPtr& topology() const override { return machine_.topology(); }
  const policy::PolicyBook& policies() const override { return policies_; }
  Random& random() override { return random_; }
  NodeId node() const override { return NodeId(1); }
  queue::SessionId begin(Session&) override {
    return {.node = node(), .epoch = Epoch(1), .serial = queue::make_serial(ShardId(0), ++last_serial_)};
  }
  void end(const queue::SessionId&) override {}
  bool admit(Counted, std::uint32_t limit) override {
    if (admitted_ >= limit) return false;
    ++admitted_;
    return true;
  }
  void leave(Counted) override { --admitted_; }
  void remark(std::string) override {}
  std::vector<NodeId> place(std::size_t) override { return {node()}; }
  std::size_t initial_quorum_size() const override { return 1; }
  NodeId choose_leader(cluster::QueueType, const std::vector<NodeId>& members) override { return members.front(); }
  bool has_lost_majority(const cluster::Queue&) const override { return false; }
  bool has_ended(const queue::SessionId&) const override { return false; }
  bool is_congested() const override { return false; }
  std::size_t send(queue::QueueMail mail) override {
    mail_.push_back(std::move(mail));
    return queue::flight_bytes(mail_.back().what);
  }
  void send(queue::SessionMail mail) override { answers_.push_back(std::move(mail)); }
  void submit(const queue::SessionId& from, cluster::MetadataCommand command) override {
    commands_.emplace_back(from, std::move(command));
  }
  bool may_lag() const override { return true; }
  void fence(const queue::SessionId& from) override {
    fences_.push_back(from);
    ++fence_count_;
  }

  /// Done on another node, and seen here behind the next fence.
  void do_elsewhere(cluster::MetadataCommand command) {
    if (const auto* deletion = std::get_if<cluster::DeleteQueue>(&command)) gone_.insert(deletion->id);
    elsewhere_.push_back(std::move(command));
  }
  /// From now on nobody can say what the newest metadata are, or change them.
  void have_no_majority() { has_majority_ = false; }
  /// Done before anything that was asked and is not answered yet.
  void do_first(cluster::MetadataCommand command) { apply(std::move(command)); }
  std::size_t asked_count() const { return commands_.size(); }
  std::size_t fence_count() const { return fence_count_; }
  /// To queues, and not answered yet.
  const std::vector<queue::QueueMail>& mail() const { return mail_; }
  /// To queues.
  std::size_t published_count() const { return published_count_; }

  /// Everything that was asked is answered; false when there was nothing.
  bool answer(Session& session) {
    const bool worked = !commands_.empty() || !mail_.empty() || !answers_.empty() || !fences_.empty();
    if (!fences_.empty()) {
      for (cluster::MetadataCommand& command : std::exchange(elsewhere_, {})) apply(std::move(command));
    }
    for (const queue::SessionId& from : std::exchange(fences_, {})) {
      session.on_metadata(from, {.topology = topology(), .timed_out = !has_majority_});
    }
    for (queue::SessionMail& mail : std::exchange(answers_, {})) session.on_mail(std::move(mail));
    for (auto& [from, command] : std::exchange(commands_, {})) {
      const cluster::Outcome outcome = has_majority_ ? apply(std::move(command)) : cluster::Outcome::unknown;
      session.on_metadata(from, {.outcome = outcome, .topology = topology(), .timed_out = !has_majority_});
    }
    for (const queue::QueueMail& mail : std::exchange(mail_, {})) {
      const auto answer = [&](decltype(queue::SessionMail::what) what) {
        session.on_mail({.to = mail.from, .queue = mail.queue, .what = std::move(what)});
      };
      if (const auto* publish = std::get_if<queue::Publish>(&mail.what)) {
        ++published_count_;
        answer(queue::Taken{.seq = publish->seq, .bytes = queue::flight_bytes(mail.what)});
        deliver(answer, publish->message);
      } else if (const auto* attach = std::get_if<queue::Attach>(&mail.what)) {
        consumer_link_ = attach->consumer.link;
        answer(queue::Attached{.link = consumer_link_});
      } else if (const auto* cancel = std::get_if<queue::Cancel>(&mail.what)) {
        answer(queue::Cancelled{.link = cancel->consumer.link});
      } else if (std::holds_alternative<queue::Get>(mail.what)) {
        answer(queue::GetEmpty{});
      } else if (std::holds_alternative<queue::Purge>(mail.what)) {
        answer(queue::Purged{});
      } else if (std::holds_alternative<queue::Count>(mail.what)) {
        if (gone_.contains(mail.queue)) {
          answer(queue::Gone{});
        } else {
          answer(queue::Counted{});
        }
      } else if (std::holds_alternative<queue::DeleteIf>(mail.what)) {
        apply(cluster::DeleteQueue{.id = mail.queue});
        answer(queue::Deleted{.topology = topology()});
      }
    }
    return worked;
  }

 private:
  static cluster::RoutingIndexPtr make_index(std::string_view type) {
    const exchange::ExchangeType* found = exchange::find_exchange_type(type);
    return found != nullptr ? found->make_index() : nullptr;
  }
  cluster::Outcome apply(cluster::MetadataCommand command) {
    cluster::MetadataEffects effects;
    const Bytes entry = cluster::encode_entry({.commands = {std::move(command)}});
    CHECK(machine_.apply(LogIndex(machine_.topology()->version + 1), entry.view(), effects).has_value());
    policies_.follow(*machine_.topology());
    return effects.outcomes.front();
  }
  /// To the last consumer of the channel that published, as if it consumed from the queue.
  void deliver(const auto& answer, const Message& message) {
    if (consumer_link_ == 0) return;
    answer(queue::Delivery{.link = consumer_link_, .id = ++last_id_, .message = message});
  }

  cluster::MetadataMachine machine_;
  policy::PolicyBook policies_;
  Random random_{1};
  std::uint64_t last_serial_ = 0;
  std::uint32_t consumer_link_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint32_t admitted_ = 0;
  std::vector<std::pair<queue::SessionId, cluster::MetadataCommand>> commands_;
  std::vector<queue::SessionId> fences_;
  bool has_majority_ = true;
  std::size_t fence_count_ = 0;
  std::size_t published_count_ = 0;
  std::set<GroupId> gone_;  // deleted elsewhere: what is left of them answers so
  std::vector<cluster::MetadataCommand> elsewhere_;
  std::vector<queue::QueueMail> mail_;
  std::vector<queue::SessionMail> answers_;
};

/// What a client sends to log in as guest, enter "/" and open channel 1.
inline std::vector<std::byte> login_bytes(const std::vector<std::byte>& properties = {}) {
  std::vector<std::byte> out;
  const ByteView header = as_bytes({"AMQP\0\0\x09\x01", 8});
  out.assign(header.begin(), header.end());
  append_method_frame(out, ChannelId(0),
                      ConnectionStartOk{.client_properties = TableView{properties},
                                        .mechanism = "PLAIN",
                                        .response = std::string_view("\0guest\0guest", 12),
                                        .locale = "en_US"});
  append_method_frame(out, ChannelId(0), ConnectionTuneOk{.channel_max = 10, .frame_max = 8192, .heartbeat = 0});
  append_method_frame(out, ChannelId(0), ConnectionOpen{.virtual_host = "/"});
  append_method_frame(out, ChannelId(1), ChannelOpen{});
  return out;
}

}  // namespace quorate::amqp
