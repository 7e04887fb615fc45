// The class exchange (features.md P080-P088, E001, E002).
#include <algorithm>
#include <utility>

#include "broker/amqp/channel.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/names.h"
#include "broker/amqp/table_codec.h"
#include "broker/exchange/exchange_types.h"

namespace quorate::amqp {
namespace {

using auth::Permission;
using auth::ResourceKind;

constexpr std::string_view kAlternateExchange = "alternate-exchange";

std::string_view truth(bool value) { return value ? "true" : "false"; }

std::string printed_argument(const Value* value) {
  if (value == nullptr) return "none";
  return "the value '" + value->print() + "' of type '" + std::string(value->type_name()) + "'";
}

}  // namespace

Handled Channel::on(const ExchangeDeclare& method) {
  const std::string name = strip_line_breaks(method.exchange.text);
  if (auto allowed = check_not_default_exchange(name); !allowed) return allowed;
  if (method.passive) {
    if (auto allowed = session_.access_.require_any(topology(), ResourceKind::exchange, name); !allowed) return allowed;
    if (topology().find_exchange(vhost(), name) == nullptr) return no_such(ResourceKind::exchange, name, vhost());
    if (!method.no_wait) send(ExchangeDeclareOk{});
    return {};
  }
  if (exchange::find_exchange_type(method.type.text) == nullptr) {
    return refuse(ReplyCode::precondition_failed, "unknown exchange type '" + std::string(method.type.text) + "'");
  }
  if (auto allowed = require(Permission::configure, ResourceKind::exchange, name); !allowed) return allowed;
  if (const auto valid = validate_table(method.arguments.encoded); !valid) {
    return refuse(ReplyCode::syntax_error, valid.error().text);
  }
  if (const cluster::Exchange* current = topology().find_exchange(vhost(), name); current != nullptr) {
    auto same = check_same_exchange(*current, method);
    if (same && !method.no_wait) send(ExchangeDeclareOk{});
    return same;
  }
  return declare_new_exchange(method, name);
}

Handled Channel::declare_new_exchange(const ExchangeDeclare& method, const std::string& name) {
  if (has_reserved_prefix(name)) {
    return refuse(ReplyCode::access_refused, "exchange name '" + name + "' contains reserved prefix 'amq.*'");
  }
  cluster::Exchange exchange{.vhost = vhost(),
                             .name = name,
                             .type = std::string(method.type.text),
                             .durable = method.durable,
                             .auto_delete = method.auto_delete,
                             .internal = method.internal,
                             .arguments = std::string(as_text(method.arguments.encoded))};
  if (const auto alternate = find_field(method.arguments.encoded, kAlternateExchange)) {
    const auto* text = alternate->get_if<std::string>();
    if (text == nullptr) {
      return refuse(ReplyCode::precondition_failed, "invalid type '" + std::string(alternate->type_name()) +
                                                        "' for arg 'alternate-exchange' in " +
                                                        describe(ResourceKind::exchange, name));
    }
    if (auto allowed = require(Permission::read, ResourceKind::exchange, name); !allowed) return allowed;
    if (auto allowed = require(Permission::write, ResourceKind::exchange, *text); !allowed) return allowed;
    exchange.alternate_exchange = *text;
  }
  // The words of the request, to compare with once more if somebody else was faster.
  std::vector<std::byte> request;
  encode_method(method, request);
  submit(cluster::DeclareExchange{.exchange = std::move(exchange)},
         [this, name, request = std::move(request)](const MetadataReply& reply) -> Handled {
           const Method again = *decode_method(request);
           const auto& asked = std::get<ExchangeDeclare>(again);
           const bool must_compare =
               reply.outcome == cluster::Outcome::exists || reply.outcome == cluster::Outcome::unknown;
           if (must_compare) {
             const cluster::Exchange* current = topology().find_exchange(vhost(), name);
             if (current != nullptr) {
               if (auto same = check_same_exchange(*current, asked); !same) return same;
             }
           } else if (reply.outcome != cluster::Outcome::done) {
             return refuse(ReplyCode::not_found, "no vhost '" + vhost() + "'");
           }
           if (!asked.no_wait) send(ExchangeDeclareOk{});
           return {};
         });
  return {};
}

Handled Channel::check_same_exchange(const cluster::Exchange& current, const ExchangeDeclare& asked) const {
  const auto differs = [&](std::string_view what, std::string_view received, std::string_view is) {
    return refuse(ReplyCode::precondition_failed,
                  "inequivalent arg '" + std::string(what) + "' for " + describe(ResourceKind::exchange, current.name) +
                      ": received '" + std::string(received) + "' but current is '" + std::string(is) + "'");
  };
  if (asked.type.text != current.type) return differs("type", asked.type.text, current.type);
  if (asked.durable != current.durable) return differs("durable", truth(asked.durable), truth(current.durable));
  if (asked.auto_delete != current.auto_delete) {
    return differs("auto_delete", truth(asked.auto_delete), truth(current.auto_delete));
  }
  if (asked.internal != current.internal) return differs("internal", truth(asked.internal), truth(current.internal));
  const auto received = find_field(asked.arguments.encoded, kAlternateExchange);
  const auto has = find_field(as_bytes(current.arguments), kAlternateExchange);
  if (received == has) return {};
  return refuse(ReplyCode::precondition_failed, "inequivalent arg 'alternate-exchange' for " +
                                                    describe(ResourceKind::exchange, current.name) + ": received " +
                                                    printed_argument(received ? &*received : nullptr) +
                                                    " but current is " + printed_argument(has ? &*has : nullptr));
}

Handled Channel::on(const ExchangeDelete& method) {
  const std::string name = strip_line_breaks(method.exchange.text);
  if (auto allowed = check_not_default_exchange(name); !allowed) return allowed;
  if (has_reserved_prefix(name)) {
    return refuse(ReplyCode::access_refused,
                  "deletion of system " + describe(ResourceKind::exchange, name) + " not allowed");
  }
  if (auto allowed = require(Permission::configure, ResourceKind::exchange, name); !allowed) return allowed;
  submit(cluster::DeleteExchange{.vhost = vhost(), .name = name, .if_unused = method.if_unused},
         [this, name, no_wait = bool(method.no_wait)](const MetadataReply& reply) -> Handled {
           const bool is_still_there =
               reply.outcome == cluster::Outcome::unknown && topology().find_exchange(vhost(), name) != nullptr;
           if (reply.outcome == cluster::Outcome::in_use || is_still_there) {
             return refuse(ReplyCode::precondition_failed, describe(ResourceKind::exchange, name) + " in use");
           }
           if (!no_wait) send(ExchangeDeleteOk{});
           return {};
         });
  return {};
}

Handled Channel::on(const ExchangeBind& method) {
  return change_exchange_binding(method, BindingChange::add, ExchangeBindOk{});
}
Handled Channel::on(const ExchangeUnbind& method) {
  return change_exchange_binding(method, BindingChange::remove, ExchangeUnbindOk{});
}

template <class BindOrUnbind>
Handled Channel::change_exchange_binding(const BindOrUnbind& method, BindingChange change, const Method& ok) {
  cluster::Binding binding{.kind = cluster::Destination::Kind::exchange};
  auto bound = exchange_binding_of(method.destination.text, method.source.text, method.routing_key.text,
                                   method.arguments, binding);
  if (!bound) return bound;
  return change_binding(std::move(binding), change, method.no_wait, ok);
}

Handled Channel::exchange_binding_of(std::string_view destination, std::string_view source,
                                     std::string_view routing_key, TableView arguments, cluster::Binding& out) {
  out.vhost = vhost();
  out.destination = strip_line_breaks(destination);
  out.source = strip_line_breaks(source);
  if (auto allowed = check_not_default_exchange(out.destination); !allowed) return allowed;
  if (auto allowed = check_not_default_exchange(out.source); !allowed) return allowed;
  if (auto allowed = require(Permission::write, ResourceKind::exchange, out.destination); !allowed) return allowed;
  if (auto allowed = require(Permission::read, ResourceKind::exchange, out.source); !allowed) return allowed;
  for (const std::string& name : {out.source, out.destination}) {
    if (topology().find_exchange(vhost(), name) == nullptr) return no_such(ResourceKind::exchange, name, vhost());
  }
  return fill_binding_key(routing_key, arguments, out);
}

/// The arguments are part of what makes a binding unique; their order is not.
Handled Channel::fill_binding_key(std::string_view routing_key, TableView arguments, cluster::Binding& out) {
  auto table = decode_table(arguments.encoded);
  if (!table) return refuse(ReplyCode::syntax_error, table.error().text);
  std::ranges::stable_sort(table->fields, {}, [](const auto& field) { return std::string_view(field.first); });
  out.key.routing_key = routing_key;
  out.key.arguments = as_text(encode_table(*table));
  return {};
}

Handled Channel::change_binding(cluster::Binding binding, BindingChange change, bool no_wait, const Method& ok) {
  if (change == BindingChange::add) {
    const cluster::Exchange* source = topology().find_exchange(vhost(), binding.source);
    const exchange::ExchangeType* type = source != nullptr ? exchange::find_exchange_type(source->type) : nullptr;
    if (type != nullptr) {
      if (auto valid = type->validate_binding(binding.key); !valid) {
        return refuse(ReplyCode::precondition_failed, valid.error());
      }
    }
  }
  const std::string source = binding.source;
  auto then = [this, source, no_wait, ok](const MetadataReply& reply) -> Handled {
    const bool is_missing =
        reply.outcome == cluster::Outcome::unknown && topology().find_exchange(vhost(), source) == nullptr;
    if (reply.outcome == cluster::Outcome::not_found || is_missing)
      return no_such(ResourceKind::exchange, source, vhost());
    if (!no_wait) std::visit([&](const auto& method) { send(method); }, ok);
    return {};
  };
  if (change == BindingChange::add) {
    submit(cluster::Bind{.binding = std::move(binding)}, std::move(then));
  } else {
    submit(cluster::Unbind{.binding = std::move(binding)}, std::move(then));
  }
  return {};
}

}  // namespace quorate::amqp
