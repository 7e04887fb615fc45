// The methods of AMQP 0-9-1 with RabbitMQ's extensions, each a plain aggregate whose members are the wire fields in
// the order of the wire. One AMQP_METHOD row per method is all that codec, log text, transcripts and
// docs/reference/methods.md know of it; a field that a row forgets does not compile, one out of order fails a test.
// Strings and tables borrow: a decoded method is valid only as long as the buffer it was decoded from.
#pragma once
#include <boost/describe/class.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace quorate::amqp {

/// One bit of an octet; neighbouring bits share octets, lowest first.
struct Bit {
  bool on = false;
  constexpr Bit() = default;
  constexpr Bit(std::same_as<bool> auto value) : on(value) {}  // NOLINT: a Bit is a bool that knows how it travels
  constexpr operator bool() const { return on; }               // NOLINT
};
/// At most 255 octets.
struct ShortString {
  std::string_view text;
  constexpr ShortString() = default;
  constexpr ShortString(std::string_view value) : text(value) {}  // NOLINT: as Bit
  constexpr ShortString(const char* value) : text(value) {}       // NOLINT
  ShortString(const std::string& value) : text(value) {}          // NOLINT
};
struct LongString {
  std::string_view text;
  constexpr LongString() = default;
  constexpr LongString(std::string_view value) : text(value) {}  // NOLINT: as Bit
  constexpr LongString(const char* value) : text(value) {}       // NOLINT
  LongString(const std::string& value) : text(value) {}          // NOLINT
};
/// The fields of a table, still encoded and not yet validated: read them with table_codec.h.
struct TableView {
  ByteView encoded;
  TableView() = default;
  TableView(ByteView view) : encoded(view) {}                       // NOLINT: as Bit
  TableView(const std::vector<std::byte>& view) : encoded(view) {}  // NOLINT
};

/// `id` is class << 16 | method, as the first four octets of a method payload spell it.
template <class T>
struct MethodInfo;

// Boost.Describe keeps names and member pointers of the fields; nothing else repeats them.
#define AMQP_METHOD(Type, class_number, method_number, wire_name, ...)           \
  BOOST_DESCRIBE_STRUCT(Type, (), (__VA_ARGS__))                                 \
  template <>                                                                    \
  struct MethodInfo<Type> {                                                      \
    static constexpr std::uint32_t id = (class_number##u << 16) | method_number; \
    static constexpr std::string_view name = wire_name;                          \
  };

// Members named reserved_N are the deprecated fields of the specification (tickets and the like): carried, never read.

// connection (10)
struct ConnectionStart {
  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 0;
  TableView server_properties = {};
  LongString mechanisms = {};
  LongString locales = {};
};
AMQP_METHOD(ConnectionStart, 10, 10, "connection.start", version_major, version_minor, server_properties, mechanisms,
            locales)

struct ConnectionStartOk {
  TableView client_properties = {};
  ShortString mechanism = {};
  LongString response = {};
  ShortString locale = {};
};
AMQP_METHOD(ConnectionStartOk, 10, 11, "connection.start-ok", client_properties, mechanism, response, locale)

struct ConnectionSecure {
  LongString challenge = {};
};
AMQP_METHOD(ConnectionSecure, 10, 20, "connection.secure", challenge)

struct ConnectionSecureOk {
  LongString response = {};
};
AMQP_METHOD(ConnectionSecureOk, 10, 21, "connection.secure-ok", response)

struct ConnectionTune {
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
};
AMQP_METHOD(ConnectionTune, 10, 30, "connection.tune", channel_max, frame_max, heartbeat)

struct ConnectionTuneOk {
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
};
AMQP_METHOD(ConnectionTuneOk, 10, 31, "connection.tune-ok", channel_max, frame_max, heartbeat)

struct ConnectionOpen {
  ShortString virtual_host = {};
  ShortString reserved_1 = {};
  Bit reserved_2 = {};
};
AMQP_METHOD(ConnectionOpen, 10, 40, "connection.open", virtual_host, reserved_1, reserved_2)

struct ConnectionOpenOk {
  ShortString reserved_1 = {};
};
AMQP_METHOD(ConnectionOpenOk, 10, 41, "connection.open-ok", reserved_1)

struct ConnectionClose {
  std::uint16_t reply_code = 0;
  ShortString reply_text = {};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
};
AMQP_METHOD(ConnectionClose, 10, 50, "connection.close", reply_code, reply_text, class_id, method_id)

struct ConnectionCloseOk {};
AMQP_METHOD(ConnectionCloseOk, 10, 51, "connection.close-ok")

struct ConnectionBlocked {
  ShortString reason = {};
};
AMQP_METHOD(ConnectionBlocked, 10, 60, "connection.blocked", reason)

struct ConnectionUnblocked {};
AMQP_METHOD(ConnectionUnblocked, 10, 61, "connection.unblocked")

struct ConnectionUpdateSecret {
  LongString new_secret = {};
  ShortString reason = {};
};
AMQP_METHOD(ConnectionUpdateSecret, 10, 70, "connection.update-secret", new_secret, reason)

struct ConnectionUpdateSecretOk {};
AMQP_METHOD(ConnectionUpdateSecretOk, 10, 71, "connection.update-secret-ok")

// channel (20)
struct ChannelOpen {
  ShortString reserved_1 = {};
};
AMQP_METHOD(ChannelOpen, 20, 10, "channel.open", reserved_1)

struct ChannelOpenOk {
  LongString reserved_1 = {};
};
AMQP_METHOD(ChannelOpenOk, 20, 11, "channel.open-ok", reserved_1)

struct ChannelFlow {
  Bit active = {};
};
AMQP_METHOD(ChannelFlow, 20, 20, "channel.flow", active)

struct ChannelFlowOk {
  Bit active = {};
};
AMQP_METHOD(ChannelFlowOk, 20, 21, "channel.flow-ok", active)

struct ChannelClose {
  std::uint16_t reply_code = 0;
  ShortString reply_text = {};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
};
AMQP_METHOD(ChannelClose, 20, 40, "channel.close", reply_code, reply_text, class_id, method_id)

struct ChannelCloseOk {};
AMQP_METHOD(ChannelCloseOk, 20, 41, "channel.close-ok")

// access (30)
struct AccessRequest {
  ShortString realm = {};
  Bit exclusive = {};
  Bit passive = {};
  Bit active = {};
  Bit write = {};
  Bit read = {};
};
AMQP_METHOD(AccessRequest, 30, 10, "access.request", realm, exclusive, passive, active, write, read)

struct AccessRequestOk {
  std::uint16_t ticket = 0;
};
AMQP_METHOD(AccessRequestOk, 30, 11, "access.request-ok", ticket)

// exchange (40)
struct ExchangeDeclare {
  std::uint16_t reserved_1 = 0;
  ShortString exchange = {};
  ShortString type = {};
  Bit passive = {};
  Bit durable = {};
  Bit auto_delete = {};
  Bit internal = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(ExchangeDeclare, 40, 10, "exchange.declare", reserved_1, exchange, type, passive, durable, auto_delete,
            internal, no_wait, arguments)

struct ExchangeDeclareOk {};
AMQP_METHOD(ExchangeDeclareOk, 40, 11, "exchange.declare-ok")

struct ExchangeDelete {
  std::uint16_t reserved_1 = 0;
  ShortString exchange = {};
  Bit if_unused = {};
  Bit no_wait = {};
};
AMQP_METHOD(ExchangeDelete, 40, 20, "exchange.delete", reserved_1, exchange, if_unused, no_wait)

struct ExchangeDeleteOk {};
AMQP_METHOD(ExchangeDeleteOk, 40, 21, "exchange.delete-ok")

struct ExchangeBind {
  std::uint16_t reserved_1 = 0;
  ShortString destination = {};
  ShortString source = {};
  ShortString routing_key = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(ExchangeBind, 40, 30, "exchange.bind", reserved_1, destination, source, routing_key, no_wait, arguments)

struct ExchangeBindOk {};
AMQP_METHOD(ExchangeBindOk, 40, 31, "exchange.bind-ok")

struct ExchangeUnbind {
  std::uint16_t reserved_1 = 0;
  ShortString destination = {};
  ShortString source = {};
  ShortString routing_key = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(ExchangeUnbind, 40, 40, "exchange.unbind", reserved_1, destination, source, routing_key, no_wait, arguments)

struct ExchangeUnbindOk {};
AMQP_METHOD(ExchangeUnbindOk, 40, 51, "exchange.unbind-ok")

// queue (50)
struct QueueDeclare {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  Bit passive = {};
  Bit durable = {};
  Bit exclusive = {};
  Bit auto_delete = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(QueueDeclare, 50, 10, "queue.declare", reserved_1, queue, passive, durable, exclusive, auto_delete, no_wait,
            arguments)

struct QueueDeclareOk {
  ShortString queue = {};
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;
};
AMQP_METHOD(QueueDeclareOk, 50, 11, "queue.declare-ok", queue, message_count, consumer_count)

struct QueueBind {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  ShortString exchange = {};
  ShortString routing_key = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(QueueBind, 50, 20, "queue.bind", reserved_1, queue, exchange, routing_key, no_wait, arguments)

struct QueueBindOk {};
AMQP_METHOD(QueueBindOk, 50, 21, "queue.bind-ok")

struct QueuePurge {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  Bit no_wait = {};
};
AMQP_METHOD(QueuePurge, 50, 30, "queue.purge", reserved_1, queue, no_wait)

struct QueuePurgeOk {
  std::uint32_t message_count = 0;
};
AMQP_METHOD(QueuePurgeOk, 50, 31, "queue.purge-ok", message_count)

struct QueueDelete {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  Bit if_unused = {};
  Bit if_empty = {};
  Bit no_wait = {};
};
AMQP_METHOD(QueueDelete, 50, 40, "queue.delete", reserved_1, queue, if_unused, if_empty, no_wait)

struct QueueDeleteOk {
  std::uint32_t message_count = 0;
};
AMQP_METHOD(QueueDeleteOk, 50, 41, "queue.delete-ok", message_count)

struct QueueUnbind {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  ShortString exchange = {};
  ShortString routing_key = {};
  TableView arguments = {};
};
AMQP_METHOD(QueueUnbind, 50, 50, "queue.unbind", reserved_1, queue, exchange, routing_key, arguments)

struct QueueUnbindOk {};
AMQP_METHOD(QueueUnbindOk, 50, 51, "queue.unbind-ok")

// basic (60)
struct BasicQos {
  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  Bit global = {};
};
AMQP_METHOD(BasicQos, 60, 10, "basic.qos", prefetch_size, prefetch_count, global)

struct BasicQosOk {};
AMQP_METHOD(BasicQosOk, 60, 11, "basic.qos-ok")

struct BasicConsume {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  ShortString consumer_tag = {};
  Bit no_local = {};
  Bit no_ack = {};
  Bit exclusive = {};
  Bit no_wait = {};
  TableView arguments = {};
};
AMQP_METHOD(BasicConsume, 60, 20, "basic.consume", reserved_1, queue, consumer_tag, no_local, no_ack, exclusive,
            no_wait, arguments)

struct BasicConsumeOk {
  ShortString consumer_tag = {};
};
AMQP_METHOD(BasicConsumeOk, 60, 21, "basic.consume-ok", consumer_tag)

struct BasicCancel {
  ShortString consumer_tag = {};
  Bit no_wait = {};
};
AMQP_METHOD(BasicCancel, 60, 30, "basic.cancel", consumer_tag, no_wait)

struct BasicCancelOk {
  ShortString consumer_tag = {};
};
AMQP_METHOD(BasicCancelOk, 60, 31, "basic.cancel-ok", consumer_tag)

struct BasicPublish {
  std::uint16_t reserved_1 = 0;
  ShortString exchange = {};
  ShortString routing_key = {};
  Bit mandatory = {};
  Bit immediate = {};
};
AMQP_METHOD(BasicPublish, 60, 40, "basic.publish", reserved_1, exchange, routing_key, mandatory, immediate)

struct BasicReturn {
  std::uint16_t reply_code = 0;
  ShortString reply_text = {};
  ShortString exchange = {};
  ShortString routing_key = {};
};
AMQP_METHOD(BasicReturn, 60, 50, "basic.return", reply_code, reply_text, exchange, routing_key)

struct BasicDeliver {
  ShortString consumer_tag = {};
  std::uint64_t delivery_tag = 0;
  Bit redelivered = {};
  ShortString exchange = {};
  ShortString routing_key = {};
};
AMQP_METHOD(BasicDeliver, 60, 60, "basic.deliver", consumer_tag, delivery_tag, redelivered, exchange, routing_key)

struct BasicGet {
  std::uint16_t reserved_1 = 0;
  ShortString queue = {};
  Bit no_ack = {};
};
AMQP_METHOD(BasicGet, 60, 70, "basic.get", reserved_1, queue, no_ack)

struct BasicGetOk {
  std::uint64_t delivery_tag = 0;
  Bit redelivered = {};
  ShortString exchange = {};
  ShortString routing_key = {};
  std::uint32_t message_count = 0;
};
AMQP_METHOD(BasicGetOk, 60, 71, "basic.get-ok", delivery_tag, redelivered, exchange, routing_key, message_count)

struct BasicGetEmpty {
  ShortString reserved_1 = {};
};
AMQP_METHOD(BasicGetEmpty, 60, 72, "basic.get-empty", reserved_1)

struct BasicAck {
  std::uint64_t delivery_tag = 0;
  Bit multiple = {};
};
AMQP_METHOD(BasicAck, 60, 80, "basic.ack", delivery_tag, multiple)

struct BasicReject {
  std::uint64_t delivery_tag = 0;
  Bit requeue = {};
};
AMQP_METHOD(BasicReject, 60, 90, "basic.reject", delivery_tag, requeue)

struct BasicRecoverAsync {
  Bit requeue = {};
};
AMQP_METHOD(BasicRecoverAsync, 60, 100, "basic.recover-async", requeue)

struct BasicRecover {
  Bit requeue = {};
};
AMQP_METHOD(BasicRecover, 60, 110, "basic.recover", requeue)

struct BasicRecoverOk {};
AMQP_METHOD(BasicRecoverOk, 60, 111, "basic.recover-ok")

struct BasicNack {
  std::uint64_t delivery_tag = 0;
  Bit multiple = {};
  Bit requeue = {};
};
AMQP_METHOD(BasicNack, 60, 120, "basic.nack", delivery_tag, multiple, requeue)

struct BasicCredit {
  ShortString consumer_tag = {};
  std::uint32_t credit = 0;
  Bit drain = {};
};
AMQP_METHOD(BasicCredit, 60, 200, "basic.credit", consumer_tag, credit, drain)

struct BasicCreditOk {
  std::uint32_t available = 0;
};
AMQP_METHOD(BasicCreditOk, 60, 201, "basic.credit-ok", available)

struct BasicCreditDrained {
  ShortString consumer_tag = {};
  std::uint32_t credit_drained = 0;
};
AMQP_METHOD(BasicCreditDrained, 60, 202, "basic.credit-drained", consumer_tag, credit_drained)

// confirm (85)
struct ConfirmSelect {
  Bit no_wait = {};
};
AMQP_METHOD(ConfirmSelect, 85, 10, "confirm.select", no_wait)

struct ConfirmSelectOk {};
AMQP_METHOD(ConfirmSelectOk, 85, 11, "confirm.select-ok")

// tx (90)
struct TxSelect {};
AMQP_METHOD(TxSelect, 90, 10, "tx.select")

struct TxSelectOk {};
AMQP_METHOD(TxSelectOk, 90, 11, "tx.select-ok")

struct TxCommit {};
AMQP_METHOD(TxCommit, 90, 20, "tx.commit")

struct TxCommitOk {};
AMQP_METHOD(TxCommitOk, 90, 21, "tx.commit-ok")

struct TxRollback {};
AMQP_METHOD(TxRollback, 90, 30, "tx.rollback")

struct TxRollbackOk {};
AMQP_METHOD(TxRollbackOk, 90, 31, "tx.rollback-ok")

// The order is that of the ids within a class; method_codec.cc checks that no id comes twice.
using Method =
    std::variant<ConnectionStart, ConnectionStartOk, ConnectionSecure, ConnectionSecureOk, ConnectionTune,
                 ConnectionTuneOk, ConnectionOpen, ConnectionOpenOk, ConnectionClose, ConnectionCloseOk,
                 ConnectionBlocked, ConnectionUnblocked, ConnectionUpdateSecret, ConnectionUpdateSecretOk, ChannelOpen,
                 ChannelOpenOk, ChannelFlow, ChannelFlowOk, ChannelClose, ChannelCloseOk, AccessRequest,
                 AccessRequestOk, ExchangeDeclare, ExchangeDeclareOk, ExchangeDelete, ExchangeDeleteOk, ExchangeBind,
                 ExchangeBindOk, ExchangeUnbind, ExchangeUnbindOk, QueueDeclare, QueueDeclareOk, QueueBind, QueueBindOk,
                 QueuePurge, QueuePurgeOk, QueueDelete, QueueDeleteOk, QueueUnbind, QueueUnbindOk, BasicQos, BasicQosOk,
                 BasicConsume, BasicConsumeOk, BasicCancel, BasicCancelOk, BasicPublish, BasicReturn, BasicDeliver,
                 BasicGet, BasicGetOk, BasicGetEmpty, BasicAck, BasicReject, BasicRecoverAsync, BasicRecover,
                 BasicRecoverOk, BasicNack, BasicCredit, BasicCreditOk, BasicCreditDrained, ConfirmSelect,
                 ConfirmSelectOk, TxSelect, TxSelectOk, TxCommit, TxCommitOk, TxRollback, TxRollbackOk>;

static_assert(std::is_trivially_copyable_v<Method>);

/// Id and name of whatever method is held.
std::uint32_t full_id(const Method& method);
std::string_view method_name(const Method& method);
/// Name of an id, or "" for one that is no method of ours: for logs of errors that carry an id only.
std::string_view method_name(std::uint32_t full_id);

constexpr std::uint16_t class_id(std::uint32_t full_id) { return static_cast<std::uint16_t>(full_id >> 16); }
constexpr std::uint16_t method_id(std::uint32_t full_id) { return static_cast<std::uint16_t>(full_id); }
inline std::uint16_t class_id(const Method& method) { return class_id(full_id(method)); }
inline std::uint16_t method_id(const Method& method) { return method_id(full_id(method)); }

}  // namespace quorate::amqp
