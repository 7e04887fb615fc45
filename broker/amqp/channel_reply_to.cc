// Direct reply-to (features.md E044): the pseudo queue that a channel consumes from, and publications addressed to one.
#include <utility>

#include "broker/amqp/channel.h"
#include "broker/amqp/names.h"
#include "broker/amqp/reply_to.h"

namespace quorate::amqp {
namespace {

/// What may wait for a client that does not read its replies. They hold nobody back, so that nobody else stops it.
constexpr std::size_t kRepliesWaitingMaxBytes = 64u << 20;

}  // namespace

/// Declaring the pseudo queue, or an address made from it, only asks whether it is there. Who answers requests does not
/// begin with one whose client has gone; when in doubt it is there.
Handled Channel::declare_reply_to(std::string_view name, bool no_wait) {
  const auto address = parse_reply_address(name);
  const bool is_known = name == kReplyTo || (address && !session_.surroundings_.has_ended(address->session));
  if (!is_known) return no_such(auth::ResourceKind::queue, name, vhost());
  if (!no_wait) send(QueueDeclareOk{.queue = name, .message_count = 0, .consumer_count = 1});
  return {};
}

Handled Channel::consume_replies(const BasicConsume& method, std::string tag) {
  if (!method.no_ack) return refuse(ReplyCode::precondition_failed, "reply consumer cannot acknowledge");
  if (reply_key_) return refuse(ReplyCode::precondition_failed, "reply consumer already set");
  reply_key_ = session_.surroundings_.random().next();
  reply_link_ = ++last_link_;
  consumers_.emplace(reply_link_, Consumer{.tag = tag,
                                           .queue = kNoQueue,
                                           .queue_name = std::string(kReplyTo),
                                           .link = reply_link_,
                                           .no_ack = true,
                                           .attached = true,
                                           .window = UINT64_MAX});
  links_by_tag_.emplace(tag, reply_link_);
  ++session_.consumer_count_;
  if (!method.no_wait) send(BasicConsumeOk{.consumer_tag = tag});
  return {};
}

Handled Channel::cancel_replies(std::string_view tag, bool no_wait) {
  reply_key_.reset();
  forget_consumer(reply_link_);
  if (!no_wait) send(BasicCancelOk{.consumer_tag = tag});
  return {};
}

/// A request: the name that the client wrote becomes an address that anybody can answer to.
std::expected<Message, AmqpError> Channel::with_reply_address(const Message& message, const PropertiesView& view) {
  if (!reply_key_) return refuse(ReplyCode::precondition_failed, "fast reply consumer does not exist");
  Properties properties = Properties::from(view);
  properties.reply_to = print(ReplyAddress{.session = session_id_, .key = *reply_key_});
  return make_message(message.exchange(), message.routing_key(), encode_properties(properties), message.body());
}

/// A reply: at most once, to whoever still listens. The publisher never learns whether anybody did.
void Channel::send_reply(const ReplyAddress& address, const Message& message) {
  queue::Delivery delivery{.id = address.key, .message = message, .settled = true};
  session_.surroundings_.send(
      queue::SessionMail{.to = address.session, .queue = kNoQueue, .what = std::move(delivery)});
}

/// It is lost when the client does not read, until half of what waits has gone.
void Channel::on_direct_reply(queue::Delivery delivery) {
  if (reply_key_ != delivery.id) return;
  const bool dropped_before = drops_replies_;
  drops_replies_ = session_.outbox_.size() > (dropped_before ? kRepliesWaitingMaxBytes / 2 : kRepliesWaitingMaxBytes);
  if (drops_replies_ && !dropped_before) {
    session_.surroundings_.remark("direct replies dropped: the client does not read vhost=" + vhost() +
                                  " client=" + session_.peer().name);
  }
  if (drops_replies_) return;
  delivery.link = reply_link_;
  write_delivery(consumers_.at(reply_link_), kNoQueue, delivery);
}

}  // namespace quorate::amqp
