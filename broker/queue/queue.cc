#include "broker/queue/queue.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/overloaded.h"

namespace quorate::queue {
namespace {

/// A message this large becomes an entry of its own, copied once from where the client's bytes lie.
constexpr std::size_t kAloneBytes = limits::kEntryPackBytes / 2;

std::uint64_t weight(const Message& message) { return message.encoded().size() + limits::kMessageOverheadBytes; }

Enqueue to_command(const Publish& publish) {
  return {.persistent = publish.persistent,
          .has_priority = publish.has_priority,
          .priority = publish.priority,
          .body_size = publish.body_size,
          .message = publish.message.encoded().view()};
}

}  // namespace

Queue::Queue(cluster::QueuePtr definition, QueueSurroundings& surroundings)
    : definition_(std::move(definition)),
      surroundings_(surroundings),
      cache_(definition_->durable ? surroundings.cache_budget : surroundings.transient_bodies) {}

Queue::~Queue() { *alive_ = false; }

Result<void> Queue::start(bool is_new) {
  if (is_durable()) return open_group(is_new);
  ready_ = true;
  leader_ = raft::replica_on(surroundings_.node, 0);
  configure();
  return {};
}

/// What the declaration asks for, into the log: every replica obeys it from the same entry on.
void Queue::configure() {
  const Configure wanted = surroundings_.settings_of(*definition_);
  if (machine_.settings() == wanted) return;
  append(Command(wanted));
  surroundings_.mark_dirty(definition_->id);
}

/// The members of a new queue agree on who they are; one that was added later hears it from the leader.
Result<void> Queue::open_group(bool is_new) {
  if (definition_->members.empty()) return surroundings_.groups.open(definition_->id, *this);
  const auto is_here = [this](raft::ReplicaId replica) { return raft::node_of(replica) == surroundings_.node; };
  const auto founder = std::ranges::find_if(definition_->members, is_here);
  if (founder == definition_->members.end()) {
    const auto added = std::ranges::find_if(definition_->target, is_here);
    CHECK(added != definition_->target.end());
    return surroundings_.groups.open(definition_->id, *this,
                                     {.self = *added, .configuration = {.voters = definition_->members}});
  }
  const bool begins = is_new && definition_->node == surroundings_.node;
  return surroundings_.groups.open(
      definition_->id, *this,
      {.self = *founder, .configuration = {.voters = definition_->members}, .campaign = begins});
}

// --- mail becomes entries ---

void Queue::on_mail(QueueMail mail) {
  if (!ready_) {
    early_.push_back(std::move(mail));
    return;
  }
  take(mail);
}

void Queue::on_mail(Parcel parcel) {
  if (leads_in(parcel.term)) return take(parcel);
  const bool will_lead = parcel.term == term_ && raft::node_of(leader_) == surroundings_.node;
  if (will_lead) {
    early_parcels_.push_back(std::move(parcel));
  } else if (parcel.from.node == surroundings_.node) {
    surroundings_.announce(leadership(), false);
  } else if (RemotePost* remote = surroundings_.switchboard.remote()) {
    remote->send(parcel.from.node, leadership());
  }
}

Leadership Queue::leadership() const {
  Leadership known{.queue = definition_->id, .term = term_};
  if (leader_ != raft::kNoReplica) known.leader = raft::node_of(leader_);
  return known;
}

void Queue::take(Parcel& parcel) {
  const bool is_lost = parcel.commands.empty() && parcel.heard > 0 && !machine_.knows(parcel.from);
  if (is_lost) return send(parcel.from, Forgotten{});
  sender_ = {.session = parcel.from, .next = parcel.first, .heard = parcel.heard};
  for (QueueMailBody& what : parcel.commands) {
    QueueMail mail{.queue = parcel.queue, .from = parcel.from, .what = std::move(what)};
    take(mail);
  }
  sender_.reset();
  for (const Resume& resume : parcel.resumes) {
    machine_.held_by({.session = parcel.from, .link = resume.link}, resume.received,
                     [this](const effect::Deliver& held) { owe({.delivery = held}); });
  }
  for (QueueMailBody& what : parcel.questions) {
    questions_.push_back({.queue = parcel.queue, .from = parcel.from, .what = std::move(what)});
  }
}

/// The command that follows is the sender's next.
void Queue::name_sender() {
  if (!sender_) {
    if (entry_sender_) encode_command(Command(From{}), entry_);
    entry_sender_.reset();
    return;
  }
  const bool continues =
      entry_sender_ && entry_sender_->session == sender_->session && entry_sender_->next == sender_->next;
  if (!continues) {
    encode_command(Command(From{.session = sender_->session, .first = sender_->next, .heard = sender_->heard}), entry_);
  }
  ++sender_->next;
  entry_sender_ = sender_;
  entry_needs_sync_ = true;  // what follows from it is told to another node, which outlives this one's memory
}

void Queue::take(QueueMail& mail) {
  std::visit(Overloaded{
                 [&](Publish& publish) { append(mail.from, publish); },
                 [&](Count&) { questions_.push_back(std::move(mail)); },
                 [&](DeleteIf&) { questions_.push_back(std::move(mail)); },
                 [&](auto& command) { append(Command(std::move(command))); },
             },
             mail.what);
}

void Queue::append(const SessionId& from, const Publish& publish) {
  const std::size_t size = publish.message.encoded().size();
  const bool needs_sync = is_durable() && (publish.persistent || is_quorum());
  Waiting waiting{.session = from, .taken = {.seq = publish.seq, .bytes = weight(publish.message)}};
  if (size >= kAloneBytes) {
    seal_entry();
    entry_has_messages_ = true;
    entry_needs_sync_ = needs_sync;
    if (!sender_) entry_waiting_.push_back(waiting);
    submit_entry(encode_alone(publish));
    return;
  }
  make_room(size);
  entry_has_messages_ = true;
  entry_needs_sync_ |= needs_sync;
  name_sender();
  waiting.offset = entry_.size();
  if (!sender_) entry_waiting_.push_back(waiting);
  encode_command(to_command(publish), entry_);
  ++entry_commands_;
}

void Queue::append(const Command& command) {
  make_room(0);
  name_sender();
  encode_command(command, entry_);
  ++entry_commands_;
}

void Queue::make_room(std::size_t size) {
  const bool is_full = entry_commands_ >= limits::kEntryCommandsMax || entry_.size() + size > limits::kEntryPackBytes;
  if (is_full) seal_entry();
}

/// The command around the message, then the message, in one allocation of the right size.
Bytes Queue::encode_alone(const Publish& publish) {
  Enqueue command = to_command(publish);
  const ByteView message = command.message;
  CHECK(entry_.empty());
  name_sender();
  encode_command_head(command, entry_);
  Bytes payload = Bytes::allocate(entry_.size() + message.size());
  std::memcpy(payload.mutable_data(), entry_.data(), entry_.size());
  std::memcpy(payload.mutable_data() + entry_.size(), message.data(), message.size());
  entry_.clear();
  entry_sender_.reset();
  return payload;
}

void Queue::seal_entry() {
  if (entry_.empty()) return;
  Bytes payload = Bytes::copy_of(entry_);
  entry_.clear();
  entry_commands_ = 0;
  entry_sender_.reset();
  submit_entry(std::move(payload));
}

void Queue::submit_entry(Bytes payload) {
  const bool has_messages = std::exchange(entry_has_messages_, false);
  const bool needs_sync = std::exchange(entry_needs_sync_, false);
  if (is_durable()) {
    const auto durability = needs_sync ? storage::Durability::synced : storage::Durability::buffered;
    const auto position = surroundings_.groups.propose(definition_->id, payload, durability);
    if (position) last_proposed_ = position->index;
    if (position && has_messages) cache_.put(position->index, std::move(payload));
    for (Waiting& waiting : entry_waiting_) {
      if (!position) break;  // the node is about to stop, and nobody is told that anything was kept
      waiting.entry = position->index;
      waiting_.push_back(waiting);
    }
  } else {
    ++last_proposed_;
    if (has_messages) cache_.put(last_proposed_, payload);
    for (Waiting& waiting : entry_waiting_) {
      waiting.entry = last_proposed_;
      waiting_.push_back(waiting);
    }
    const auto applied = machine_.apply(last_proposed_, payload.view(), effects_);
    CHECK(applied.has_value());
    for (const Effect& effect : effects_) {
      if (const auto* refused = std::get_if<effect::Refused>(&effect)) carry_out(*refused);
    }
    for (const Waiting& waiting : std::exchange(waiting_, {})) send_untracked(waiting.session, waiting.taken);
    carry_out_all();
  }
  entry_waiting_.clear();
}

bool Queue::flush() {
  if (!ready_) return false;
  pursue_target();
  const bool had_commands = !entry_.empty();
  seal_entry();
  if (questions_.empty() || surroundings_.groups.has_failed()) return had_commands;
  if (machine_.applied() < last_proposed_) return had_commands;
  answer_questions();
  return true;
}

void Queue::answer_questions() {
  for (const QueueMail& mail : std::exchange(questions_, {})) {
    if (std::holds_alternative<Count>(mail.what)) {
      send(mail.from, Counted{.ready = machine_.ready_count(), .consumers = machine_.consumer_count()});
      continue;
    }
    const auto& request = std::get<DeleteIf>(mail.what);
    if (request.unused && machine_.consumer_count() > 0) {
      send(mail.from, Deleted{.outcome = DeleteOutcome::in_use});
    } else if (request.empty && machine_.ready_count() > 0) {
      send(mail.from, Deleted{.outcome = DeleteOutcome::not_empty});
    } else {
      deleters_.emplace_back(mail.from, machine_.ready_count());
      if (!std::exchange(deleting_, true)) surroundings_.request_delete(definition_->id);
    }
  }
}

void Queue::on_deleted(const cluster::TopologyPtr& topology) {
  for (const Waiting& waiting : waiting_) send_untracked(waiting.session, waiting.taken);
  for (const Owed& owed : owed_) {
    const ConsumerKey& consumer = owed.delivery.consumer;
    if (owed.kind == Owed::Kind::get) send(consumer.session, GetEmpty{});
    if (owed.kind == Owed::Kind::cancelled) send(consumer.session, Cancelled{.link = consumer.link});
  }
  // Whoever is tracked hears it from its own node's courier.
  for (const ConsumerKey& consumer : machine_.consumers()) {
    if (!is_tracked(*definition_, consumer.session.node)) send(consumer.session, Gone{.link = consumer.link});
  }
  for (const auto& [session, count] : deleters_) send(session, Deleted{.count = count, .topology = topology});
  for (const std::vector<QueueMail>* unanswered : {&early_, &questions_}) {
    for (const QueueMail& mail : *unanswered) refuse_mail(mail, surroundings_.switchboard);
  }
  if (is_durable()) surroundings_.groups.drop(definition_->id);
}

// --- entries become effects ---

std::string Queue::describe() const {
  return "queue '" + definition_->name + "' in vhost '" + definition_->vhost + "'";
}

Result<void> Queue::restore(ByteView state) {
  auto machine = QueueMachine::deserialize(state);
  if (!machine) {
    return std::unexpected(machine.error());
  }
  machine_ = std::move(*machine);
  last_proposed_ = machine_.applied();
  return {};
}

Result<void> Queue::apply(const raft::Entry& entry, cluster::ApplyMode mode) {
  auto applied = machine_.apply(entry.index, entry.payload.view(), effects_);
  if (!applied) {
    return std::unexpected(applied.error());
  }
  if (!questions_.empty()) surroundings_.mark_dirty(definition_->id);
  if (mode == cluster::ApplyMode::live) {
    carry_out_all();
  } else {
    effects_.clear();
  }
  return {};
}

void Queue::on_leader() {
  committed_ = std::max(committed_, machine_.applied());  // history was read from the disk
  last_proposed_ = machine_.applied();
  ready_ = true;
  told_placed_ = false;
  if (!is_quorum()) {
    append(Command(
        NodeUp{.node = surroundings_.node, .epoch = surroundings_.epoch, .after_crash = surroundings_.after_crash}));
  }
  configure();
  on_nodes_changed();
  for (QueueMail& mail : std::exchange(early_, {})) take(mail);
  for (Parcel& parcel : std::exchange(early_parcels_, {})) on_mail(std::move(parcel));
  surroundings_.mark_dirty(definition_->id);
}

/// Whoever waits for something sends it again, to the next leader.
void Queue::on_follower() {
  ready_ = false;
  entry_.clear();
  entry_commands_ = 0;
  entry_has_messages_ = entry_needs_sync_ = false;
  entry_sender_.reset();
  entry_waiting_.clear();
  early_parcels_.clear();
  questions_.clear();
  deleters_.clear();
  deleting_ = false;
  owed_.clear();
  owed_entries_ = {};
  promised_.clear();
  cache_.clear();  // an index may come again with another payload
  evicted_ = LogIndex(0);
  reading_ = false;
  ++read_serial_;
  // From when the queue had one member. It may have been kept or not.
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    waiting.taken.refused = true;
    send_untracked(waiting.session, waiting.taken);
  }
}

void Queue::on_leadership(raft::ReplicaId leader, Term term) {
  leader_ = leader;
  term_ = term;
  const bool is_here = leader != raft::kNoReplica && raft::node_of(leader) == surroundings_.node;
  surroundings_.announce(leadership(), is_here);
}

void Queue::on_moved(cluster::QueuePtr definition) {
  told_placed_ = false;
  definition_ = std::move(definition);
  surroundings_.mark_dirty(definition_->id);
}

/// One step towards the members that the metadata wants: new ones learn the log before any old one goes.
void Queue::pursue_target() {
  const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
  if (!ready_ || definition_->target.empty() || replica == nullptr) return;
  const raft::Configuration& now = replica->core().configuration();
  const bool is_settled = !now.is_joint() && replica->core().configuration_index() <= replica->core().commit_index();
  if (!is_settled) return;
  raft::Configuration next{.voters = now.voters, .joining = now.joining, .machine_version = now.machine_version};
  for (const raft::ReplicaId wanted : definition_->target) {
    if (!now.is_member(wanted)) next.joining.push_back(wanted);
  }
  std::ranges::sort(next.joining);
  if (next.joining == now.joining) {
    if (!now.joining.empty()) return;  // the leader promotes whoever has caught up
    if (now.voters == definition_->target) {
      if (!std::exchange(told_placed_, true)) surroundings_.report_placed(definition_->id, now.voters);
      return;
    }
    next.voters = definition_->target;
  }
  surroundings_.groups.change(definition_->id, next);
}

void Queue::on_nodes_changed() {
  if (!ready_) return;
  const cluster::Topology& topology = surroundings_.topology();
  if (topology.nodes.empty()) return;
  std::map<NodeId, Epoch> oldest;
  for (const SessionId& session : machine_.sessions()) {
    const auto [at, added] = oldest.try_emplace(session.node, session.epoch);
    if (!added) at->second = std::min(at->second, session.epoch);
  }
  for (const auto& [node, epoch] : oldest) {
    const cluster::ClusterNode* now = topology.find_node(node);
    const Epoch below = now != nullptr ? now->epoch : Epoch(UINT32_MAX);
    if (epoch < below) append(Command(SessionsGone{.node = node, .below = below}));
    judge_node(node);
  }
  surroundings_.mark_dirty(definition_->id);
}

void Queue::on_node_health(NodeId node) {
  const auto is_of_node = [&](const SessionId& session) { return session.node == node; };
  if (!ready_ || std::ranges::none_of(machine_.sessions(), is_of_node)) return;
  judge_node(node);
  surroundings_.mark_dirty(definition_->id);
}

/// The node's consumers get nothing new while it is silent, and lose what they hold when it was for too long. A leader
/// says what it knows anew: the one before may have said something else, or nothing.
void Queue::judge_node(NodeId node) {
  const cluster::ClusterNode* row = surroundings_.topology().find_node(node);
  if (row == nullptr) return;
  switch (surroundings_.health_of(node)) {
    case NodeHealth::live:
      if (machine_.has_consumers(node, true)) append(Command(NodeTrusted{.node = node, .epoch = row->epoch}));
      return;
    case NodeHealth::silent:
      if (machine_.has_consumers(node, false)) append(Command(NodeSuspected{.node = node, .epoch = row->epoch}));
      return;
    case NodeHealth::given_up:
      return append(Command(SessionsGone{.node = node, .below = row->epoch.plus(1), .expired = true}));
  }
}

void Queue::on_node_unreachable(NodeId node) {
  RemotePost* remote = surroundings_.switchboard.remote();
  const auto is_there = [node](const SessionId& session) { return session.node == node; };
  if (ready_ && remote != nullptr && std::ranges::any_of(machine_.sessions(), is_there)) {
    remote->send(node, leadership());
  }
}

void Queue::on_committed(LogIndex index) {
  const LogIndex before = std::exchange(committed_, std::max(index, committed_));
  while (!waiting_.empty() && waiting_.front().entry <= committed_) {
    send_untracked(waiting_.front().session, waiting_.front().taken);
    waiting_.pop_front();
  }
  while (!promised_.empty() && promised_.front().entry <= committed_) {
    surroundings_.switchboard.send(std::move(promised_.front().mail));
    promised_.pop_front();
  }
  if (!definition_->target.empty()) surroundings_.mark_dirty(definition_->id);  // the next step may be due
  // Until an entry is on this disk the only readable copy is in memory, whatever others have; from then on it is a
  // cache.
  const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
  const LogIndex durable = replica != nullptr ? std::min(committed_, replica->core().durable_index()) : committed_;
  evicted_ = std::max(evicted_, std::min(before, durable));
  while (evicted_ < durable && cache_.bytes() > cache_limit()) cache_.erase(++evicted_);
}

std::vector<std::pair<LogIndex, LogIndex>> Queue::live_entries() const {
  auto live = machine_.live_entries();
  owed_entries_.for_each([&](std::uint64_t number, std::uint32_t) {
    const LogIndex index(number);
    if (!machine_.is_live(index)) live.emplace_back(index, index);
  });
  std::ranges::sort(live);
  live.erase(std::ranges::unique(live).begin(), live.end());
  return live;
}

void Queue::carry_out_all() {
  Effects effects;
  effects.swap(effects_);
  for (const Effect& effect : effects) {
    std::visit([&](const auto& e) { carry_out(e); }, effect);
  }
  effects.clear();
  effects_.swap(effects);
}

void Queue::carry_out(const effect::Deliver& effect) { owe({.delivery = effect}); }
void Queue::carry_out(const effect::GetOk& effect) {
  owe({.delivery = effect.delivery, .kind = Owed::Kind::get, .ready_left = effect.ready_left, .number = effect.number});
}
void Queue::carry_out(const effect::GetEmpty& effect) { send(effect.session, GetEmpty{}, effect.number); }
void Queue::carry_out(const effect::Attached& effect) {
  send(effect.consumer.session, Attached{.link = effect.consumer.link, .result = effect.result}, effect.number);
}
void Queue::carry_out(const effect::Cancelled& effect) {
  // Nothing may be delivered after it, and what a no_ack consumer is owed exists nowhere else any more.
  owe({.delivery = {.consumer = effect.consumer}, .kind = Owed::Kind::cancelled, .number = effect.number});
}
void Queue::carry_out(const effect::Purged& effect) {
  send(effect.session, Purged{.count = effect.count}, effect.number);
}

void Queue::carry_out(const effect::EntryDead& effect) {
  if (owed_entries_.find(effect.index.value()) == nullptr) cache_.erase(effect.index);
}

void Queue::carry_out(const effect::Through& effect) {
  send(effect.session, Through{.first = effect.first, .number = effect.number});
}
void Queue::carry_out(const effect::Refused& effect) {
  if (effect.number != 0) return send(effect.session, Refused{.number = effect.number});
  const auto is_it = [&](const Waiting& waiting) {
    return waiting.entry == effect.position.index() && waiting.offset == effect.position.offset();
  };
  if (const auto at = std::ranges::find_if(waiting_, is_it); at != waiting_.end()) at->taken.refused = true;
}
void Queue::carry_out(const effect::Forgotten& effect) { send(effect.session, Forgotten{}); }

void Queue::carry_out(const effect::Unused&) {
  if (definition_->auto_delete && !std::exchange(deleting_, true)) surroundings_.request_delete(definition_->id);
}

// --- bodies ---

void Queue::owe(Owed owed) {
  if (owed_.empty() && deliver(owed)) return;
  owed_.push_back(owed);
  if (owed.kind == Owed::Kind::cancelled) return;
  const std::uint64_t index = owed.delivery.message.position.index().value();
  if (std::uint32_t* count = owed_entries_.find(index); count != nullptr) {
    ++*count;
  } else {
    owed_entries_.insert(index, 1);
  }
  read_back(owed_.front().delivery.message.position.index());
}

/// False when the body is not in memory.
bool Queue::deliver(const Owed& owed) {
  const effect::Deliver& delivery = owed.delivery;
  if (owed.kind == Owed::Kind::cancelled) {
    send(delivery.consumer.session, Cancelled{.link = delivery.consumer.link}, owed.number);
    return true;
  }
  const Position position = delivery.message.position;
  const Bytes& payload = cache_.find(position.index());
  if (payload.empty()) return false;
  auto message = Message::parse(message_at(payload, position.offset()));
  if (!message) {
    surroundings_.on_failure({.code = ErrorCode::corruption,
                              .text = describe() + ": log entry " + std::to_string(position.index().value()) +
                                      " holds no message where one was: " + message.error().text});
    return true;
  }
  Delivery out{.link = delivery.consumer.link,
               .id = delivery.id,
               .message = std::move(*message),
               .redelivered = delivery.message.redelivered,
               .settled = delivery.settled,
               .counts = is_quorum(),
               .delivery_count = delivery.message.delivery_count,
               .acquired_count = delivery.acquired_count};
  if (owed.kind == Owed::Kind::get) {
    send(delivery.consumer.session, GetOk{.delivery = std::move(out), .ready_left = owed.ready_left}, owed.number);
  } else {
    send(delivery.consumer.session, std::move(out));
  }
  if (is_durable()) consider_read_ahead(position.index());
  return true;
}

void Queue::pay_owed() {
  while (!owed_.empty() && deliver(owed_.front())) {
    const Owed paid = owed_.front();
    owed_.pop_front();
    if (paid.kind == Owed::Kind::cancelled) continue;
    const LogIndex index = paid.delivery.message.position.index();
    if (--*owed_entries_.find(index.value()) > 0) continue;
    owed_entries_.erase(index.value());
    if (!machine_.is_live(index)) cache_.erase(index);
  }
  if (!owed_.empty()) read_back(owed_.front().delivery.message.position.index());
}

void Queue::read_back(LogIndex from) {
  CHECK(is_durable());
  if (reading_) return;
  CHECK_LE(from, committed_);  // what is not yet committed is in memory
  reading_ = true;
  surroundings_.groups.read(definition_->id, from, committed_, surroundings_.cache_budget.read_ahead_bytes,
                            [this, alive = alive_, from, serial = read_serial_](Result<std::vector<raft::Entry>> read) {
                              if (*alive && serial == read_serial_) on_read(std::move(read), from);
                            });
}

/// While one stretch is being delivered the next is fetched, so that a backlog flows.
void Queue::consider_read_ahead(LogIndex delivered) {
  const bool in_last_stretch = delivered >= read_first_ && delivered <= read_last_;
  const LogIndex next = read_last_.plus(1);
  if (in_last_stretch && !reading_ && next <= committed_ && cache_.find(next).empty()) read_back(next);
}

void Queue::on_read(Result<std::vector<raft::Entry>> entries, LogIndex from) {
  reading_ = false;
  if (!entries) {
    surroundings_.on_failure({.code = entries.error().code, .text = describe() + ": " + entries.error().text});
    return;
  }
  cache_.trim_below(from, cache_limit() / 2);
  for (raft::Entry& entry : *entries) {
    const bool is_wanted = machine_.is_live(entry.index) || owed_entries_.find(entry.index.value()) != nullptr;
    if (is_wanted) cache_.put(entry.index, std::move(entry.payload));
  }
  if (!entries->empty()) {
    read_first_ = entries->front().index;
    read_last_ = entries->back().index;
  }
  const bool first_is_missing =
      !owed_.empty() && owed_.front().delivery.message.position.index() == from && cache_.find(from).empty();
  if (first_is_missing) {
    surroundings_.on_failure({.code = ErrorCode::corruption,
                              .text = describe() + ": log entry " + std::to_string(from.value()) +
                                      " is gone although a message in it is live"});
    return;
  }
  pay_owed();
}

std::size_t Queue::cache_limit() const {
  const CacheBudget& budget = surroundings_.cache_budget;
  return budget.used > budget.shard_max_bytes ? 0 : budget.queue_max_bytes;
}

}  // namespace quorate::queue
