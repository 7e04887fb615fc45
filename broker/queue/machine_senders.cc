// The queue machine and those who number their commands: whose turn it is, and answers that are given again.
#include <utility>

#include "base/overloaded.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

void QueueMachine::on(const From& command, Effects& out) {
  if (!senders_.begin_run(command)) out.emplace_back(effect::Forgotten{.session = command.session});
}

bool QueueMachine::has_its_turn(const Command& command, Effects& out) {
  if (std::holds_alternative<From>(command)) return true;
  const Senders::Turn turn = senders_.take_turn();
  if (turn == Senders::Turn::free || turn == Senders::Turn::now) return true;
  if (const auto* message = std::get_if<Enqueue>(&command)) skip(*message);
  if (turn == Senders::Turn::repeated) answer_again(command, out);
  return false;
}

// --- what was answered is remembered until the session asks for something else ---

/// The number of the command being applied, or 0.
std::uint64_t QueueMachine::remember(Reply::Kind kind, std::uint64_t value, std::uint64_t ready_left) {
  Sender* sender = senders_.current();
  if (sender == nullptr) return 0;
  sender->reply = {.kind = kind, .number = senders_.number(), .value = value, .ready_left = ready_left};
  return sender->reply.number;
}

void QueueMachine::answer(effect::Attached reply, Effects& out) {
  reply.number = remember(Reply::Kind::attached, static_cast<std::uint64_t>(reply.result));
  out.emplace_back(reply);
}

void QueueMachine::answer(effect::Cancelled reply, Effects& out) {
  reply.number = remember(Reply::Kind::cancelled, 0);
  out.emplace_back(reply);
}

void QueueMachine::answer(effect::Purged reply, Effects& out) {
  reply.number = remember(Reply::Kind::purged, reply.count);
  out.emplace_back(reply);
}

void QueueMachine::answer(effect::GetOk reply, Effects& out) {
  reply.number = remember(Reply::Kind::got, reply.delivery.id, reply.ready_left);
  out.emplace_back(reply);
}

void QueueMachine::answer(effect::GetEmpty reply, Effects& out) {
  reply.number = remember(Reply::Kind::got, 0);
  out.emplace_back(reply);
}

// --- a command comes again ---

void QueueMachine::answer_again(const Command& command, Effects& out) const {
  if (std::holds_alternative<Enqueue>(command)) {
    if (senders_.is_current_refused()) out.emplace_back(refusal());
    return;
  }
  const Reply& reply = senders_.current()->reply;
  if (reply.number != senders_.number()) return;
  const auto is = [&](Reply::Kind kind) { return reply.kind == kind; };
  std::visit(
      Overloaded{[&](const Attach& c) {
                   if (!is(Reply::Kind::attached)) return;
                   const auto result = reply.value == 0 ? AttachResult::attached : AttachResult::in_exclusive_use;
                   out.emplace_back(effect::Attached{.consumer = c.consumer, .result = result, .number = reply.number});
                 },
                 [&](const Cancel& c) {
                   if (is(Reply::Kind::cancelled))
                     out.emplace_back(effect::Cancelled{.consumer = c.consumer, .number = reply.number});
                 },
                 [&](const Purge& c) {
                   if (!is(Reply::Kind::purged)) return;
                   out.emplace_back(effect::Purged{.session = c.session, .count = reply.value, .number = reply.number});
                 },
                 [&](const Get& c) {
                   if (is(Reply::Kind::got)) get_again(c, reply, out);
                 },
                 [](const auto&) {}},
      command);
}

/// What was fetched is still the getter's, or it is gone: fetched without acknowledgement, or settled since.
void QueueMachine::get_again(const Get& command, const Reply& reply, Effects& out) const {
  const ConsumerKey key{.session = command.session, .link = kGetLink};
  const Consumer* getter = find(key);
  const MessageRef* message = getter == nullptr ? nullptr : getter->held.find(reply.value);
  if (message == nullptr) {
    out.emplace_back(effect::GetEmpty{.session = command.session, .number = reply.number});
    return;
  }
  out.emplace_back(effect::GetOk{
      .delivery = {.consumer = key, .id = reply.value, .message = *message, .acquired_count = acquired_count(*message)},
      .ready_left = reply.ready_left,
      .number = reply.number});
}

}  // namespace quorate::queue
