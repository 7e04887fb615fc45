// Publishing, confirms and transactions (features.md P130-P134, P160-P165, E003, E045).
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/expiration.h"
#include "broker/amqp/names.h"
#include "broker/amqp/table_codec.h"

namespace quorate::amqp {
namespace {

using auth::Permission;
using auth::ResourceKind;

/// What the router asks of the topology of one vhost.
class TopologyLookup final : public exchange::ExchangeLookup {
 public:
  TopologyLookup(const Surroundings& surroundings, const std::string& vhost)
      : topology_(*surroundings.topology()), policies_(surroundings.policies()), vhost_(vhost) {}

  const cluster::RoutingIndex* index_of(std::uint64_t exchange) const override {
    const cluster::ExchangePtr* found = topology_.exchanges_by_id.find(exchange);
    return found != nullptr ? (*found)->index.get() : nullptr;
  }
  std::optional<std::uint64_t> alternate_of(std::uint64_t exchange) const override {
    const cluster::ExchangePtr* found = topology_.exchanges_by_id.find(exchange);
    if (found == nullptr) return std::nullopt;
    const std::string name = policy::alternate_of(**found, policies_);
    const cluster::Exchange* alternate = name.empty() ? nullptr : topology_.find_exchange(vhost_, name);
    return alternate != nullptr ? std::optional(alternate->id) : std::nullopt;
  }

 private:
  const cluster::Topology& topology_;
  const policy::PolicyBook& policies_;
  const std::string& vhost_;
};

}  // namespace

Handled Channel::on(const BasicPublish& method) {
  if (method.immediate) return refuse(ReplyCode::not_implemented, "immediate=true");
  content_.begin(method);
  return {};
}

/// The size is known before the body comes, so a body that is too large is never held.
Handled Channel::check_announced_size(const Frame& frame) const {
  if (frame.type != FrameType::header) return {};
  const std::uint64_t size = decode_content_header(frame.payload).body_size;
  const std::uint64_t allowed = session_.options_.message_size_max_bytes;
  if (size <= allowed || size > limits::kBodySizeMaxBytes) return {};
  return std::unexpected(AmqpError{
      .code = ReplyCode::precondition_failed,
      .text = "message size " + std::to_string(size) + " is larger than configured max size " + std::to_string(allowed),
      .method_id = MethodInfo<BasicPublish>::id});
}

Handled Channel::on_publication(const Publication& publication) {
  method_id_ = MethodInfo<BasicPublish>::id;
  session_.note_published(0);
  const Message& message = publication.message;
  const std::string_view exchange = message.exchange();
  if (auto allowed = require(Permission::write, ResourceKind::exchange, exchange); !allowed) return allowed;
  const cluster::Exchange* target = topology().find_exchange(vhost(), exchange);
  if (target == nullptr) return no_such(ResourceKind::exchange, exchange, vhost());
  if (target->internal) {
    return refuse(ReplyCode::access_refused,
                  "cannot publish to internal " + describe(ResourceKind::exchange, exchange));
  }
  const auto properties = PropertiesView::parse(message.properties());
  if (!properties) return refuse(ReplyCode::syntax_error, properties.error().text);
  const auto ttl = ttl_of(*properties);
  if (!ttl) return std::unexpected(ttl.error());

  const ByteView headers = properties->headers() ? properties->headers()->encoded : ByteView();
  exchange::RoutingKeys& keys = session_.routing_keys_;
  if (auto read = keys.read(message.routing_key(), headers); !read) {
    return refuse(ReplyCode::precondition_failed, read.error());
  }
  if (auto valid = check_user_id(*properties); !valid) return valid;
  queue::Publish publish{.message = keys.has_bcc() ? without_bcc(message, *properties) : message,
                         .body_size = static_cast<std::uint32_t>(message.body().size()),
                         .persistent = properties->is_persistent(),
                         .has_priority = properties->priority().has_value(),
                         .priority = properties->priority().value_or(0),
                         .ttl_ms = *ttl};
  if (properties->reply_to() == kReplyTo) {
    auto addressed = with_reply_address(publish.message, *properties);
    if (!addressed) return std::unexpected(addressed.error());
    publish.message = std::move(*addressed);
  }
  const auto reply_address = exchange.empty() ? parse_reply_address(message.routing_key()) : std::nullopt;
  if (reply_address) send_reply(*reply_address, publish.message);
  const std::span<const std::uint64_t> queues = route(*target, headers);
  // Not found is looked up once more: what is bound on another node by now must not be missed.
  if (queues.empty() && !reply_address && may_lag()) return refuse(ReplyCode::not_found, "no queue for it yet");
  const bool is_returned = queues.empty() && publication.mandatory && !reply_address;
  if (transactional_) {
    Routed routed{.publish = std::move(publish), .is_returned = is_returned};
    for (const std::uint64_t queue : queues) routed.queues.emplace_back(queue);
    tx_publications_.push_back(std::move(routed));
    return {};
  }
  if (is_returned) send_return(message);
  if (confirms_) publish.seq = ledger_.expect(static_cast<std::uint32_t>(queues.size()));
  for (const std::uint64_t queue : queues) send_publication(GroupId(queue), publish);
  return {};
}

/// Ids of the queues; valid until the next publication.
std::span<const std::uint64_t> Channel::route(const cluster::Exchange& exchange, ByteView headers) {
  const auto keys = session_.routing_keys_.keys();
  if (!exchange.name.empty()) {
    return session_.router_.route(TopologyLookup(session_.surroundings_, vhost()), exchange.id, keys, headers);
  }
  // The default exchange: every queue is bound to it by its own name.
  std::vector<std::uint64_t>& queues = session_.direct_queues_;
  queues.clear();
  for (const std::string_view key : keys) {
    const cluster::Queue* queue = topology().find_queue(vhost(), key);
    if (queue != nullptr && std::ranges::find(queues, queue->id.value()) == queues.end()) {
      queues.push_back(queue->id.value());
    }
  }
  return queues;
}

Handled Channel::check_user_id(const PropertiesView& properties) const {
  const auto user_id = properties.user_id();
  if (!user_id || *user_id == session_.user()) return {};
  const cluster::User* user = topology().users.find(session_.user());
  const bool may_pose = user != nullptr && std::ranges::find(user->tags, "impersonator") != user->tags.end();
  if (may_pose) return {};
  return refuse(ReplyCode::precondition_failed, "user_id property set to '" + std::string(*user_id) +
                                                    "' but authenticated user was '" + session_.user() + "'");
}

std::expected<std::optional<std::uint64_t>, AmqpError> Channel::ttl_of(const PropertiesView& properties) {
  const auto expiration = properties.expiration();
  if (!expiration) return std::nullopt;
  const auto ttl = parse_expiration(*expiration);
  if (ttl) return *ttl;
  return refuse(ReplyCode::precondition_failed,
                "invalid expiration '" + std::string(*expiration) + "': " + ttl.error());
}

Message Channel::without_bcc(const Message& message, const PropertiesView& view) {
  Properties properties = Properties::from(view);
  std::erase_if(properties.headers->fields, [](const auto& field) { return field.first == "BCC"; });
  return make_message(message.exchange(), message.routing_key(), encode_properties(properties), message.body());
}

void Channel::send_publication(GroupId queue, const queue::Publish& publish) {
  const std::size_t bytes = session_.surroundings_.send({.queue = queue, .from = session_id_, .what = publish});
  publishing_bytes_ += bytes;
  session_.note_published(bytes);
}

void Channel::on_taken(const queue::Taken& taken) {
  const std::size_t bytes = std::min<std::size_t>(publishing_bytes_, taken.bytes);
  publishing_bytes_ -= bytes;
  session_.publishing_bytes_ -= std::min(session_.publishing_bytes_, bytes);
  if (taken.seq.value() != 0) ledger_.settle(taken.seq, taken.refused ? Verdict::refused : Verdict::stored);
}

void Channel::send_return(const Message& message) {
  send(BasicReturn{.reply_code = static_cast<std::uint16_t>(ReplyCode::no_route),
                   .reply_text = "NO_ROUTE",
                   .exchange = message.exchange(),
                   .routing_key = message.routing_key()});
  session_.outbox_.content(id_, message);
}

// --- confirms and transactions ---

Handled Channel::on(const ConfirmSelect& method) {
  if (transactional_) return refuse(ReplyCode::precondition_failed, "cannot switch from tx to confirm mode");
  confirms_ = true;
  if (!method.no_wait) send(ConfirmSelectOk{});
  return {};
}

Handled Channel::on(const TxSelect&) {
  if (confirms_) return refuse(ReplyCode::precondition_failed, "cannot switch from confirm to tx mode");
  transactional_ = true;
  send(TxSelectOk{});
  return {};
}

Handled Channel::on(const TxCommit&) {
  if (!transactional_) return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  committing_ = true;
  waiting_method_id_ = method_id_;
  std::vector<Routed> publications = std::exchange(tx_publications_, {});
  for (Routed& routed : publications) {
    if (routed.is_returned) send_return(routed.publish.message);
    routed.publish.seq = ledger_.expect(static_cast<std::uint32_t>(routed.queues.size()));
    for (const GroupId queue : routed.queues) send_publication(queue, routed.publish);
  }
  if (ledger_.unanswered_count() == 0) return finish_commit();
  return {};
}

/// Every queue has answered: the transaction is over. Only now is settled what it settles: a message that is handled by
/// publishing another one must be somewhere, whatever dies in between.
Handled Channel::finish_commit() {
  if (!committing_ || ledger_.unanswered_count() > 0) return {};
  committing_ = false;
  if (std::exchange(tx_refused_, false)) {
    method_id_ = waiting_method_id_;
    return refuse(ReplyCode::precondition_failed, "partial tx completion");
  }
  for (const Settlement& settlement : std::exchange(tx_settlements_, {})) {
    settle_now(settlement.unacked, settlement.kind);
  }
  flush_settlements();
  send(TxCommitOk{});
  return {};
}

Handled Channel::on(const TxRollback&) {
  if (!transactional_) return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  tx_publications_.clear();
  std::vector<Unacked> again;
  for (const Settlement& settlement : std::exchange(tx_settlements_, {})) again.push_back(settlement.unacked);
  unacked_.restore(again);
  send(TxRollbackOk{});
  return {};
}

}  // namespace quorate::amqp
