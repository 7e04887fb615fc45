#include "broker/queue/courier.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::queue {
namespace {

constexpr Duration kLookAfter = std::chrono::milliseconds(100);
/// Who does not know the leader asks again after this long.
constexpr Duration kAskAgain = std::chrono::milliseconds(200);
/// A consuming link that hears nothing for so long asks whether it has missed something. Only the last resort: whoever
/// knows of a loss says so.
constexpr Duration kRefresh = std::chrono::seconds(30);

/// Of one parcel; a link with more sends several.
constexpr std::size_t kParcelCommandsMax = 512;
constexpr std::size_t kParcelBytesMax = 1u << 20;

std::vector<NodeId> places_of(const cluster::Queue& queue) {
  std::vector<NodeId> places;
  for (const raft::ReplicaId member : queue.members) places.push_back(raft::node_of(member));
  if (places.empty()) places.push_back(queue.node);
  return places;
}

std::optional<NodeId> only_home_of(const cluster::Queue& queue) {
  const std::vector<NodeId> places = places_of(queue);
  return places.size() == 1 ? std::optional(places.front()) : std::nullopt;
}

/// What its client need not acknowledge is held for it all the same, until settle().
void hold_until_taken(QueueMailBody& what) {
  if (auto* attach = std::get_if<Attach>(&what)) attach->no_ack = false;
  if (auto* get = std::get_if<Get>(&what)) get->no_ack = false;
}

}  // namespace

Courier::Courier(cluster::Shard& shard, Surroundings surroundings)
    : shard_(shard), surroundings_(std::move(surroundings)) {}

// --- from the sessions ---

bool Courier::is_request(const QueueMailBody& what) {
  return std::holds_alternative<Attach>(what) || std::holds_alternative<Cancel>(what) ||
         std::holds_alternative<Get>(what) || std::holds_alternative<Purge>(what);
}

std::size_t Courier::send(QueueMail mail) {
  const std::size_t bytes = flight_bytes(mail.what);
  if (is_tracked(mail.queue)) {
    track(std::move(mail));
    return limits::kReplicatedFlightWeight * bytes;
  }
  surroundings_.switchboard.send(std::move(mail));
  return bytes;
}

void Courier::track(QueueMail mail) {
  const bool is_end = std::holds_alternative<Down>(mail.what);
  if (is_end && find(mail.from, mail.queue) == nullptr) return;
  Link& link = link_of(mail.from, mail.queue);
  if (link.ended) return;
  if (link.kept.empty() && link.questions.empty()) link.progress_at = shard_.now();
  if (const auto* count = std::get_if<Count>(&mail.what)) {
    link.questions.push_back({.question = {.number = link.next_question++, .what = *count}, .since = shard_.now()});
  } else if (const auto* delete_if = std::get_if<DeleteIf>(&mail.what)) {
    link.questions.push_back({.question = {.number = link.next_question++, .what = *delete_if}, .since = shard_.now()});
  } else {
    link.ended = is_end;
    keep(link, std::move(mail.what));
  }
  mark_dirty(link);
}

void Courier::keep(Link& link, QueueMailBody what) {
  link.kept.push_back({.number = link.next++, .what = std::move(what), .since = shard_.now()});
  ++link.unsent;
}

/// Ids of one consumer come in order; what has come since the last parcel shares a command.
void Courier::settle(Link& link, std::uint32_t consumer, std::uint64_t id) {
  mark_dirty(link);
  if (link.unsent > 0 && !link.kept.back().repeated) {
    auto* last = std::get_if<Settle>(&link.kept.back().what);
    if (last != nullptr && last->consumer.link == consumer && last->ids.back().last + 1 == id) {
      last->ids.back().last = id;
      return;
    }
  }
  keep(link, Settle{.consumer = {.session = link.session, .link = consumer}, .ids = {{.first = id, .last = id}}});
}

void Courier::end(const SessionId& session) {
  for (auto at = links_.lower_bound({session.serial, GroupId()});
       at != links_.end() && at->first.first == session.serial; ++at) {
    Link& link = at->second;
    if (!std::exchange(link.ended, true)) keep(link, Down{.session = session});
    link.questions.clear();
    for (Sent& sent : link.kept) {  // nobody waits any more
      if (is_request(sent.what) && !sent.answered) withdraw(link, sent);
      sent.answered = true;
    }
    mark_dirty(link);
  }
}

/// Null when this shard does not know the queue (any more).
Courier::Route* Courier::route_to(GroupId queue) {
  if (const auto at = routes_.find(queue); at != routes_.end()) return &at->second;
  const cluster::Queue* definition = surroundings_.topology()->find_queue(queue);
  if (definition == nullptr) return nullptr;
  Route route{.tracked = queue::is_tracked(*definition, surroundings_.switchboard.node()),
              .only_home = only_home_of(*definition)};
  return &routes_.emplace(queue, std::move(route)).first->second;
}

/// What this shard does not know, the queue's home shard on this node decides about.
bool Courier::is_tracked(GroupId queue) {
  const Route* route = route_to(queue);
  return route != nullptr && route->tracked;
}

Courier::Link* Courier::find(const SessionId& session, GroupId queue) {
  const auto at = links_.find({session.serial, queue});
  return at == links_.end() ? nullptr : &at->second;
}

Courier::Link& Courier::link_of(const SessionId& session, GroupId queue) {
  const LinkKey key{session.serial, queue};
  const auto [at, added] = links_.try_emplace(key);
  if (added) {
    at->second.session = session;
    at->second.queue = queue;
    at->second.progress_at = shard_.now();
    routes_.at(queue).links.push_back(key);
  }
  return at->second;
}

void Courier::remove(const LinkKey& key) {
  if (const auto at = routes_.find(key.second); at != routes_.end()) {
    std::erase(at->second.links, key);
    if (at->second.gone && at->second.links.empty()) {
      routes_.erase(at);
      std::erase(gone_, key.second);
    }
  }
  links_.erase(key);
}

void Courier::mark_dirty(Link& link) {
  if (std::exchange(link.dirty, true)) return;
  dirty_.push_back({link.session.serial, link.queue});
}

// --- to the queues ---

bool Courier::on_turn_end() {
  if (dirty_.empty() && !look_at_) return false;
  bool shipped = false;
  for (const LinkKey& key : std::exchange(dirty_, {})) {
    const auto at = links_.find(key);
    if (at == links_.end()) continue;
    Link& link = at->second;
    link.dirty = false;
    const auto known = routes_.find(link.queue);
    if (known == routes_.end()) continue;
    Route& route = known->second;
    if (route.leader && !is_down(route)) {
      ship(link, route);
      shipped = true;
    } else if (!route.asked_at) {
      ask_who_leads(link.queue, route);
      shipped = true;
    }
  }
  const Instant now = shard_.now();
  if (!look_at_ || *look_at_ <= now) look_after(now);
  return shipped;
}

void Courier::ship(Link& link, const Route& route) {
  do {
    Parcel parcel{.queue = link.queue,
                  .from = link.session,
                  .term = route.term,
                  .first = link.next - link.unsent,
                  .heard = link.through};
    std::uint64_t bytes = 0;
    while (link.unsent > 0 && parcel.commands.size() < kParcelCommandsMax && bytes < kParcelBytesMax) {
      const Sent& sent = link.kept[link.kept.size() - link.unsent];
      // The queue forgets the session with its Down and would take an echo of its first command for a new session.
      if (std::holds_alternative<Down>(sent.what) && link.through + 1 < sent.number) break;
      hold_until_taken(parcel.commands.emplace_back(sent.what));
      bytes += flight_bytes(sent.what);
      --link.unsent;
    }
    if (link.unsent == 0 || link.ended) {
      for (; !link.to_resume.empty() && parcel.resumes.size() < kParcelCommandsMax; link.to_resume.pop_back()) {
        const auto at = link.consumers.find(link.to_resume.back());
        if (at != link.consumers.end()) parcel.resumes.push_back({.link = at->first, .received = at->second.last});
      }
      for (Asked& asked : link.questions) {
        if (!std::exchange(asked.sent, true)) parcel.questions.push_back(asked.question);
      }
    }
    const bool is_empty = parcel.commands.empty() && parcel.resumes.empty() && parcel.questions.empty();
    if (is_empty) return;
    surroundings_.switchboard.send(*route.leader, std::move(parcel));
  } while (link.unsent > 0 || !link.to_resume.empty());
}

void Courier::mark_for_repeat(Link& link) {
  const std::size_t sent_count = link.kept.size() - std::exchange(link.unsent, link.kept.size());
  for (std::size_t i = 0; i < sent_count; ++i) link.kept[i].repeated = true;
  for (Asked& asked : link.questions) asked.sent = false;
  link.to_resume.clear();
  for (auto& [consumer, received] : link.consumers) {
    link.to_resume.push_back(consumer);
    received.resumed_at = shard_.now();
  }
  link.progress_at = shard_.now();
  mark_dirty(link);
}

void Courier::repeat_all(Route& route) {
  for (const LinkKey& key : route.links) mark_for_repeat(links_.at(key));
}

/// The leader has sent something that may be lost.
void Courier::resume_all(Route& route) {
  for (const LinkKey& key : route.links) {
    Link& link = links_.at(key);
    // It may be attached there already, and what it was sent lost.
    for (Sent& sent : link.kept) sent.repeated |= std::holds_alternative<Attach>(sent.what);
    if (link.consumers.empty()) continue;
    link.to_resume.clear();
    for (const auto& [consumer, received] : link.consumers) link.to_resume.push_back(consumer);
    mark_dirty(link);
  }
}

void Courier::ask_who_leads(GroupId queue, Route& route) {
  const cluster::Queue* definition = surroundings_.topology()->find_queue(queue);
  if (definition == nullptr) return;
  route.asked_at = shard_.now();
  const NodeId here = surroundings_.switchboard.node();
  for (const NodeId place : places_of(*definition)) {
    if (place == here) {
      surroundings_.ask_here(queue);
    } else if (surroundings_.switchboard.remote() != nullptr) {
      surroundings_.switchboard.remote()->send(place, WhoLeads{.queue = queue});
    }
  }
}

/// Whoever does not get on asks again or sends again: a message that gets lost is nobody's fault.
void Courier::look_after(Instant now) {
  look_at_.reset();
  for (auto& [queue, route] : routes_) {
    if (!route.links.empty() && !route.gone && look_after(queue, route, now)) look_at_ = now + kLookAfter;
  }
  give_up_gone(now);
  if (!links_.empty() && !look_at_) look_at_ = now + kPatience;
  for (SessionMail& mail : std::exchange(given_up_, {})) surroundings_.deliver(std::move(mail));
}

/// Its leader went with the queue: nobody will ever say how many messages were deleted.
void Courier::give_up_gone(Instant now) {
  for (const GroupId queue : std::vector<GroupId>(gone_)) {
    for (const LinkKey& key : std::vector<LinkKey>(routes_.at(queue).links)) {
      const Link& link = links_.at(key);
      if (now - link.progress_at < kPatience) continue;
      tell_askers_gone(link);
      remove(key);
    }
  }
}

/// True: somebody waits.
bool Courier::look_after(GroupId queue, Route& route, Instant now) {
  bool is_needed = false;
  bool is_stuck = false;
  const bool is_down = this->is_down(route);
  if (!is_down) route.down_since.reset();
  if (is_down && !route.down_since) route.down_since = now;
  const bool is_long_down = is_down && now - *route.down_since >= kRequestPatience;
  for (const LinkKey& key : route.links) {
    Link& link = links_.at(key);
    if (is_long_down) give_up_consumers(link);
    if (link.kept.empty() && link.questions.empty()) {
      is_stuck = is_refresh_due(link, now) || is_stuck;
      continue;
    }
    is_needed = true;
    give_up_requests(link, is_down ? now : now - kRequestPatience);
    if (is_down) refuse_publications(link, now - kRequestPatience);
    if (now - link.progress_at < kPatience) continue;
    is_stuck = true;
    if (now - link.progress_at >= patience_with(link)) mark_for_repeat(link);
  }
  const bool is_asked = route.asked_at && now - *route.asked_at < kAskAgain;
  if (!is_asked && (is_stuck || (is_needed && !route.leader))) ask_who_leads(queue, route);
  return is_needed;
}

/// A consumer that hears nothing cannot know whether there is nothing to hear. True: it is time to ask who leads; the
/// answer makes it say what it has.
bool Courier::is_refresh_due(Link& link, Instant now) {
  if (link.consumers.empty() || now - link.progress_at < kRefresh) return false;
  link.progress_at = now;
  return true;
}

// --- news ---

void Courier::on_leadership(const Leadership& news) {
  const auto at = routes_.find(news.queue);
  if (at == routes_.end() || !at->second.tracked) return;
  Route& route = at->second;
  if (news.term < route.term) return;
  if (!news.leader) {
    // The term of a replica that was removed, and campaigns in vain, is nobody else's.
    if (news.term > route.term) route.leader.reset();
    return;
  }
  if (news.term == route.term && news.leader == route.leader) return resume_all(route);
  route.term = news.term;
  route.leader = news.leader;
  route.asked_at.reset();
  repeat_all(route);
}

void Courier::on_node_unreachable(NodeId node) {
  for (auto& [queue, route] : routes_) {
    if (route.leader == node) repeat_all(route);
  }
}

void Courier::on_topology(const cluster::QueueChanges& changes) {
  for (const cluster::QueuePtr& queue : changes.moved) {
    const auto at = routes_.find(queue->id);
    if (at == routes_.end()) continue;
    at->second.tracked |= queue::is_tracked(*queue, surroundings_.switchboard.node());
    at->second.only_home = only_home_of(*queue);
  }
  for (const cluster::QueuePtr& queue : changes.deleted) drop_queue(queue->id);
}

/// Publications to a queue that is gone count as taken, as if they had come before its end.
void Courier::drop_queue(GroupId queue) {
  const auto at = routes_.find(queue);
  if (at == routes_.end()) return;
  if (at->second.links.empty()) {
    routes_.erase(at);
    return;
  }
  // What is sent there from now on is for the queue's home shard on this node to refuse.
  at->second.tracked = false;
  at->second.gone = true;
  gone_.push_back(queue);
  for (const LinkKey& key : std::vector<LinkKey>(at->second.links)) {
    Link& link = links_.at(key);
    close(link);
    if (link.deleted) surroundings_.deliver(std::move(*std::exchange(link.deleted, std::nullopt)));
    // How many messages were deleted with it only its leader knows.
    const bool waits_for_count = !link.ended && std::ranges::any_of(link.questions, [](const Asked& asked) {
      return std::holds_alternative<DeleteIf>(asked.question.what);
    });
    if (waits_for_count) {
      link.progress_at = shard_.now();
      continue;
    }
    tell_askers_gone(link);
    remove(key);
  }
}

void Courier::tell_askers_gone(const Link& link) {
  for (std::size_t i = 0; i < link.questions.size(); ++i) {
    surroundings_.deliver({.to = link.session, .queue = link.queue, .what = Gone{}});
  }
}

void Courier::close(Link& link) {
  const SessionId session = link.session;
  std::deque<Sent> kept = std::exchange(link.kept, {});
  link.unsent = 0;
  for (Sent& sent : kept) {
    if (is_request(sent.what) && !sent.answered) {
      const auto* attach = std::get_if<Attach>(&sent.what);
      if (attach != nullptr) link.consumers.erase(attach->consumer.link);
      surroundings_.deliver({.to = session,
                             .queue = link.queue,
                             .what = Gone{.link = attach != nullptr ? attach->consumer.link : kGetLink}});
    } else {
      tell_taken(link, sent);
    }
  }
  for (const auto& [consumer, received] : std::exchange(link.consumers, {})) {
    if (received.cancelled) continue;
    surroundings_.deliver({.to = session, .queue = link.queue, .what = Gone{.link = consumer}});
  }
}

}  // namespace quorate::queue
