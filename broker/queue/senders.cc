#include "broker/queue/senders.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/queue/session_codec.h"

namespace quorate::queue {

bool Senders::begin_run(const From& from) {
  end_run();
  run_ = {.tracked = from.first > 0, .session = from.session, .first = from.first, .next = from.first};
  if (!run_.tracked) return true;
  auto at = senders_.find(from.session);
  if (at == senders_.end()) {
    if (from.heard > 0) return false;
    const std::size_t place = place_of_stranger(from.session);
    if (from.first > 1) return true;  // what it began with was lost
    at = senders_.try_emplace(from.session).first;
    at->second.heard_place = place;
    heard_[place].sender = &at->second;
  }
  Sender& sender = at->second;
  if (sender.expired) return false;
  run_.sender = &sender;
  if (sender.heard_place == Sender::kUnheard) {
    sender.heard_place = heard_.size();
    heard_.push_back({.session = from.session, .sender = &sender, .first = sender.last + 1, .number = sender.last});
  }
  forget_refused(sender.refused, from.heard);
  return true;
}

/// Of a session that has no Sender, in the list of those the entry heard.
std::size_t Senders::place_of_stranger(const SessionId& session) {
  const auto is_stranger = [&](const Heard& heard) { return heard.session == session && heard.sender == nullptr; };
  const auto at = std::ranges::find_if(heard_, is_stranger);
  if (at != heard_.end()) return static_cast<std::size_t>(at - heard_.begin());
  heard_.push_back({.session = session});
  return heard_.size() - 1;
}

void Senders::forget_refused(std::vector<IdRange>& refused, std::uint64_t heard) {
  const auto unheard = std::ranges::find_if(refused, [&](const IdRange& ids) { return ids.last > heard; });
  refused.erase(refused.begin(), unheard);
  if (!refused.empty()) refused.front().first = std::max(refused.front().first, heard + 1);
}

/// What the entry answers to a session is one range: of several runs that leave a gap between them the later counts.
void Senders::end_run() {
  if (run_.sender == nullptr) return;
  Heard& heard = heard_[run_.sender->heard_place];
  const std::uint64_t last = std::min(run_.next - 1, run_.sender->last);
  if (last < run_.first) return;
  const bool is_nothing = heard.number < heard.first;
  const bool is_apart = run_.first > heard.number + 1 || last + 1 < heard.first;
  if (is_nothing || is_apart) {
    heard.first = run_.first;
    heard.number = last;
  } else {
    heard.first = std::min(heard.first, run_.first);
    heard.number = std::max(heard.number, last);
  }
}

Senders::Turn Senders::take_numbered_turn() {
  const std::uint64_t number = run_.next++;
  if (run_.sender == nullptr) return Turn::never;
  if (number <= run_.sender->last) return Turn::repeated;
  if (number > run_.sender->last + 1) return Turn::never;
  run_.sender->last = number;
  return Turn::now;
}

void Senders::end_entry(Effects& out) {
  end_run();
  for (const Heard& heard : heard_) {
    if (heard.sender != nullptr) heard.sender->heard_place = Sender::kUnheard;
    out.emplace_back(effect::Through{.session = heard.session, .first = heard.first, .number = heard.number});
  }
  run_ = {};
  heard_.clear();
}

void Senders::refuse_current() {
  if (run_.sender == nullptr) return;
  std::vector<IdRange>& refused = run_.sender->refused;
  if (!refused.empty() && refused.back().last + 1 == number()) {
    refused.back().last = number();
  } else {
    refused.push_back({.first = number(), .last = number()});
  }
}

bool Senders::is_current_refused() const {
  if (run_.sender == nullptr) return false;
  return std::ranges::any_of(run_.sender->refused,
                             [&](const IdRange& ids) { return ids.first <= number() && number() <= ids.last; });
}

void Senders::end(const SessionId& session) {
  const auto at = senders_.find(session);
  if (at == senders_.end()) return;
  leave(at->second);
  senders_.erase(at);
}

void Senders::end_all(NodeId node, Epoch below) {
  auto at = senders_.lower_bound({.node = node});
  while (at != senders_.end() && at->first.node == node && at->first.epoch < below) {
    leave(at->second);
    at = senders_.erase(at);
  }
}

void Senders::expire_all(NodeId node, Epoch below) {
  auto at = senders_.lower_bound({.node = node});
  for (; at != senders_.end() && at->first.node == node && at->first.epoch < below; ++at) {
    leave(at->second);
    at->second = {.expired = true};
  }
}

/// The entry being applied has nothing more to do with it.
void Senders::leave(Sender& sender) {
  if (run_.sender == &sender) {
    end_run();
    run_.sender = nullptr;
  }
  if (sender.heard_place != Sender::kUnheard) heard_[sender.heard_place].sender = nullptr;
}

const Sender* Senders::find(const SessionId& session) const {
  const auto at = senders_.find(session);
  return at == senders_.end() || at->second.expired ? nullptr : &at->second;
}

// --- as bytes: the senders of docs/formats/queue_snapshot.md ---

constexpr std::uint8_t kExpired = 1;

void Senders::write(ByteWriter& w) const {
  w.write_varint(senders_.size());
  for (const auto& [session, sender] : senders_) {
    put(w, session);
    w.write(static_cast<std::uint8_t>(sender.expired ? kExpired : 0));
    if (sender.expired) continue;
    w.write_varint(sender.last);
    put(w, sender.refused);
    w.write(static_cast<std::uint8_t>(sender.reply.kind));
    if (sender.reply.kind == Reply::Kind::none) continue;
    w.write_varint(sender.reply.number);
    w.write_varint(sender.reply.value);
    w.write_varint(sender.reply.ready_left);
  }
}

namespace {

bool is_sound(const Sender& sender) {
  std::uint64_t before = 0;
  for (const IdRange& ids : sender.refused) {
    if (ids.first <= before) return false;
    before = ids.last;
  }
  return sender.last <= kNumberMax && before <= sender.last && sender.reply.number <= sender.last;
}

bool get(ByteReader& r, Reply& reply) {
  std::uint8_t kind = 0;
  if (!r.read(kind) || kind > static_cast<std::uint8_t>(Reply::Kind::got)) return false;
  reply.kind = static_cast<Reply::Kind>(kind);
  if (reply.kind == Reply::Kind::none) return true;
  return r.read_varint(reply.number) && r.read_varint(reply.value) && r.read_varint(reply.ready_left);
}

bool get(ByteReader& r, Sender& sender) {
  std::uint8_t flags = 0;
  if (!r.read(flags)) return false;
  sender.expired = (flags & kExpired) != 0;
  if (sender.expired) return true;
  return r.read_varint(sender.last) && queue::get(r, sender.refused) && get(r, sender.reply) && is_sound(sender);
}

}  // namespace

bool Senders::read(ByteReader& r) {
  std::uint64_t count = 0;
  if (!r.read_varint(count)) return false;
  for (; count > 0; --count) {
    SessionId session;
    Sender sender;
    if (!queue::get(r, session) || !get(r, sender)) return false;
    const bool ascends = senders_.empty() || senders_.rbegin()->first < session;
    if (!ascends) return false;
    senders_.emplace_hint(senders_.end(), session, std::move(sender));
  }
  return true;
}

void Senders::check_invariants() const {
  CHECK(heard_.empty());
  for (const auto& [session, sender] : senders_) CHECK(is_sound(sender) && sender.heard_place == Sender::kUnheard);
}

}  // namespace quorate::queue
