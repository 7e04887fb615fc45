// Courier: what queues say to sessions, and what that proves about what they have been sent.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/limits.h"
#include "broker/queue/courier.h"

namespace quorate::queue {
namespace {

/// Which answers fit which request.
template <class Answer>
bool is_answered_by(const QueueMailBody& what) {
  if constexpr (std::is_same_v<Answer, Attached>) return std::holds_alternative<Attach>(what);
  if constexpr (std::is_same_v<Answer, Cancelled>) return std::holds_alternative<Cancel>(what);
  if constexpr (std::is_same_v<Answer, GetOk> || std::is_same_v<Answer, GetEmpty>) {
    return std::holds_alternative<Get>(what);
  }
  if constexpr (std::is_same_v<Answer, Purged>) return std::holds_alternative<Purge>(what);
  return false;
}

}  // namespace

void Courier::on_mail(SessionMail mail) {
  const auto at = links_.find({mail.to.serial, mail.queue});
  if (at == links_.end() || at->second.session != mail.to) return;
  Link& link = at->second;
  std::visit([&](auto& what) { on(link, mail, what); }, mail.what);
}

void Courier::on(Link& link, SessionMail& mail, Delivery& delivery) {
  const auto is_its_attach = [&](const Sent& sent) {
    const auto* attach = std::get_if<Attach>(&sent.what);
    return attach != nullptr && attach->consumer.link == delivery.link && !sent.answered;
  };
  const auto attach = std::ranges::find_if(link.kept, is_its_attach);
  const bool is_early = !link.consumers.contains(delivery.link) && attach != link.kept.end();
  if (is_early) {  // its answer was lost or overtaken; what it holds is asked for when that comes
    attach->repeated = true;
    return;
  }
  Received& received = link.consumers[delivery.link];
  const bool is_next = delivery.id == received.last + 1;
  if (received.is_known && delivery.id <= received.last) return;
  // Of a consumer that was attached before the session was numbered what it has missed may exist nowhere any more.
  if (received.is_known && !is_next && !delivery.settled) {
    const Instant now = shard_.now();
    if (received.resumed_at && now - *received.resumed_at < kPatience) return;
    received.resumed_at = now;
    link.to_resume.push_back(delivery.link);
    return mark_dirty(link);
  }
  link.progress_at = shard_.now();
  received.last = delivery.id;
  received.is_known = true;
  received.resumed_at.reset();
  // Who has cancelled gives back what comes too late.
  const bool is_taken = received.settles_itself && !received.cancelled && !link.ended;
  delivery.settled |= is_taken;
  if (is_taken) settle(link, delivery.link, delivery.id);
  surroundings_.deliver(std::move(mail));
}

void Courier::on(Link& link, SessionMail&, Through& through) {
  if (through.first > link.through + 1) return;  // something was missed, and is sent again
  if (through.number > link.through) link.progress_at = shard_.now();
  link.through = std::max(link.through, through.number);
  for (Sent& sent : link.kept) {
    if (sent.number > through.number) break;
    tell_taken(link, sent);
  }
  forget_done(link);
  if (link.ended && link.kept.empty()) return remove({link.session.serial, link.queue});
  const bool may_end = link.ended && link.unsent > 0 && link.kept.front().number == link.through + 1;
  if (may_end) mark_dirty(link);
}

/// What is carried out needs no sending any more, even if a repetition was due. An answer may come after its Through.
void Courier::forget_done(Link& link) {
  while (!link.kept.empty()) {
    const Sent& front = link.kept.front();
    if (front.number > link.through || (is_request(front.what) && !front.answered)) break;
    link.unsent = std::min(link.unsent, link.kept.size() - 1);
    link.kept.pop_front();
  }
}

void Courier::tell_taken(Link& link, Sent& sent) {
  const auto* publish = std::get_if<Publish>(&sent.what);
  if (publish == nullptr || std::exchange(sent.answered, true)) return;
  surroundings_.deliver(taken(link, *publish, sent.refused));
}

/// Brings back the bytes that send() gave.
SessionMail Courier::taken(const Link& link, const Publish& publish, bool refused) {
  const std::size_t bytes = limits::kReplicatedFlightWeight * flight_bytes(publish);
  return {
      .to = link.session, .queue = link.queue, .what = Taken{.seq = publish.seq, .bytes = bytes, .refused = refused}};
}

/// Null when it is not kept any more.
Courier::Sent* Courier::find_sent(Link& link, std::uint64_t number) {
  if (link.kept.empty() || number < link.kept.front().number) return nullptr;
  const std::uint64_t place = number - link.kept.front().number;
  return place < link.kept.size() ? &link.kept[place] : nullptr;
}

void Courier::on(Link& link, SessionMail&, Refused& refused) {
  if (Sent* sent = find_sent(link, refused.number); sent != nullptr) sent->refused = true;
}

void Courier::on(Link& link, SessionMail& mail, Forgotten&) {
  const LinkKey key{link.session.serial, link.queue};
  const bool was_ended = link.ended;
  remove(key);
  if (!was_ended) surroundings_.deliver(std::move(mail));
}

/// The consumer holds nothing, nor will it: nothing of it can come again. One that is not cancelled has its reasons,
/// such as a leader that is behind.
void Courier::on(Link& link, SessionMail&, Gone& gone) {
  const auto at = link.consumers.find(gone.link);
  if (at != link.consumers.end() && at->second.cancelled) link.consumers.erase(at);
}

/// False when the question is not open: its answer has come before.
bool Courier::close_question(Link& link, std::uint64_t number) {
  const auto at = std::ranges::find(link.questions, number, [](const Asked& asked) { return asked.question.number; });
  if (at == link.questions.end()) return false;
  link.questions.erase(at);
  link.progress_at = shard_.now();
  return true;
}

void Courier::on(Link& link, SessionMail& mail, Counted&) {
  if (close_question(link, mail.answers)) surroundings_.deliver(std::move(mail));
}

void Courier::on(Link& link, SessionMail& mail, Deleted& deleted) {
  if (!close_question(link, mail.answers)) return;
  const bool is_over = routes_.at(link.queue).gone;
  if (deleted.outcome == DeleteOutcome::deleted && !is_over) {
    link.deleted = std::move(mail);
    return;
  }
  surroundings_.deliver(std::move(mail));
  if (is_over && link.questions.empty()) remove({link.session.serial, link.queue});
}

template <class Answer>
void Courier::on(Link& link, SessionMail& mail, Answer& answer) {
  Sent* request = find_sent(link, mail.answers);
  const bool is_awaited = request != nullptr && !request->answered && is_answered_by<Answer>(request->what);
  if (!is_awaited) return;  // a repetition
  request->answered = true;
  link.progress_at = shard_.now();
  if constexpr (std::is_same_v<Answer, GetOk>) {
    answer.delivery.settled = std::get<Get>(request->what).no_ack && !link.ended;
    if (answer.delivery.settled) settle(link, kGetLink, answer.delivery.id);
  }
  if constexpr (std::is_same_v<Answer, Attached>) {
    if (answer.result == AttachResult::attached) {
      Received& received = link.consumers[answer.link];
      received.is_known = true;
      received.settles_itself = std::get<Attach>(request->what).no_ack;
      // It may have been attached, and served, by the time an earlier copy arrived.
      if (request->repeated) {
        link.to_resume.push_back(answer.link);
        mark_dirty(link);
      }
    }
  }
  if constexpr (std::is_same_v<Answer, Cancelled>) {
    // What it still holds may be sent again, so it is not forgotten before the queue says that it holds nothing.
    if (const auto at = link.consumers.find(answer.link); at != link.consumers.end()) {
      at->second.cancelled = true;
      link.to_resume.push_back(answer.link);
      mark_dirty(link);
    }
  }
  if (!link.ended) forget_done(link);  // an end waits for a Through of its own
  surroundings_.deliver(std::move(mail));
}

}  // namespace quorate::queue
