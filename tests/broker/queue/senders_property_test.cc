// Sessions over a bad network: what they send to the queue is lost, repeated and overtaken, and so is what the queue
// tells them. In the end they have seen, and the queue has become, what one undisturbed sending of each command brings.
// QUORATE_SEED and QUORATE_COMMANDS choose another run.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/overloaded.h"
#include "base/random.h"
#include "broker/queue/queue_machine.h"
#include "tests/broker/queue/machine_fixture.h"
#include "tests/broker/queue/random_commands.h"

namespace quorate::queue {
namespace {

/// A queue with its log, so that messages have names.
class NamedQueue {
 public:
  Effects apply(const std::vector<Command>& commands) {
    ++index_;
    log_[index_] = Bytes::copy_of(packed(commands));
    Effects effects;
    CHECK(machine_.apply(index_, WallTime{}, log_[index_].view(), effects).has_value());
    machine_.check_invariants();
    return effects;
  }
  std::string name(const effect::Deliver& delivery) const {
    const Position at = delivery.message.position;
    return std::string(message_at(log_.at(at.index()), at.offset()).text()) +
           (delivery.message.redelivered ? "!" : "") + std::to_string(delivery.message.delivery_count) +
           (delivery.settled ? "s" : "");
  }
  std::vector<std::string> held_by(const ConsumerKey& key, std::uint64_t after = 0) const {
    std::vector<std::string> names;
    machine_.held_by(key, after, [&](const effect::Deliver& d) { names.push_back(std::to_string(d.id) + name(d)); });
    return names;
  }
  /// Takes out every message, ready first, and says in which order they came.
  std::vector<std::string> drain(const std::set<ConsumerKey>& consumers) {
    std::vector<std::string> names;
    const SessionId reader{.node = NodeId(9), .epoch = Epoch(1), .serial = 1};
    while (machine_.ready_count() > 0) {
      for (const Effect& effect : apply({Get{.session = reader, .no_ack = true}})) {
        if (const auto* got = std::get_if<effect::GetOk>(&effect)) names.push_back(name(got->delivery));
      }
    }
    for (const ConsumerKey& key : consumers) {
      apply({Settle{.consumer = key, .ids = {{.first = 0, .last = kNumberMax}}}});
    }
    return names;
  }
  /// Without a message all there is to see is in the bytes.
  Bytes state_at(LogIndex index) {
    index_ = index;
    apply({});
    return machine_.serialize();
  }
  LogIndex index() const { return index_; }
  const QueueMachine& machine() const { return machine_; }

 private:
  QueueMachine machine_;
  LogIndex index_;
  std::map<LogIndex, Bytes> log_;
};

/// What a session was told.
struct Seen {
  std::map<std::uint64_t, std::string> answers;                       // by the number of the request
  std::map<std::pair<ConsumerKey, std::uint64_t>, std::string> gets;  // deliveries, by consumer and id
};

/// The far end: keeps what it sent until it hears of it, and asks one question at a time.
struct Session {
  SessionId id;
  std::vector<Command> sent;  // number 1 first
  std::uint64_t heard = 0;
  std::uint64_t question = 0;  // waits for an answer
  std::uint32_t links = 0;     // no link is used twice
  bool over = false;
  bool leaving = false;
  Seen seen;

  void hear(const NamedQueue& queue, const Effect& effect) {
    const auto answered = [&](const SessionId& session, std::uint64_t number, const std::string& text) {
      if (session == id && question == number) seen.answers[std::exchange(question, 0)] = text;
    };
    std::visit(
        Overloaded{[&](const effect::Deliver& e) { hear_delivery(queue, e); },
                   [&](const effect::GetOk& e) {
                     answered(e.delivery.consumer.session, e.number,
                              "got " + queue.name(e.delivery) + " left " + std::to_string(e.ready_left));
                   },
                   [&](const effect::GetEmpty& e) { answered(e.session, e.number, "empty"); },
                   [&](const effect::Attached& e) {
                     answered(e.consumer.session, e.number, "attached " + std::to_string(static_cast<int>(e.result)));
                   },
                   [&](const effect::Cancelled& e) { answered(e.consumer.session, e.number, "cancelled"); },
                   [&](const effect::Purged& e) { answered(e.session, e.number, "purged " + std::to_string(e.count)); },
                   [&](const effect::Refused& e) {
                     if (e.session == id) seen.answers[e.number] = "refused";
                   },
                   [&](const effect::Through& e) {
                     if (e.session == id && e.first <= heard + 1) heard = std::max(heard, e.number);
                   },
                   [&](const effect::Forgotten& e) { over |= e.session == id; }, [](const auto&) {}},
        effect);
  }
  void hear_delivery(const NamedQueue& queue, const effect::Deliver& e) {
    if (e.consumer.session != id) return;
    seen.gets[{e.consumer, e.id}] = queue.name(e);
  }
  void recover(const NamedQueue& queue) {
    for (std::uint32_t link = 1; link <= links; ++link) {
      const ConsumerKey key{.session = id, .link = link};
      queue.machine().held_by(key, 0, [&](const effect::Deliver& e) { hear_delivery(queue, e); });
    }
  }
};

/// What of the entries has an effect, told with plain counters: the log of an undisturbed queue.
class InOrder {
 public:
  void add(const Command& command) {
    if (const auto* from = std::get_if<From>(&command)) {
      from_ = *from;
      const bool is_new = from_.first == 1 && from_.heard == 0 && count_.try_emplace(from_.session, 0).second;
      if (is_new) effective_.push_back({from_});
      return;
    }
    if (from_.first == 0) {
      effective_.push_back({From{}, command});
      if (const auto* gone = std::get_if<SessionsGone>(&command)) end_all(*gone);
      return;
    }
    const std::uint64_t number = from_.first++;
    const bool is_next =
        count_.contains(from_.session) && !over_.contains(from_.session) && number == count_[from_.session] + 1;
    if (!is_next) return;
    count_[from_.session] = number;
    if (std::holds_alternative<Down>(command)) over_.insert(from_.session);
    effective_.push_back({From{.session = from_.session, .first = number, .heard = number - 1}, command});
  }
  const std::vector<std::vector<Command>>& effective() const { return effective_; }

 private:
  void end_all(const SessionsGone& gone) {
    for (const auto& [session, count] : count_) {
      if (session.node == gone.node && session.epoch < gone.below) over_.insert(session);
    }
  }

  From from_;
  std::map<SessionId, std::uint64_t> count_;
  std::set<SessionId> over_;
  std::vector<std::vector<Command>> effective_;
};

class BadNetwork {
 public:
  explicit BadNetwork(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) sessions_.push_back({.id = next_id()});
  }

  void run(std::uint64_t turns) {
    for (std::uint64_t turn = 0; turn < turns; ++turn) {
      Session& session = sessions_[below(sessions_.size())];
      if (!session.leaving && session.sent.size() - session.heard < 12) compose(session);
      std::vector<Command> entry = one_in(25) ? std::vector<Command>{From{}, trouble()} : std::vector<Command>{};
      for (std::uint64_t runs = 1 + below(3); runs > 0; --runs) add_run(entry);
      deliver(entry, 4);
      if (one_in(30)) recover();
      replace_the_gone();
    }
    for (int i = 0; i < 3; ++i) {
      for (Session& session : sessions_) deliver(resend(session), 0);
    }
    recover();
  }

  /// Sends what had an effect, one by one, to another queue whose every word is heard.
  void expect_as_undisturbed() {
    NamedQueue calm;
    std::map<SessionId, Session> calm_sessions;
    for (const std::vector<Command>& entry : in_order_.effective()) {
      const From& from = std::get<From>(entry.front());
      if (from.first > 0) {
        Session& session = calm_sessions[from.session];
        session.id = from.session;
        if (is_question(entry.back())) session.question = from.first;
      }
      for (const Effect& effect : calm.apply(entry)) {
        for (auto& [id, session] : calm_sessions) session.hear(calm, effect);
      }
    }
    for (const Session& session : sessions_) {
      if (session.over) continue;
      EXPECT_EQ(session.heard, session.sent.size());
      gone_.push_back(session);
      calm.apply({From{.session = session.id, .first = session.heard + 1, .heard = session.heard}});
      queue_.apply({From{.session = session.id, .first = session.heard + 1, .heard = session.heard}});
    }
    std::set<ConsumerKey> consumers;
    for (const Session& session : gone_) {
      const Seen& expected = calm_sessions[session.id].seen;
      for (const auto& [number, answer] : session.seen.answers) {
        ASSERT_TRUE(expected.answers.contains(number)) << number;
        ASSERT_EQ(answer, expected.answers.at(number)) << "request " << number;
      }
      const bool has_heard_all = session.over || session.seen.answers.size() == expected.answers.size();
      ASSERT_TRUE(has_heard_all) << session.seen.answers.size() << " of " << expected.answers.size();
      for (const auto& [delivery, name] : session.seen.gets) ASSERT_EQ(name, expected.gets.at(delivery));
      deliveries_ += session.seen.gets.size();
      answers_ += session.seen.answers.size();
      for (std::uint32_t link = 0; link <= session.links; ++link)
        consumers.insert({.session = session.id, .link = link});
    }
    for (const ConsumerKey& key : consumers) ASSERT_EQ(queue_.held_by(key), calm.held_by(key));
    ASSERT_EQ(queue_.machine().sessions(), calm.machine().sessions());
    ASSERT_EQ(queue_.machine().message_bytes(), calm.machine().message_bytes());
    while (queue_.machine().message_bytes() + calm.machine().message_bytes() > 0) {
      ASSERT_EQ(queue_.drain(consumers), calm.drain(consumers));
    }
    const LogIndex end = std::max(queue_.index(), calm.index()).plus(1);
    ASSERT_EQ(queue_.state_at(end), calm.state_at(end));
  }
  /// Else the comparison would say little.
  void expect_enough_happened() const {
    EXPECT_GT(deliveries_, 100u);
    EXPECT_GT(answers_, 100u);
    EXPECT_GT(echoes_, 100u);
    EXPECT_GT(gone_.size(), 10u);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  SessionId next_id() {
    ++serial_;
    return {.node = NodeId(1 + static_cast<std::uint32_t>(serial_ % 2)), .epoch = Epoch(1), .serial = serial_};
  }
  static bool is_question(const Command& command) {
    return std::holds_alternative<Attach>(command) || std::holds_alternative<Cancel>(command) ||
           std::holds_alternative<Purge>(command) || std::holds_alternative<Get>(command);
  }

  // --- what a session wants ---
  void compose(Session& session) {
    for (std::uint64_t count = 1 + below(4); count > 0 && !session.leaving; --count) {
      Command command = next_command(session);
      if (is_question(command)) session.question = session.sent.size() + 1;
      session.leaving = std::holds_alternative<Down>(command);
      session.sent.push_back(std::move(command));
    }
  }
  Command next_command(Session& session) {
    const ConsumerKey key{.session = session.id, .link = 1 + static_cast<std::uint32_t>(below(session.links + 1))};
    const bool may_ask = session.question == 0;
    const std::uint64_t dice = below(100);
    if (dice < 10 && may_ask) {
      return Attach{.consumer = {.session = session.id, .link = ++session.links},
                    .priority = static_cast<std::int32_t>(below(2)),
                    .prefetch = static_cast<std::uint32_t>(1 + below(4)),
                    .window = 3'000};
    }
    if (dice < 16 && may_ask) return Get{.session = session.id};
    if (dice < 18 && may_ask) return Purge{.session = session.id};
    if (dice < 20 && may_ask) return Cancel{.consumer = key};
    if (dice < 26) return Credit{.consumer = key, .bytes = 200};
    if (dice < 60 && !session.seen.gets.empty()) return about_a_delivery(session);
    const bool is_heard = session.heard == session.sent.size();  // see From
    if (dice < 63 && may_ask && is_heard) return Down{.session = session.id};
    bodies_.push_back(std::to_string(bodies_.size()) + "-");
    return Enqueue{.body_size = static_cast<std::uint32_t>(bodies_.back().size()), .message = as_bytes(bodies_.back())};
  }
  Command about_a_delivery(const Session& session) {
    auto at = session.seen.gets.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(session.seen.gets.size())));
    const auto& [consumer, id] = at->first;
    const std::vector<IdRange> ids = {{.first = id, .last = id + below(3)}};
    if (one_in(4)) return Return{.consumer = consumer, .reason = static_cast<ReturnReason>(below(4)), .ids = ids};
    if (one_in(4)) return Discard{.consumer = consumer, .ids = ids};
    return Settle{.consumer = consumer, .ids = ids};
  }

  // --- what the network makes of it ---
  std::vector<Command> run_of(const Session& session, std::uint64_t first, std::uint64_t end) const {
    std::vector<Command> run = {From{.session = session.id, .first = first, .heard = session.heard}};
    for (std::uint64_t number = first; number < end; ++number) run.push_back(session.sent[number - 1]);
    return run;
  }
  std::vector<Command> resend(const Session& session) const {
    return run_of(session, session.heard + 1, session.sent.size() + 1);
  }
  void add_run(std::vector<Command>& entry) {
    Session& session = sessions_[below(sessions_.size())];
    std::vector<Command> run = resend(session);
    if (one_in(4)) {  // some of it is lost, or it was all heard of before
      const std::uint64_t first = 1 + below(session.sent.size() + 1);
      run = run_of(session, first, first + below(session.sent.size() + 2 - first));
      if (session.leaving && !std::holds_alternative<Down>(run.back())) return;  // nothing is older than the Down
    } else if (one_in(4)) {
      late_[session.id] = run;
      return;
    } else if (one_in(3) && late_.contains(session.id) && !session.leaving) {
      run = late_[session.id];
    }
    entry.insert(entry.end(), run.begin(), run.end());
  }
  Command trouble() {
    const NodeId node(1 + static_cast<std::uint32_t>(below(2)));
    if (one_in(3)) return NodeSuspected{.node = node, .epoch = Epoch(1)};
    if (one_in(4)) return SessionsGone{.node = node, .below = Epoch(2), .expired = true};
    return NodeTrusted{.node = node, .epoch = Epoch(1)};
  }
  /// One entry; each session misses what the queue says to it once in `loss` times, never for 0.
  void deliver(const std::vector<Command>& entry, std::uint64_t loss) {
    const std::size_t before = in_order_.effective().size();
    std::size_t commands = 0;
    for (const Command& command : entry) {
      in_order_.add(command);
      if (!std::holds_alternative<From>(command)) ++commands;
    }
    echoes_ += commands - (in_order_.effective().size() - before);
    in_order_.add(From{});
    const Effects effects = queue_.apply(entry);
    for (Session& session : sessions_) {
      if (loss > 0 && one_in(loss)) continue;
      for (const Effect& effect : effects) session.hear(queue_, effect);
    }
  }
  void recover() {
    for (Session& session : sessions_) session.recover(queue_);
  }
  void replace_the_gone() {
    for (Session& session : sessions_) {
      session.over |= session.leaving && session.heard == session.sent.size();
      if (!session.over) continue;
      gone_.push_back(session);
      session = {.id = next_id()};
    }
  }

  Random random_;
  NamedQueue queue_;
  InOrder in_order_;
  std::uint64_t serial_ = 0;
  std::vector<Session> sessions_;
  std::vector<Session> gone_;
  std::map<SessionId, std::vector<Command>> late_;  // on its way, or the copy that will come again
  std::deque<std::string> bodies_;
  std::size_t deliveries_ = 0;
  std::size_t answers_ = 0;
  std::size_t echoes_ = 0;
};

class SendersProperty : public ::testing::TestWithParam<int> {};

TEST_P(SendersProperty, WhatIsLostRepeatedOrOvertakenMakesNoDifference) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", 20'240'611) + static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed) + " --gtest_filter=*MakesNoDifference/0");
  BadNetwork network(seed);
  network.run(from_environment("QUORATE_COMMANDS", 160'000) / 40);
  network.expect_as_undisturbed();
  network.expect_enough_happened();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SendersProperty, ::testing::Range(0, 8));

}  // namespace
}  // namespace quorate::queue
