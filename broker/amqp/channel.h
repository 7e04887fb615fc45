// One channel of a connection. It does one thing after the other: while a request is on its way to the metadata or to a
// queue, further frames wait in the backlog, so answers come in the order of the requests. Publishing and settling
// never wait. One clause per method, by class, in channel_<class>.cc.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "broker/amqp/access.h"
#include "broker/amqp/confirm_ledger.h"
#include "broker/amqp/content.h"
#include "broker/amqp/delivery_ages.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/methods.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/reply_to.h"
#include "broker/amqp/session.h"
#include "broker/amqp/unacked_ledger.h"
#include "broker/queue/mail.h"
#include "cluster/metadata/commands.h"

namespace quorate::amqp {

class Channel {
 public:
  Channel(Session& session, ChannelId id);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// A frame of this channel; waits in the backlog while a request is pending.
  void on_frame(const Frame& frame);
  void on_mail(queue::SessionMail mail);
  void on_metadata(const MetadataReply& reply);
  /// End of turn: settlements and confirms go out.
  void flush();
  /// The client's socket has taken all that was sent: consumers may be sent more.
  void on_written();
  /// What the client has had for too long goes back, and its consumer or the channel ends.
  void on_tick(Instant now);
  /// How soon on_tick() is to be called again.
  Duration tick_interval() const;
  /// The channel ends: consumers go, unsettled messages return, nothing is answered any more.
  void end();

  ChannelId id() const { return id_; }
  const queue::SessionId& session_id() const { return session_id_; }
  /// We have closed it and wait for the client to agree; everything else it sends is ignored.
  bool is_closing() const { return closing_; }
  void begin_closing();

  struct Consumer {
    std::string tag;
    GroupId queue;
    std::string queue_name;
    std::uint32_t link = 0;
    bool no_ack = false;
    bool exclusive = false;
    std::uint16_t prefetch = 0;
    Duration timeout{};             // for a delivery to be settled
    std::string arguments;          // encoded table
    bool attached = false;          // the queue has agreed
    std::uint64_t window = 0;       // bytes that the queue may send ahead
    std::uint64_t owed_credit = 0;  // bytes delivered since the queue was last told
  };

  // For listings.
  bool is_transactional() const { return transactional_; }
  bool has_confirms() const { return confirms_; }
  std::uint16_t consumer_prefetch() const { return consumer_prefetch_; }
  std::uint16_t global_prefetch() const { return global_prefetch_; }
  std::size_t unacked_count() const { return unacked_.count(); }
  std::size_t unconfirmed_count() const { return ledger_.unanswered_count(); }
  std::size_t uncommitted_publications() const { return tx_publications_.size(); }
  std::size_t uncommitted_settlements() const { return tx_settlements_.size(); }
  /// In the order of their tags.
  template <class Visit>
  void for_each_consumer(Visit&& visit) const {
    for (const auto& [tag, link] : links_by_tag_) visit(consumers_.at(link));
  }

 private:
  /// A delivery that the channel-wide prefetch holds back.
  struct Held {
    GroupId queue;
    queue::Delivery delivery;
  };
  /// requeue: it failed here (basic.reject); release: somebody else may try (basic.nack, basic.recover); late: somebody
  /// else may, and the consumer gets no more.
  enum class SettleKind : std::uint8_t { settle, requeue, release, unseen, late, discard };
  struct Settlement {
    Unacked unacked;
    SettleKind kind = SettleKind::settle;
  };
  /// A publication with its destinations, kept until tx.commit.
  struct Routed {
    std::vector<GroupId> queues;
    queue::Publish publish;
    bool is_returned = false;  // mandatory, and nobody wants it
  };
  using OnMetadata = std::move_only_function<Handled(const MetadataReply&)>;
  using OnMail = std::move_only_function<Handled(queue::SessionMail&)>;

  // --- frames in order ---
  void process(const Frame& frame);
  void replay_backlog();
  Handled dispatch(const Method& method);
  Handled on_publication(const Publication& publication);
  Handled check_announced_size(const Frame& frame) const;

  // --- one clause per method ---
  Handled on(const ChannelFlow& method);
  Handled on(const ChannelClose& method);
  Handled on(const AccessRequest& method);
  Handled on(const ExchangeDeclare& method);
  Handled on(const ExchangeDelete& method);
  Handled on(const ExchangeBind& method);
  Handled on(const ExchangeUnbind& method);
  Handled on(const QueueDeclare& method);
  Handled on(const QueueBind& method);
  Handled on(const QueueUnbind& method);
  Handled on(const QueuePurge& method);
  Handled on(const QueueDelete& method);
  Handled delete_unasked(GroupId queue, bool no_wait);
  Handled on(const BasicQos& method);
  Handled on(const BasicConsume& method);
  Handled on(const BasicCancel& method);
  Handled on(const BasicCancelOk& method);
  Handled on(const BasicPublish& method);
  Handled on(const BasicGet& method);
  Handled on(const BasicAck& method);
  Handled on(const BasicNack& method);
  Handled on(const BasicReject& method);
  Handled on(const BasicRecover& method);
  Handled on(const BasicRecoverAsync& method);
  Handled on(const ConfirmSelect& method);
  Handled on(const TxSelect& method);
  Handled on(const TxCommit& method);
  Handled on(const TxRollback& method);

  // --- channel_exchange.cc ---
  Handled declare_new_exchange(const ExchangeDeclare& method, const std::string& name);
  Handled check_same_exchange(const cluster::Exchange& current, const ExchangeDeclare& asked) const;
  enum class BindingChange : std::uint8_t { add, remove };
  template <class BindOrUnbind>
  Handled change_exchange_binding(const BindOrUnbind& method, BindingChange change, const Method& ok);
  Handled exchange_binding_of(std::string_view destination, std::string_view source, std::string_view routing_key,
                              TableView arguments, cluster::Binding& out);
  Handled fill_binding_key(std::string_view routing_key, TableView arguments, cluster::Binding& out);
  Handled change_binding(cluster::Binding binding, BindingChange change, bool no_wait, const Method& ok);

  // --- channel_queue.cc ---
  Handled declare_passively(const QueueDeclare& method, std::string name);
  Handled declare_existing(const cluster::Queue& current, const QueueDeclare& method);
  Handled declare_new_queue(const QueueDeclare& method, std::string name);
  Handled check_same_properties(const cluster::Queue& current, const QueueDeclare& method) const;
  cluster::QueueType default_queue_type() const;
  Table declared_arguments(const QueueDeclare& method, cluster::QueueType wanted) const;
  struct Site {
    NodeId first;  // that the queue begins with
    std::vector<NodeId> nodes;
  };
  Site choose_site(const QueueDeclare& method, const Table& arguments, cluster::QueueType type);
  Handled declare_once_more(const std::string& name, const std::vector<std::byte>& request);
  Handled answer_declare(const cluster::Queue& queue, const QueueDeclare& method);
  std::expected<std::string, AmqpError> name_or_last(std::string_view name) const;
  std::expected<const cluster::Queue*, AmqpError> find_queue(std::string_view name) const;
  Handled check_owner(const cluster::Queue& queue) const;
  /// For what takes messages out of a queue: named or last declared, readable by the user, nobody else's.
  std::expected<const cluster::Queue*, AmqpError> queue_to_read(std::string_view asked);
  std::string locked_text(std::string_view name) const;
  std::string random_name(std::string_view prefix);
  Handled queue_binding_of(std::string_view queue, std::string_view exchange, std::string_view routing_key,
                           TableView arguments, cluster::Binding& out);

  // --- channel_basic.cc ---
  Handled check_consume(const BasicConsume& method, const cluster::Queue& queue) const;
  Handled consume(const BasicConsume& method, const cluster::Queue& queue, std::string tag);
  void deliver(GroupId queue, queue::Delivery delivery);
  void write_delivery(Consumer& consumer, GroupId queue, const queue::Delivery& delivery);
  void send_content(const queue::Delivery& delivery);
  void on_consumer_gone(const queue::Gone& gone);
  void forget_consumer(std::uint32_t link);
  void release_held();
  void drop_held_of(std::uint32_t link);
  bool is_global_limit_reached() const { return global_prefetch_ != 0 && unacked_.count() >= global_prefetch_; }
  Handled settle(DeliveryTag tag, bool multiple, SettleKind kind);
  void settle_now(const Unacked& unacked, SettleKind kind) { settlements_.push_back({unacked, kind}); }
  static queue::ReturnReason reason_of(SettleKind kind);
  void flush_settlements();
  void on_taken(const queue::Taken& taken);

  // --- channel_timeout.cc ---
  static Duration to_timeout(std::int64_t ms);
  Duration timeout_of(const cluster::Queue& queue) const;
  Duration timeout_of(const Unacked& unacked) const;
  void heed_timeout(Duration timeout);
  std::vector<Unacked> late_deliveries(Instant now) const;
  bool give_up(std::uint32_t link);
  std::expected<Duration, AmqpError> consumer_timeout(const BasicConsume& method, const cluster::Queue& queue);

  // --- channel_reply_to.cc ---
  Handled declare_reply_to(std::string_view name, bool no_wait);
  Handled consume_replies(const BasicConsume& method, std::string tag);
  Handled cancel_replies(std::string_view tag, bool no_wait);
  std::expected<Message, AmqpError> with_reply_address(const Message& message, const PropertiesView& view);
  void send_reply(const ReplyAddress& address, const Message& message);
  void on_direct_reply(queue::Delivery delivery);

  // --- channel_publish.cc ---
  std::span<const std::uint64_t> route(const cluster::Exchange& exchange, ByteView headers);
  static std::expected<std::optional<std::uint64_t>, AmqpError> ttl_of(const PropertiesView& properties);
  Handled check_user_id(const PropertiesView& properties) const;
  static Message without_bcc(const Message& message, const PropertiesView& view);
  void send_publication(GroupId queue, const queue::Publish& publish);
  void send_return(const Message& message);
  void send_answers();
  Handled finish_commit();

  // --- asking others ---
  const cluster::Topology& topology() const { return *session_.surroundings_.topology(); }
  const std::string& vhost() const { return session_.vhost(); }
  std::string describe(auth::ResourceKind kind, std::string_view name) const;
  Handled require(auth::Permission permission, auth::ResourceKind kind, std::string_view name);
  std::string timed_out_text(const cluster::MetadataCommand& command) const;
  void submit(cluster::MetadataCommand command, OnMetadata then);
  bool may_be_followed(const cluster::MetadataCommand& command) const;
  /// `link` is the consumer that the request is about, or queue::kGetLink.
  void ask(GroupId queue, std::uint32_t link, decltype(queue::QueueMail::what) request, OnMail then);
  void on_forgotten(GroupId queue);
  bool is_answer(const queue::SessionMail& mail) const;
  void on_answer(queue::SessionMail& mail);
  Handled unreachable(const cluster::Queue& queue) const;
  void mail(GroupId queue, decltype(queue::QueueMail::what) what);
  bool is_waiting() const { return !awaited_.empty() || on_reply_ || committing_; }
  bool follow(const Frame& frame);
  bool may_follow(const Frame& frame) const;
  void finish(Handled handled);
  bool may_lag() const { return !is_fenced_ && session_.surroundings_.may_lag(); }
  /// A name that is not known may have been declared on another node a moment ago, and what is in the way deleted:
  /// before a client hears that, `again` is carried out with the newest metadata there is.
  template <class Again>
  void finish_or_fence(Handled handled, Again&& again);
  bool may_be_outdated(const AmqpError& error) const;
  void fence(std::move_only_function<Handled()> repeat);
  template <class T>
  void send(const T& method) {
    session_.outbox_.method(id_, method);
  }

  Session& session_;
  const ChannelId id_;
  const queue::SessionId session_id_;
  bool closing_ = false;
  bool ended_ = false;

  std::uint32_t method_id_ = 0;  // being handled, for the error that names it
  std::uint32_t waiting_method_id_ = 0;
  bool is_fenced_ = false;   // topology() is newer than what is being handled
  std::size_t covered_ = 0;  // octets at the front of the backlog that came before the metadata was last asked
  /// A change of the metadata that was asked for, or a fence.
  struct Awaited {
    OnMetadata then;
    std::uint32_t method_id = 0;
    bool may_be_followed = false;
  };
  std::vector<Awaited> awaited_;  // in the order of the answers; more than one only of those that may be followed
  bool is_following_ = false;     // what is being handled has others before it
  std::vector<MetadataReply> early_replies_;  // to be heard after on_reply_
  OnMail on_reply_;
  std::uint32_t asked_link_ = queue::kGetLink;  // of the request behind on_reply_
  GroupId asked_queue_;
  std::vector<std::byte> backlog_;  // whole frames, as they came

  ContentAssembler content_;
  std::size_t publishing_bytes_ = 0;  // this channel's part of the session's
  std::string last_queue_;            // declared on this channel

  std::map<std::string, std::uint32_t, std::less<>> links_by_tag_;
  std::unordered_map<std::uint32_t, Consumer> consumers_;  // by link
  std::uint32_t last_link_ = queue::kGetLink;
  std::optional<std::uint64_t> reply_key_;  // of the addresses that lead here, while there is a reply consumer
  std::uint32_t reply_link_ = 0;            // that consumer
  bool drops_replies_ = false;              // its client does not read them
  std::set<GroupId> queues_touched_;        // that must hear when the channel ends
  std::uint16_t consumer_prefetch_ = 0;
  std::uint16_t global_prefetch_ = 0;
  std::deque<Held> held_;
  UnackedLedger unacked_;
  DeliveryAges ages_;
  Duration shortest_timeout_;  // of all that were given to deliveries here
  // Consumers that were too late, and the last tag that one of them may still hold.
  std::map<std::uint32_t, DeliveryTag> given_up_;
  std::vector<Unacked> taken_unacked_;   // scratch
  std::vector<Settlement> settlements_;  // since the last flush

  bool confirms_ = false;
  ConfirmLedger ledger_;
  std::vector<Answer> answers_;  // scratch

  bool transactional_ = false;
  bool committing_ = false;
  bool tx_refused_ = false;  // a queue did not take a publication of the transaction
  std::vector<Routed> tx_publications_;
  std::vector<Settlement> tx_settlements_;
};

}  // namespace quorate::amqp
