#include "broker/queue/queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"

namespace quorate::queue {

Queue::Queue(cluster::QueuePtr definition, QueueSurroundings& surroundings)
    : definition_(std::move(definition)),
      surroundings_(surroundings),
      packer_([this](PackedEntry entry) { submit(std::move(entry)); }),
      outbox_(outbox_surroundings()) {}

Outbox::Surroundings Queue::outbox_surroundings() {
  Outbox::Surroundings needs{
      .machine = machine_,
      .budget = is_durable() ? surroundings_.cache_budget : surroundings_.transient_bodies,
      .send = [this](const SessionId& to, SessionMailBody what,
                     std::uint64_t answers) { send(to, std::move(what), answers); },
      .on_failure =
          [this](const Error& error) {
            surroundings_.on_failure({.code = error.code, .text = describe() + ": " + error.text});
          }};
  if (is_durable()) {
    needs.read = [this](LogIndex from, LogIndex to, cluster::GroupHost::ReadDone done) {
      surroundings_.groups.read(definition_->id, from, to, surroundings_.cache_budget.read_ahead_bytes,
                                std::move(done));
    };
    needs.is_held_there = [this](const SessionId& session, LogIndex index) {
      if (session.node == surroundings_.node) return false;
      const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
      return replica != nullptr && serving_.has(session.node, index, replica->core());
    };
    needs.find_in_tail = [this](LogIndex index) -> const Bytes* {
      const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
      const bool is_open = replica != nullptr && replica->is_open();
      const raft::Entry* entry = is_open ? replica->core().log().find(index) : nullptr;
      return entry != nullptr ? &entry->payload : nullptr;
    };
    needs.pass_on = [this](SessionMail mail) { surroundings_.switchboard.send(std::move(mail)); };
    needs.on_missed = [this] { surroundings_.announce(leadership(), false); };
  }
  return needs;
}

Result<void> Queue::start(bool is_new) {
  if (is_durable()) return open_group(is_new);
  ready_ = true;
  leader_ = raft::replica_on(surroundings_.node, 0);
  note_use();
  configure();
  return {};
}

/// What it is to be like, into the log: every replica obeys it from the same entry on.
void Queue::configure() {
  const Configure wanted = surroundings_.settings_of(*definition_);
  const bool is_underway = asked_ && *asked_ != wanted;  // something else, and it is yet to be obeyed
  if (machine_.settings() == wanted && !is_underway) return;
  asked_ = wanted;
  packer_.append(Command(wanted));
  surroundings_.mark_dirty(definition_->id);
}

// --- mail becomes entries ---

void Queue::on_mail(QueueMail mail) {
  if (!ready_) {
    early_.push_back(std::move(mail));
    return;
  }
  take(mail);
}

/// Its node has begun a new life, or has been forgotten; a session of a node that is not known yet speaks again.
bool Queue::is_of_the_past(const SessionId& session) const {
  const cluster::Topology& topology = surroundings_.topology();
  if (topology.nodes.empty()) return false;
  const cluster::ClusterNode* node = topology.find_node(session.node);
  return node == nullptr || session.epoch < node->epoch;
}

void Queue::on_mail(Parcel parcel) {
  if (is_of_the_past(parcel.from)) return;
  if (leads_in(parcel.term)) {
    Switchover* switchover = switchover_of(parcel.from);
    if (switchover == nullptr) return take(parcel);
    switchover->keep(std::move(parcel));
    return surroundings_.mark_dirty(definition_->id);
  }
  const bool will_lead = parcel.term == term_ && raft::node_of(leader_) == surroundings_.node;
  if (will_lead) {
    early_parcels_.keep(std::move(parcel));
  } else if (parcel.from.node == surroundings_.node) {
    surroundings_.announce(leadership(), false);
  } else if (RemotePost* remote = surroundings_.switchboard.remote()) {
    remote->send(parcel.from.node, leadership());
  }
}

void Queue::take(Parcel& parcel) {
  const bool is_lost = parcel.commands.empty() && parcel.heard > 0 && !machine_.knows(parcel.from);
  if (is_lost) return send(parcel.from, Forgotten{});
  packer_.begin_parcel(parcel.from, parcel.first, parcel.heard);
  for (QueueMailBody& what : parcel.commands) {
    QueueMail mail{.queue = parcel.queue, .from = parcel.from, .what = std::move(what)};
    take(mail);
  }
  packer_.end_parcel();
  for (const Resume& resume : parcel.resumes) {
    const bool is_known =
        machine_.held_by({.session = parcel.from, .link = resume.link}, resume.received,
                         [this](const effect::Deliver& held) { outbox_.owe({.delivery = held, .whole = true}); });
    if (!is_known) post({.to = parcel.from, .queue = parcel.queue, .what = Gone{.link = resume.link}, .tracked = true});
  }
  for (const Question& question : parcel.questions) ask(parcel.from, question);
}

void Queue::take(QueueMail& mail) {
  std::visit(Overloaded{
                 [&](Publish& publish) {
                   const bool needs_sync = is_durable() && (publish.persistent || is_quorum());
                   packer_.append(mail.from, publish, needs_sync);
                 },
                 [&](Count& count) { ask(mail.from, {.what = count}); },
                 [&](DeleteIf& delete_if) { ask(mail.from, {.what = delete_if}); },
                 [&](Get& get) {
                   note_use();
                   packer_.append(Command(get));
                 },
                 [&](auto& command) { packer_.append(Command(std::move(command))); },
             },
             mail.what);
}

void Queue::submit(PackedEntry entry) {
  if (is_durable()) {
    propose(std::move(entry));
  } else {
    apply_at_once(std::move(entry));
  }
}

void Queue::propose(PackedEntry entry) {
  // Sessions of other nodes outlive this one's memory: what they hear of must not be lost with the power.
  const bool needs_sync = entry.needs_sync || machine_.has_senders();
  const auto durability = needs_sync ? storage::Durability::synced : storage::Durability::buffered;
  const auto position = surroundings_.groups.propose(definition_->id, entry.payload, durability);
  // Too much is under way, somebody else is to lead, or the node is about to stop: senders repeat themselves, and what
  // the queue itself had to say it says again.
  if (!position) {
    judge_again_at_ = LogIndex(0);
    return;
  }
  last_proposed_ = position->index;
  if (entry.has_messages) outbox_.keep(last_proposed_, std::move(entry.payload));
  for (Waiting& waiting : entry.waiting) {
    waiting.entry = last_proposed_;
    waiting_.push_back(waiting);
  }
}

/// A queue without a log. Who waits is told before anybody gets a message.
void Queue::apply_at_once(PackedEntry entry) {
  ++last_proposed_;
  if (entry.has_messages) outbox_.keep(last_proposed_, entry.payload);
  const auto applied = machine_.apply(last_proposed_, surroundings_.shard->wall(), entry.payload.view(), effects_);
  CHECK(applied.has_value());
  for (const Effect& effect : effects_) {
    const auto* refused = std::get_if<effect::Refused>(&effect);
    if (refused == nullptr || refused->number != 0) continue;
    const auto at = std::ranges::find(entry.waiting, refused->position.offset(), &Waiting::offset);
    if (at != entry.waiting.end()) at->taken.refused = true;
  }
  for (const Waiting& waiting : entry.waiting) send_untracked(waiting.session, waiting.taken);
  carry_out_all();
  watch_time();
}

bool Queue::flush() {
  if (!ready_) return false;
  pursue_target();
  const bool had_commands = !packer_.empty();
  packer_.seal();
  if (surroundings_.groups.has_failed()) return had_commands;
  const std::size_t open = questions_.size();
  if (open > 0) answer_questions();
  const bool has_answered = questions_.size() < open;
  const bool is_caught_up = machine_.applied() >= last_proposed_;
  return (is_caught_up && bring_over()) || has_answered || had_commands;
}

/// A leader that was cut off does not know it, and what it finds unused or empty others may be using: before it deletes
/// anything on such grounds it asks a majority.
void Queue::ask(const SessionId& from, Question question) {
  const auto* delete_if = std::get_if<DeleteIf>(&question.what);
  const bool has_condition = delete_if != nullptr && (delete_if->unused || delete_if->empty);
  Asked& asked = questions_.emplace_back(Asked{.from = from, .question = question});
  if (!has_condition || !is_quorum()) return;
  asked.serial = ++last_serial_;
  surroundings_.groups.read_index(definition_->id,
                                  [this, alive = alive_, serial = asked.serial](std::optional<LogIndex> committed) {
                                    if (*alive) on_vouched(serial, committed.has_value());
                                  });
}

/// Without an answer the sender asks again, perhaps somebody else.
void Queue::on_vouched(std::uint64_t serial, bool leads) {
  const auto at = std::ranges::find(questions_, serial, &Asked::serial);
  if (at == questions_.end()) return;
  at->serial = 0;
  if (!leads) questions_.erase(at);
  surroundings_.mark_dirty(definition_->id);
}

/// However much comes after them: under a steady load something is always under way.
void Queue::answer_questions() {
  std::vector<Asked> later;
  for (Asked& asked : std::exchange(questions_, {})) {
    if (!asked.after) asked.after = last_proposed_;
    // On other nodes it may be gone already.
    const bool is_count_of_what_goes = deleting_ && std::holds_alternative<Count>(asked.question.what);
    if (asked.serial == 0 && !is_count_of_what_goes && machine_.applied() >= *asked.after) {
      answer(asked);
    } else {
      later.push_back(asked);
    }
  }
  questions_.insert(questions_.begin(), later.begin(), later.end());
}

void Queue::answer(const Asked& asked) {
  const auto* delete_if = std::get_if<DeleteIf>(&asked.question.what);
  const std::uint64_t number = asked.question.number;
  if (delete_if == nullptr) {
    if (!machine_.settings().quorum) note_use();  // redeclared
    send(asked.from, Counted{.ready = machine_.ready_count(), .consumers = machine_.consumer_count()}, number);
  } else if (delete_if->unused && machine_.consumer_count() > 0) {
    send(asked.from, Deleted{.outcome = DeleteOutcome::in_use}, number);
  } else if (delete_if->empty && machine_.ready_count() + machine_.delayed_count() > 0) {
    send(asked.from, Deleted{.outcome = DeleteOutcome::not_empty}, number);
  } else {
    deleters_.push_back(
        {.session = asked.from, .question = number, .count = machine_.ready_count() + machine_.delayed_count()});
    if (!std::exchange(deleting_, true)) surroundings_.request_delete(definition_->id);
  }
}

void Queue::on_delete_timed_out() {
  if (!deleting_) return;
  if (deleters_.empty()) return surroundings_.request_delete(definition_->id);  // its own end stays due
  deleting_ = false;
  // Those who are tracked hear it from their own node's courier.
  for (const Deleter& deleter : std::exchange(deleters_, {})) {
    if (!is_numbered(deleter.session)) send(deleter.session, Gone{.unreachable = true}, deleter.question);
  }
  surroundings_.mark_dirty(definition_->id);  // who asked for what would go with it
}

void Queue::on_deleted(const cluster::TopologyPtr& topology) {
  committed_ = std::max(committed_, machine_.applied());  // no log will contradict it any more
  for (Promised& promised : std::exchange(promised_, {})) post(std::move(promised.mail));
  for (const Waiting& waiting : waiting_) send_untracked(waiting.session, waiting.taken);
  for (const Owed& owed : outbox_.owed()) {
    const ConsumerKey& consumer = owed.delivery.consumer;
    if (owed.kind == Owed::Kind::get) send(consumer.session, GetEmpty{}, owed.number);
    if (owed.kind == Owed::Kind::cancelled) send(consumer.session, Cancelled{.link = consumer.link}, owed.number);
  }
  // Whoever is tracked hears it from its own node's courier.
  for (const ConsumerKey& consumer : machine_.consumers()) {
    if (!is_numbered(consumer.session)) send(consumer.session, Gone{.link = consumer.link});
  }
  for (const Deleter& deleter : deleters_) {
    send(deleter.session, Deleted{.count = deleter.count, .topology = topology}, deleter.question);
  }
  for (const Asked& asked : questions_) {
    if (asked.question.number == 0) send(asked.from, Gone{});
  }
  for (const QueueMail& mail : early_) refuse_mail(mail, surroundings_.switchboard);
  if (is_durable()) surroundings_.groups.forget(definition_->id);
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
  if (relayed_at_) {  // which bodies have died meanwhile nobody says
    stop_relaying();
    surroundings_.announce(leadership(), false);
  }
  return {};
}

Result<void> Queue::apply(const raft::Entry& entry, cluster::ApplyMode mode) {
  auto applied = machine_.apply(entry.index, entry.ts, entry.payload.view(), effects_);
  if (!applied) {
    return std::unexpected(applied.error());
  }
  if (!questions_.empty() || switchover_) surroundings_.mark_dirty(definition_->id);
  if (mode == cluster::ApplyMode::live) {
    carry_out_all();
  } else {
    if (relayed_at_) follow(entry);
    effects_.clear();
  }
  watch_time();
  return {};
}

std::vector<std::pair<LogIndex, LogIndex>> Queue::live_entries() const {
  auto live = machine_.live_entries();
  for (const LogIndex index : outbox_.needed_entries()) live.emplace_back(index, index);
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

void Queue::send(const SessionId& to, SessionMailBody what, std::uint64_t answers) {
  const bool tracked = answers != 0 || goes_to_courier(to, what);
  SessionMail mail{.to = to, .queue = definition_->id, .what = std::move(what), .tracked = tracked, .answers = answers};
  if (switchover_ && !tracked) surroundings_.mark_dirty(definition_->id);  // it may have been the last
  // What a sender elsewhere has sent it would send again if the log lost it: then nobody may have had it before.
  const bool is_ahead = (tracked || machine_.has_senders()) && machine_.applied() > committed_;
  const bool must_wait = is_ahead || !promised_.empty();  // nothing overtakes
  if (is_durable() && must_wait) {
    promised_.push_back({.entry = machine_.applied(), .mail = std::move(mail)});
  } else {
    post(std::move(mail));
  }
}

void Queue::carry_out(const effect::Deliver& effect) { outbox_.owe({.delivery = effect}); }
void Queue::carry_out(const effect::GetOk& effect) {
  outbox_.owe(
      {.delivery = effect.delivery, .kind = Owed::Kind::get, .ready_left = effect.ready_left, .number = effect.number});
}
void Queue::carry_out(const effect::GetEmpty& effect) { send(effect.session, GetEmpty{}, effect.number); }
void Queue::carry_out(const effect::Attached& effect) {
  send(effect.consumer.session, Attached{.link = effect.consumer.link, .result = effect.result}, effect.number);
}
void Queue::carry_out(const effect::Cancelled& effect) {
  // Nothing may be delivered after it, and what a no_ack consumer is owed exists nowhere else any more.
  outbox_.owe({.delivery = {.consumer = effect.consumer}, .kind = Owed::Kind::cancelled, .number = effect.number});
}
void Queue::carry_out(const effect::Purged& effect) {
  send(effect.session, Purged{.count = effect.count}, effect.number);
}
void Queue::carry_out(const effect::EntryDead& effect) { outbox_.on_entry_dead(effect.index); }
void Queue::carry_out(const effect::Through& effect) {
  send(effect.session, Through{.first = effect.first, .number = effect.number});
}
void Queue::carry_out(const effect::Refused& effect) {
  if (effect.number != 0) return send(effect.session, Refused{.number = effect.number});
  const auto place = [](const Waiting& waiting) { return std::pair(waiting.entry, waiting.offset); };
  const std::pair wanted(effect.position.index(), std::size_t{effect.position.offset()});
  const auto at = std::ranges::lower_bound(waiting_, wanted, {}, place);
  if (at != waiting_.end() && place(*at) == wanted) at->taken.refused = true;
}
void Queue::carry_out(const effect::Forgotten& effect) { send(effect.session, Forgotten{}); }

void Queue::carry_out(const effect::Unused&) {
  note_use();
  if (definition_->auto_delete && !std::exchange(deleting_, true)) surroundings_.request_delete(definition_->id);
}

}  // namespace quorate::queue
