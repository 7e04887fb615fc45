#include "broker/amqp/channel.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/overloaded.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/names.h"
#include "broker/amqp/reply_to.h"

namespace quorate::amqp {
namespace {

constexpr std::string_view kDeleteTimedOut = "The operation to delete the queue from the metadata store timed out";

}  // namespace

Channel::Channel(Session& session, ChannelId id)
    : session_(session),
      id_(id),
      session_id_(session.surroundings_.begin(session)),
      shortest_timeout_(session.options_.consumer_timeout) {
  session_.tick_within(tick_interval());
}

Channel::~Channel() { CHECK(ended_); }

// --- frames in order ---

void Channel::on_frame(const Frame& frame) {
  if (!is_waiting() || committing_) {
    process(frame);
    return;
  }
  if (may_follow(frame) && follow(frame)) return;
  const std::size_t before = backlog_.size();
  append_frame_header(backlog_, frame.type, frame.channel, static_cast<std::uint32_t>(frame.payload.size()));
  backlog_.insert(backlog_.end(), frame.payload.begin(), frame.payload.end());
  backlog_.push_back(kFrameEnd);
  session_.backlog_bytes_ += backlog_.size() - before;
}

/// Many declarations in a row are asked for together, and share a commit.
bool Channel::may_follow(const Frame& frame) const {
  return !awaited_.empty() && awaited_.back().may_be_followed && awaited_.size() < limits::kPipelinedChangesMax &&
         backlog_.empty() && !on_reply_ && !committing_ && !closing_ && frame.type == FrameType::method &&
         content_.is_idle();
}

/// Asks for what the frame wants before those ahead of it are answered; the answers keep their order, for whoever
/// follows answers through submit() only. False when that cannot be, or something is wrong with it, which is said when
/// its turn comes: it waits in the backlog.
bool Channel::follow(const Frame& frame) {
  const auto method = decode_method(frame.payload);
  if (!method) return false;
  const auto is_new = [&](const QueueDeclare& declare) {
    const std::string name = strip_line_breaks(declare.queue.text);
    return !declare.passive && !name.empty() && !name.starts_with(kReplyTo) &&
           topology().find_queue(vhost(), name) == nullptr;
  };
  const auto* declare = std::get_if<QueueDeclare>(&*method);
  const auto* bind = std::get_if<QueueBind>(&*method);
  const auto* unbind = std::get_if<QueueUnbind>(&*method);
  const bool can_follow = (declare != nullptr && is_new(*declare)) || (bind != nullptr && !bind->queue.text.empty()) ||
                          (unbind != nullptr && !unbind->queue.text.empty());
  if (!can_follow) return false;
  method_id_ = full_id(*method);
  const std::size_t before = awaited_.size();
  is_following_ = true;
  static_cast<void>(dispatch(*method));
  is_following_ = false;
  return awaited_.size() > before;
}

void Channel::replay_backlog() {
  if (backlog_.empty() || is_waiting()) return;
  const std::vector<std::byte> frames = std::exchange(backlog_, {});
  const std::size_t uncovered = frames.size() - std::exchange(covered_, 0);
  session_.backlog_bytes_ -= std::min(session_.backlog_bytes_, frames.size());
  const FrameDecoder decoder(0);
  ByteView rest = frames;
  while (!rest.empty()) {
    is_fenced_ = rest.size() > uncovered;
    const FrameResult result = decoder.next(rest);
    const auto* frame = std::get_if<Frame>(&result);
    CHECK(frame != nullptr);
    if (session_.state_ != Session::State::running) return;
    // The channel may have ended and been opened again by a frame of its own backlog.
    if (ended_) {
      session_.on_channel_frame(*frame);
    } else {
      on_frame(*frame);
    }
  }
  is_fenced_ = false;
  if (!awaited_.empty()) covered_ = backlog_.size();
}

void Channel::process(const Frame& frame) {
  if (closing_) {
    const auto method = frame.type == FrameType::method ? decode_method(frame.payload) : std::unexpected(MethodError{});
    if (!method) return;
    if (std::holds_alternative<ChannelClose>(*method)) send(ChannelCloseOk{});
    if (std::holds_alternative<ChannelCloseOk>(*method)) session_.forget_channel(id_);
    return;
  }
  if (frame.type == FrameType::method && content_.is_idle()) {
    const auto method = decode_method(frame.payload);
    method_id_ = method ? full_id(*method) : method.error().id;
    if (!method) return finish(std::unexpected(to_amqp_error(method.error())));
    finish_or_fence(dispatch(*method), [&] {
      return [this, bytes = std::vector<std::byte>(frame.payload.begin(), frame.payload.end())] {
        return dispatch(*decode_method(bytes));
      };
    });
    return;
  }
  if (auto size = check_announced_size(frame); !size) return finish(std::move(size));
  auto taken = content_.on(frame);
  if (!taken) return finish(std::unexpected(taken.error()));
  std::optional<Publication>& publication = *taken;
  if (!publication) return;
  finish_or_fence(on_publication(*publication),
                  [&] { return [this, kept = std::move(*publication)] { return on_publication(kept); }; });
}

template <class Again>
void Channel::finish_or_fence(Handled handled, Again&& again) {
  if (handled || !may_be_outdated(handled.error()) || ended_ || closing_ || !may_lag()) {
    return finish(std::move(handled));
  }
  fence(again());
}

/// What is missing may be there by now; what is in the way, somebody's own or declared otherwise, may be gone.
bool Channel::may_be_outdated(const AmqpError& error) const {
  const bool declares = method_id_ == MethodInfo<QueueDeclare>::id || method_id_ == MethodInfo<ExchangeDeclare>::id;
  return error.code == ReplyCode::not_found || error.code == ReplyCode::resource_locked ||
         (error.code == ReplyCode::precondition_failed && declares);
}

void Channel::fence(std::move_only_function<Handled()> repeat) {
  CHECK(!is_waiting());
  auto then = [this, repeat = std::move(repeat)](const MetadataReply& reply) mutable -> Handled {
    if (reply.timed_out) {
      return refuse(ReplyCode::internal_error, "timed out looking the name up: no majority of the cluster answers");
    }
    is_fenced_ = true;
    Handled repeated = repeat();
    is_fenced_ = false;
    return repeated;
  };
  awaited_.push_back({.then = std::move(then), .method_id = method_id_});
  session_.surroundings_.fence(session_id_);
}

void Channel::finish(Handled handled) {
  if (handled || ended_ || closing_) return;
  AmqpError error = std::move(handled.error());
  if (error.method_id == 0) error.method_id = method_id_;
  if (!transactional_) send_answers();  // what was confirmed before is said before
  session_.fail_channel(*this, error);
}

Handled Channel::dispatch(const Method& method) {
  if (committing_ && !std::holds_alternative<ChannelClose>(method)) {
    return refuse(ReplyCode::channel_error, "unexpected command while processing 'tx.commit'");
  }
  return std::visit(
      Overloaded{
          [&](const auto& m) -> Handled {
            if constexpr (requires { this->on(m); }) {
              return on(m);
            } else {
              return refuse(ReplyCode::command_invalid, "unimplemented method");
            }
          },
          [&](const ChannelOpen&) -> Handled { return refuse(ReplyCode::channel_error, "second 'channel.open' seen"); },
          [&](const ChannelCloseOk&) -> Handled { return {}; },
          [&](const ChannelFlowOk&) -> Handled { return {}; },
      },
      method);
}

// --- the class channel, and access.request that nobody needs ---

Handled Channel::on(const ChannelFlow& method) {
  if (!method.active) return refuse(ReplyCode::not_implemented, "active=false");
  send(ChannelFlowOk{.active = true});
  return {};
}

Handled Channel::on(const ChannelClose&) {
  end();
  send(ChannelCloseOk{});
  session_.forget_channel(id_);
  return {};
}

Handled Channel::on(const AccessRequest&) {
  send(AccessRequestOk{.ticket = 1});
  return {};
}

void Channel::begin_closing() {
  end();
  closing_ = true;
}

void Channel::end() {
  if (std::exchange(ended_, true)) return;
  for (const Held& held : held_) {
    settle_now({.queue = held.queue, .link = held.delivery.link, .id = held.delivery.id}, SettleKind::unseen);
  }
  held_.clear();
  flush_settlements();
  session_.consumer_count_ -= consumers_.size();
  consumers_.clear();
  links_by_tag_.clear();
  for (const GroupId queue : queues_touched_) mail(queue, queue::Down{.session = session_id_});
  queues_touched_.clear();
  session_.backlog_bytes_ -= std::min(session_.backlog_bytes_, backlog_.size());
  backlog_.clear();
  covered_ = 0;
  awaited_.clear();
  early_replies_.clear();
  on_reply_ = nullptr;
  committing_ = false;
  session_.publishing_bytes_ -= std::min(session_.publishing_bytes_, publishing_bytes_);
  publishing_bytes_ = 0;
  session_.surroundings_.end(session_id_);
  session_.surroundings_.leave(Surroundings::Counted::channel);
}

// --- asking others ---

std::string Channel::describe(auth::ResourceKind kind, std::string_view name) const {
  return auth::describe({.kind = kind, .vhost = vhost(), .name = name});
}

Handled Channel::require(auth::Permission permission, auth::ResourceKind kind, std::string_view name) {
  return session_.access_.require(topology(), permission, kind, name);
}

/// Those that fail only when somebody else was faster, and with which nothing goes that the next may need: behind what
/// may be refused nothing must happen.
bool Channel::may_be_followed(const cluster::MetadataCommand& command) const {
  if (const auto* unbind = std::get_if<cluster::Unbind>(&command)) {
    const cluster::Exchange* source = topology().find_exchange(vhost(), unbind->binding.source);
    return source != nullptr && !source->auto_delete;
  }
  return std::holds_alternative<cluster::DeclareQueue>(command) || std::holds_alternative<cluster::Bind>(command);
}

/// RabbitMQ's words for what no majority of the nodes has done in time (features.md C001).
std::string Channel::timed_out_text(const cluster::MetadataCommand& command) const {
  constexpr std::string_view kWhy = " because the metadata store operation timed out";
  if (const auto* declare = std::get_if<cluster::DeclareQueue>(&command)) {
    return "Could not declare " + describe(auth::ResourceKind::queue, declare->queue.name) + std::string(kWhy);
  }
  if (const auto* declare = std::get_if<cluster::DeclareExchange>(&command)) {
    return "Could not declare " + describe(auth::ResourceKind::exchange, declare->exchange.name) + std::string(kWhy);
  }
  if (std::holds_alternative<cluster::Bind>(command)) return "Could not add binding due to timeout";
  if (std::holds_alternative<cluster::Unbind>(command)) return "Could not remove binding due to timeout";
  if (std::holds_alternative<cluster::DeleteQueue>(command)) return std::string(kDeleteTimedOut);
  return "The operation timed out in the metadata store";
}

void Channel::submit(cluster::MetadataCommand command, OnMetadata then) {
  CHECK(!is_waiting() || is_following_);
  auto unless_late = [this, then = std::move(then),
                      text = timed_out_text(command)](const MetadataReply& reply) mutable -> Handled {
    if (reply.timed_out) return refuse(ReplyCode::internal_error, std::move(text));
    return then(reply);
  };
  awaited_.push_back(
      {.then = std::move(unless_late), .method_id = method_id_, .may_be_followed = may_be_followed(command)});
  session_.surroundings_.submit(session_id_, std::move(command));
}

void Channel::on_metadata(const MetadataReply& reply) {
  if (awaited_.empty()) return;
  if (on_reply_) {
    early_replies_.push_back(reply);  // a queue has still to say something about the one before
    return;
  }
  Awaited answered = std::move(awaited_.front());
  awaited_.erase(awaited_.begin());
  method_id_ = answered.method_id;
  finish(answered.then(reply));
  replay_backlog();
}

void Channel::ask(GroupId queue, std::uint32_t link, decltype(queue::QueueMail::what) request, OnMail then) {
  CHECK(!on_reply_ && !committing_);
  on_reply_ = std::move(then);
  asked_queue_ = queue;
  asked_link_ = link;
  waiting_method_id_ = method_id_;
  flush_settlements();  // they came first
  mail(queue, std::move(request));
}

void Channel::mail(GroupId queue, decltype(queue::QueueMail::what) what) {
  session_.surroundings_.send({.queue = queue, .from = session_id_, .what = std::move(what)});
}

void Channel::on_mail(queue::SessionMail mail) {
  if (ended_) return;
  if (auto* delivery = std::get_if<queue::Delivery>(&mail.what)) {
    if (mail.queue == kNoQueue) return on_direct_reply(std::move(*delivery));
    return deliver(mail.queue, std::move(*delivery));
  }
  if (const auto* taken = std::get_if<queue::Taken>(&mail.what)) return on_taken(*taken);
  if (std::holds_alternative<queue::Forgotten>(mail.what)) return on_forgotten(mail.queue);
  if (is_answer(mail)) return on_answer(mail);
  const auto* gone = std::get_if<queue::Gone>(&mail.what);
  if (gone != nullptr && consumers_.contains(gone->link)) on_consumer_gone(*gone);
}

/// This node was cut off for so long that a queue gave the channel up: what was unsettled went to others.
void Channel::on_forgotten(GroupId queue) {
  const cluster::Queue* found = topology().find_queue(queue);
  const std::string name = found != nullptr ? describe(auth::ResourceKind::queue, found->name) : "a queue";
  finish(refuse(ReplyCode::precondition_failed,
                name + " has given up this channel: its node did not answer for too long"));
}

/// Whether `mail` answers the request that the channel waits for. A queue may answer a cancellation twice when it goes
/// at the same time; the second answer finds another request, or none.
bool Channel::is_answer(const queue::SessionMail& mail) const {
  if (!on_reply_ || mail.queue != asked_queue_) return false;
  return std::visit(Overloaded{
                        [&](const queue::Attached& m) { return m.link == asked_link_; },
                        [&](const queue::Cancelled& m) { return m.link == asked_link_; },
                        [&](const queue::Gone& m) { return m.link == asked_link_; },
                        [&](const auto&) { return asked_link_ == queue::kGetLink; },
                    },
                    mail.what);
}

void Channel::on_answer(queue::SessionMail& mail) {
  method_id_ = waiting_method_id_;
  OnMail then = std::exchange(on_reply_, nullptr);
  const auto* gone = std::get_if<queue::Gone>(&mail.what);
  const bool is_unreachable = gone != nullptr && gone->unreachable;
  const cluster::Queue* queue = is_unreachable ? topology().find_queue(mail.queue) : nullptr;
  finish(queue != nullptr ? unreachable(*queue) : then(mail));
  for (const MetadataReply& reply : std::exchange(early_replies_, {})) on_metadata(reply);
  replay_backlog();
}

/// RabbitMQ's words for a queue whose node is down, and for one that has no majority.
Handled Channel::unreachable(const cluster::Queue& queue) const {
  const std::string name = describe(auth::ResourceKind::queue, queue.name);
  const bool is_here = queue.node == session_.surroundings_.node();
  if (queue.type == cluster::QueueType::classic && is_here && method_id_ == MethodInfo<QueueDelete>::id) {
    return refuse(ReplyCode::internal_error, std::string(kDeleteTimedOut));
  }
  if (queue.type == cluster::QueueType::classic) {
    const cluster::ClusterNode* home = topology().find_node(queue.node);
    return refuse(ReplyCode::not_found, "home node '" + (home != nullptr ? home->name : std::string("unknown")) +
                                            "' of durable " + name + " is down or inaccessible");
  }
  if (method_id_ == MethodInfo<BasicConsume>::id) {
    return refuse(ReplyCode::internal_error, "timed out consuming from quorum " + name + ": timeout");
  }
  if (method_id_ == MethodInfo<BasicGet>::id) {
    return refuse(ReplyCode::internal_error, "Cannot get a message from " + name + ": timeout");
  }
  return refuse(ReplyCode::not_found, "failed to perform operation on " + name + " due to timeout");
}

void Channel::flush() {
  if (ended_) return;
  flush_settlements();
  if (!transactional_) return send_answers();
  if (!ledger_.has_answers()) return;
  answers_.clear();
  ledger_.take_answers(answers_);
  tx_refused_ |= std::ranges::any_of(answers_, [](const Answer& a) { return a.verdict == Verdict::refused; });
  finish(finish_commit());
  replay_backlog();
}

void Channel::send_answers() {
  if (!ledger_.has_answers()) return;
  answers_.clear();
  ledger_.take_answers(answers_);
  for (const Answer& answer : answers_) {
    if (answer.verdict == Verdict::stored) {
      send(BasicAck{.delivery_tag = answer.seq.value(), .multiple = answer.multiple});
    } else {
      send(BasicNack{.delivery_tag = answer.seq.value(), .multiple = answer.multiple});
    }
  }
}

}  // namespace quorate::amqp
