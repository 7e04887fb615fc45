// The class queue (features.md P100-P113).
#include <utility>

#include "base/check.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/names.h"
#include "broker/amqp/table_codec.h"
#include "broker/queue/arguments.h"

namespace quorate::amqp {
namespace {

using auth::Permission;
using auth::ResourceKind;

/// An exclusive queue is as its type is: a classic one lives in memory, a quorum queue on disk.
bool is_durable(const QueueDeclare& method, bool is_quorum) {
  return method.exclusive ? is_quorum : bool(method.durable);
}

constexpr std::string_view kQueueType = "x-queue-type";

std::string_view truth(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string Channel::random_name(std::string_view prefix) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr std::size_t kLength = 22;  // 132 bits
  std::string name(prefix);
  for (std::size_t i = 0; i < kLength; ++i) {
    name.push_back(kAlphabet[session_.surroundings_.random().below(kAlphabet.size())]);
  }
  return name;
}

Handled Channel::on(const QueueDeclare& method) {
  std::string name = strip_line_breaks(method.queue.text);
  if (name.starts_with(kReplyTo)) return declare_reply_to(name, method.no_wait);
  if (method.passive) return declare_passively(method, std::move(name));
  if (has_reserved_prefix(name)) {
    return refuse(ReplyCode::access_refused, "queue name '" + name + "' contains reserved prefix 'amq.*'");
  }
  if (name.empty()) name = random_name("amq.gen-");
  if (const auto valid = validate_table(method.arguments.encoded); !valid) {
    return refuse(ReplyCode::syntax_error, valid.error().text);
  }
  if (auto allowed = require(Permission::configure, ResourceKind::queue, name); !allowed) return allowed;
  if (const cluster::Queue* current = topology().find_queue(vhost(), name); current != nullptr) {
    return declare_existing(*current, method);
  }
  return declare_new_queue(method, std::move(name));
}

Handled Channel::declare_passively(const QueueDeclare& method, std::string name) {
  if (auto allowed = session_.access_.require_any(topology(), ResourceKind::queue, name); !allowed) return allowed;
  const auto queue = find_queue(name);
  if (!queue) return std::unexpected(queue.error());
  if (auto owned = check_owner(**queue); !owned) return owned;
  return answer_declare(**queue, method);
}

/// Another declaration than the first can be permitted, and leaves the queue as it is: by the virtual host, or of a
/// quorum queue as a classic one (features.md Q005).
Handled Channel::declare_existing(const cluster::Queue& current, const QueueDeclare& method) {
  if (auto owned = check_owner(current); !owned) return owned;
  const Table received = declared_arguments(method, current.type);
  const Value* type = received.find(kQueueType);
  const bool is_for_classic =
      current.type == cluster::QueueType::quorum && type != nullptr && *type == Value(std::string("classic"));
  const bool is_relaxed = is_for_classic && session_.options_.relaxed_redeclaration;
  const cluster::Vhost* place = topology().find_vhost(vhost());
  const bool is_free = place != nullptr && place->metadata.relaxed_redeclaration;
  if (!is_relaxed && method.exclusive != current.owner.has_value()) {
    return refuse(ReplyCode::resource_locked, locked_text(current.name));
  }
  if (is_free) return answer_declare(current, method);
  if (!is_relaxed) {
    if (auto same = check_same_properties(current, method); !same) return same;
  }
  const auto has = decode_table(as_bytes(current.arguments));
  CHECK(has.has_value());
  const auto extent = is_relaxed ? queue::Equivalence::relaxed : queue::Equivalence::full;
  const std::string described = describe(ResourceKind::queue, current.name);
  if (auto same = queue::check_same_arguments(received, *has, current.type, described, extent); !same) {
    return refuse(ReplyCode::precondition_failed, same.error());
  }
  return answer_declare(current, method);
}

Handled Channel::check_same_properties(const cluster::Queue& current, const QueueDeclare& method) const {
  const auto differs = [&](std::string_view what, bool received, bool is) {
    return refuse(ReplyCode::precondition_failed, "inequivalent arg '" + std::string(what) + "' for " +
                                                      describe(ResourceKind::queue, current.name) + ": received '" +
                                                      std::string(truth(received)) + "' but current is '" +
                                                      std::string(truth(is)) + "'");
  };
  const bool durable = is_durable(method, queue::declared_type(current) == cluster::QueueType::quorum);
  if (durable != current.durable) return differs("durable", durable, current.durable);
  if (method.auto_delete != current.auto_delete) return differs("auto_delete", method.auto_delete, current.auto_delete);
  return {};
}

/// What one gets without asking: the virtual host's word counts before the node's (features.md E060).
cluster::QueueType Channel::default_queue_type() const {
  const cluster::Vhost* place = topology().find_vhost(vhost());
  const auto said = place != nullptr ? place->metadata.default_queue_type : std::nullopt;
  return said.value_or(session_.options_.default_queue_type);
}

/// With the type of queue that one gets without asking, where that type is `wanted` and RabbitMQ's could serve the
/// declaration (features.md E060).
Table Channel::declared_arguments(const QueueDeclare& method, cluster::QueueType wanted) const {
  auto arguments = decode_table(method.arguments.encoded);
  CHECK(arguments.has_value());
  const bool may_be_quorum = method.durable && !method.exclusive && !method.auto_delete;
  const bool is_quorum = wanted == cluster::QueueType::quorum && default_queue_type() == wanted;
  if (is_quorum && may_be_quorum && arguments->find(kQueueType) == nullptr) {
    arguments->fields.emplace_back(kQueueType, Value(std::string("quorum")));
  }
  return *std::move(arguments);
}

/// Where a new queue goes: with its client, or where the fewest begin. A classic one has one member, and an exclusive
/// classic one stays with its client.
Channel::Site Channel::choose_site(const QueueDeclare& method, const Table& arguments, cluster::QueueType type) {
  Surroundings& surroundings = session_.surroundings_;
  const bool is_quorum = type == cluster::QueueType::quorum;
  const Value* locator = arguments.find("x-queue-leader-locator");
  const bool wants_local =
      locator == nullptr ? !session_.options_.balances_leaders : *locator == Value(std::string("client-local"));
  const bool is_local = wants_local || (method.exclusive && !is_quorum);
  if (is_local && !is_quorum) return {.first = surroundings.node(), .nodes = {surroundings.node()}};
  std::int64_t members = is_quorum ? static_cast<std::int64_t>(surroundings.initial_quorum_size()) : INT64_MAX;
  if (const Value* asked = arguments.find("x-quorum-initial-group-size"); asked != nullptr) asked->integer(members);
  std::vector<NodeId> nodes = surroundings.place(static_cast<std::size_t>(members));
  const NodeId first = is_local ? surroundings.node() : surroundings.choose_leader(type, nodes);
  if (!is_quorum) nodes = {first};
  return {.first = first, .nodes = std::move(nodes)};
}

Handled Channel::declare_new_queue(const QueueDeclare& method, std::string name) {
  const Table arguments = declared_arguments(method, default_queue_type());
  const std::string described = describe(ResourceKind::queue, name);
  if (const Value* dead_letter = arguments.find("x-dead-letter-exchange"); dead_letter != nullptr) {
    const auto* target = dead_letter->get_if<std::string>();
    if (target == nullptr) {
      return refuse(ReplyCode::precondition_failed, "invalid type '" + std::string(dead_letter->type_name()) +
                                                        "' for arg 'x-dead-letter-exchange' in " + described);
    }
    if (auto allowed = require(Permission::read, ResourceKind::queue, name); !allowed) return allowed;
    if (auto allowed = require(Permission::write, ResourceKind::exchange, *target); !allowed) return allowed;
  }
  if (auto valid = queue::check_arguments(arguments, described); !valid) {
    return refuse(ReplyCode::precondition_failed, valid.error());
  }
  if (const std::string names = queue::ineffective_arguments(arguments); !names.empty()) {
    session_.surroundings_.remark("queue declared queue=" + name + " vhost=" + vhost() +
                                  " without effect so far: " + names);
  }
  const cluster::QueueType type = queue::queue_type(arguments);
  const bool is_quorum = type == cluster::QueueType::quorum;
  if (is_quorum && !is_durable(method, is_quorum)) {
    return refuse(ReplyCode::precondition_failed, "invalid property 'non-durable' for " + described);
  }
  const policy::Definition asked = session_.surroundings_.policies().of_queue(vhost(), name, type).definition();
  Site site = choose_site(method, policy::effective_arguments(arguments, asked, type), type);
  cluster::Queue queue{.vhost = vhost(),
                       .name = name,
                       .durable = is_durable(method, is_quorum),
                       .auto_delete = method.auto_delete,
                       .arguments = std::string(as_text(encode_table(arguments))),
                       .node = site.first,
                       .type = type};
  if (method.exclusive) {
    session_.owner_ = session_.self_as_owner();
    queue.owner = session_.owner_;
  }
  // The words of the request, to compare with once more if somebody else was faster.
  std::vector<std::byte> request;
  encode_method(method, request);
  submit(cluster::DeclareQueue{.queue = std::move(queue), .nodes = std::move(site.nodes)},
         [this, name, request = std::move(request)](const MetadataReply& reply) -> Handled {
           const cluster::Queue* found = topology().find_queue(vhost(), name);
           if (reply.outcome == cluster::Outcome::not_found) {
             return refuse(ReplyCode::not_found, "no vhost '" + vhost() + "'");
           }
           // Deleted again by somebody else: it existed, as asked.
           if (found == nullptr) return no_such(ResourceKind::queue, name, vhost());
           const Method again = *decode_method(request);
           const auto& asked = std::get<QueueDeclare>(again);
           const bool must_compare =
               reply.outcome == cluster::Outcome::exists || reply.outcome == cluster::Outcome::unknown;
           if (must_compare) return declare_existing(*found, asked);
           last_queue_ = name;
           if (!asked.no_wait) send(QueueDeclareOk{.queue = name});
           return {};
         });
  return {};
}

/// An existing queue answers with what is in it.
Handled Channel::answer_declare(const cluster::Queue& queue, const QueueDeclare& method) {
  last_queue_ = queue.name;
  if (method.no_wait) return {};
  std::vector<std::byte> request;
  encode_method(method, request);
  ask(queue.id, queue::kGetLink, queue::Count{},
      [this, name = queue.name, request = std::move(request)](queue::SessionMail& mail) -> Handled {
        const auto* counted = std::get_if<queue::Counted>(&mail.what);
        if (counted == nullptr) return declare_once_more(name, request);
        send(QueueDeclareOk{.queue = name,
                            .message_count = static_cast<std::uint32_t>(counted->ready),
                            .consumer_count = static_cast<std::uint32_t>(counted->consumers)});
        return {};
      });
  return {};
}

/// The queue has been deleted, which this shard had not heard of. Who asked passively hears that.
Handled Channel::declare_once_more(const std::string& name, const std::vector<std::byte>& request) {
  // While those who followed it are under way it cannot ask for more, and hears it too.
  const bool is_followed = !awaited_.empty();
  if (is_followed || std::get<QueueDeclare>(*decode_method(request)).passive) {
    return no_such(ResourceKind::queue, name, vhost());
  }
  fence([this, request] { return dispatch(*decode_method(request)); });
  return {};
}

std::expected<std::string, AmqpError> Channel::name_or_last(std::string_view name) const {
  if (!name.empty()) return strip_line_breaks(name);
  if (last_queue_.empty()) return refuse(ReplyCode::not_found, "no previously declared queue");
  return last_queue_;
}

std::expected<const cluster::Queue*, AmqpError> Channel::find_queue(std::string_view name) const {
  const cluster::Queue* queue = topology().find_queue(vhost(), name);
  if (queue == nullptr) return no_such(ResourceKind::queue, name, vhost());
  return queue;
}

std::expected<const cluster::Queue*, AmqpError> Channel::queue_to_read(std::string_view asked) {
  const auto name = name_or_last(asked);
  if (!name) return std::unexpected(name.error());
  if (auto allowed = require(Permission::read, ResourceKind::queue, *name); !allowed) {
    return std::unexpected(allowed.error());
  }
  const auto queue = find_queue(*name);
  if (!queue) return queue;
  if (auto owned = check_owner(**queue); !owned) return std::unexpected(owned.error());
  return queue;
}

std::string Channel::locked_text(std::string_view name) const {
  return "cannot obtain exclusive access to locked " + describe(ResourceKind::queue, name) +
         ". It could be originally declared on another connection or the exclusive property value does not match "
         "that of the original declaration.";
}

Handled Channel::check_owner(const cluster::Queue& queue) const {
  if (!queue.owner || *queue.owner == session_.self_as_owner()) return {};
  return refuse(ReplyCode::resource_locked, locked_text(queue.name));
}

Handled Channel::on(const QueueBind& method) {
  cluster::Binding binding;
  if (auto bound =
          queue_binding_of(method.queue.text, method.exchange.text, method.routing_key.text, method.arguments, binding);
      !bound) {
    return bound;
  }
  return change_binding(std::move(binding), BindingChange::add, method.no_wait, QueueBindOk{});
}

Handled Channel::on(const QueueUnbind& method) {
  cluster::Binding binding;
  if (auto bound =
          queue_binding_of(method.queue.text, method.exchange.text, method.routing_key.text, method.arguments, binding);
      !bound) {
    return bound;
  }
  return change_binding(std::move(binding), BindingChange::remove, false, QueueUnbindOk{});
}

Handled Channel::queue_binding_of(std::string_view queue, std::string_view exchange, std::string_view routing_key,
                                  TableView arguments, cluster::Binding& out) {
  const auto name = name_or_last(queue);
  if (!name) return std::unexpected(name.error());
  out.vhost = vhost();
  out.destination = *name;
  out.source = strip_line_breaks(exchange);
  if (auto allowed = check_not_default_exchange(out.source); !allowed) return allowed;
  if (out.destination.starts_with(kReplyTo)) {
    return refuse(ReplyCode::access_refused, "cannot bind or unbind to a volatile (direct reply-to) queue");
  }
  if (auto allowed = require(Permission::write, ResourceKind::queue, out.destination); !allowed) return allowed;
  if (auto allowed = require(Permission::read, ResourceKind::exchange, out.source); !allowed) return allowed;
  const auto found = find_queue(out.destination);
  if (!found) return std::unexpected(found.error());
  if (auto owned = check_owner(**found); !owned) return owned;
  if (topology().find_exchange(vhost(), out.source) == nullptr) {
    return no_such(ResourceKind::exchange, out.source, vhost());
  }
  const bool names_nothing = queue.empty() && routing_key.empty();
  return fill_binding_key(names_nothing ? std::string_view(out.destination) : routing_key, arguments, out);
}

Handled Channel::on(const QueuePurge& method) {
  const auto queue = queue_to_read(method.queue.text);
  if (!queue) return std::unexpected(queue.error());
  ask((*queue)->id, queue::kGetLink, queue::Purge{.session = session_id_},
      [this, name = (*queue)->name, no_wait = bool(method.no_wait)](queue::SessionMail& mail) -> Handled {
        const auto* purged = std::get_if<queue::Purged>(&mail.what);
        if (purged == nullptr) return no_such(ResourceKind::queue, name, vhost());
        if (!no_wait) send(QueuePurgeOk{.message_count = static_cast<std::uint32_t>(purged->count)});
        return {};
      });
  return {};
}

Handled Channel::on(const QueueDelete& method) {
  const auto name = name_or_last(method.queue.text);
  if (!name) return std::unexpected(name.error());
  if (auto allowed = require(Permission::configure, ResourceKind::queue, *name); !allowed) return allowed;
  const bool no_wait = method.no_wait;
  const cluster::Queue* queue = topology().find_queue(vhost(), *name);
  if (queue == nullptr) {
    if (may_lag()) return no_such(ResourceKind::queue, *name, vhost());
    if (!no_wait) send(QueueDeleteOk{});
    return {};
  }
  if (auto owned = check_owner(*queue); !owned) return owned;
  const bool has_condition = method.if_unused || method.if_empty;
  if (!has_condition && session_.surroundings_.has_lost_majority(*queue)) return delete_unasked(queue->id, no_wait);
  ask(queue->id, queue::kGetLink, queue::DeleteIf{.unused = method.if_unused, .empty = method.if_empty},
      [this, name = *name, no_wait](queue::SessionMail& mail) -> Handled {
        const auto* deleted = std::get_if<queue::Deleted>(&mail.what);
        const auto outcome = deleted != nullptr ? deleted->outcome : queue::DeleteOutcome::deleted;
        const std::string described = describe(ResourceKind::queue, name);
        if (outcome == queue::DeleteOutcome::in_use) {
          return refuse(ReplyCode::precondition_failed, described + " in use");
        }
        if (outcome == queue::DeleteOutcome::not_empty) {
          return refuse(ReplyCode::precondition_failed, described + " not empty");
        }
        const std::uint64_t count = deleted != nullptr ? deleted->count : 0;
        if (!no_wait) send(QueueDeleteOk{.message_count = static_cast<std::uint32_t>(count)});
        return {};
      });
  return {};
}

/// There is nobody to say how many messages go with it; RabbitMQ deletes it all the same (features.md Q050).
Handled Channel::delete_unasked(GroupId queue, bool no_wait) {
  submit(cluster::DeleteQueue{.id = queue}, [this, no_wait](const MetadataReply&) -> Handled {
    if (!no_wait) send(QueueDeleteOk{});
    return {};
  });
  return {};
}

}  // namespace quorate::amqp
