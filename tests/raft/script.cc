#include "tests/raft/script.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "base/check.h"
#include "raft/print.h"

namespace quorate::raft::test {
namespace {

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  std::istringstream in{std::string(text)};
  for (std::string part; std::getline(in, part, by);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::uint64_t to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(error == std::errc{} && end == text.data() + text.size());
  return number;
}

Duration to_duration(std::string_view text) {
  if (text.ends_with("ms")) return std::chrono::milliseconds(to_number(text.substr(0, text.size() - 2)));
  CHECK(text.ends_with("s"));
  return std::chrono::seconds(to_number(text.substr(0, text.size() - 1)));
}

std::vector<ReplicaId> to_replicas(std::string_view text) {
  std::vector<ReplicaId> replicas;
  for (const std::string& part : split(text, ',')) replicas.emplace_back(to_number(part));
  return replicas;
}

}  // namespace

/// What follows the verb on its line.
class Script::Words {
 public:
  explicit Words(std::string_view line) {
    for (const std::string& word : split(line, ' ')) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) {
        plain_.push_back(word);
      } else {
        named_[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
    CHECK(!plain_.empty());
  }

  const std::string& verb() const { return plain_[0]; }
  std::size_t count() const { return plain_.size() - 1; }
  const std::string& operator[](std::size_t i) const { return plain_.at(i + 1); }
  ReplicaId replica(std::size_t i) const { return ReplicaId(to_number((*this)[i])); }
  std::vector<ReplicaId> replicas(std::size_t i) const { return to_replicas((*this)[i]); }
  bool has(const std::string& name) const { return named_.contains(name); }
  std::string text(const std::string& name) const { return has(name) ? named_.at(name) : ""; }
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    return has(name) ? to_number(named_.at(name)) : otherwise;
  }
  std::vector<ReplicaId> list(const std::string& name) const { return to_replicas(text(name)); }

 private:
  std::vector<std::string> plain_;
  std::map<std::string, std::string> named_;
};

Script::Script() : cluster_(std::make_unique<Cluster>(Cluster::Setup{})) {}
Script::~Script() = default;

std::vector<std::string> Script::play(const std::string& line) {
  if (line.starts_with('#')) return {};
  const Words words(line);
  const auto verb = std::ranges::find(kVerbs, words.verb(), &Verb::name);
  if (verb == kVerbs.end()) return {"! '" + words.verb() + "' is no verb"};
  (this->*verb->play)(words);
  return cluster_->take_lines();
}

void Script::run(std::string_view lines) {
  std::string record;
  for (const std::string& line : split(lines, '\n')) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    record += line.substr(begin) + '\n';
    for (const std::string& said : play(line.substr(begin))) {
      record += "    " + said + '\n';
      if (said.find("! ") < said.find_first_not_of(" !")) ADD_FAILURE() << record;
    }
  }
}

void Script::say(std::string line) { cluster_->note(Detail::nothing, std::move(line)); }

// --- who there is ---

void Script::nodes(const Words& words) {
  Cluster::Setup setup{.configuration = {.voters = words.replicas(0),
                                         .learners = words.list("learners"),
                                         .joining = words.list("joining")}};
  setup.tells_commits_at_once = words.number("commits_at_once", 1) != 0;
  if (words.has("idle_ms")) setup.timing.idle = std::chrono::milliseconds(words.number("idle_ms", 0));
  Core::Limits& limits = setup.limits;
  limits.window_messages = words.number("window", limits.window_messages);
  limits.window_bytes = words.number("window_bytes", limits.window_bytes);
  limits.append_max_bytes = words.number("append_bytes", limits.append_max_bytes);
  limits.append_max_entries = words.number("append_entries", limits.append_max_entries);
  limits.uncommitted_max_entries = words.number("uncommitted", limits.uncommitted_max_entries);
  limits.uncommitted_max_bytes = words.number("uncommitted_bytes", limits.uncommitted_max_bytes);
  limits.tail_max_bytes = words.number("tail_bytes", limits.tail_max_bytes);
  const std::vector<ReplicaId> members = setup.configuration.members();
  cluster_ = std::make_unique<Cluster>(std::move(setup));
  for (const ReplicaId member : members) {
    cluster_->add(member, static_cast<std::uint32_t>(words.number("version", 0)));
  }
}

void Script::node(const Words& words) {
  cluster_->add(words.replica(0), static_cast<std::uint32_t>(words.number("version", 0)));
}

// --- what is asked of a replica ---

void Script::campaign(const Words& words) { cluster_->step(words.replica(0), Campaign{}); }

void Script::propose(const Words& words) {
  std::vector<Input> inputs;
  for (std::size_t i = 1; i < words.count(); ++i) inputs.emplace_back(Propose{Bytes::copy_of(words[i])});
  if (words.has("size")) {
    const std::string payload(words.number("size", 0), 'x');
    for (std::uint64_t i = 0; i < words.number("count", 1); ++i) inputs.emplace_back(Propose{Bytes::copy_of(payload)});
  }
  cluster_->step(words.replica(0), std::move(inputs));
}

void Script::configure(const Words& words) {
  const ReplicaId replica = words.replica(0);
  const Configuration target{.voters = words.list("voters"),
                             .learners = words.list("learners"),
                             .joining = words.list("joining"),
                             .machine_version = cluster_->core(replica).configuration().machine_version};
  cluster_->step(replica, ProposeConfiguration{.target = target});
}

void Script::read(const Words& words) {
  std::vector<Input> inputs;
  for (std::size_t i = 1; i < words.count(); ++i) inputs.emplace_back(ReadIndex{.token = to_number(words[i])});
  cluster_->step(words.replica(0), std::move(inputs));
}

void Script::transfer(const Words& words) { cluster_->step(words.replica(0), TransferTo{.replica = words.replica(1)}); }

// --- messages ---

Cluster::Selects Script::selection(const Words& words) const {
  const auto is_listed = [](const std::vector<ReplicaId>& list, ReplicaId replica) {
    return list.empty() || std::ranges::find(list, replica) != list.end();
  };
  const auto left = std::make_shared<std::uint64_t>(words.number("count", UINT64_MAX));
  return [=, from = words.list("from"), to = words.list("to"), kind = words.text("kind")](const Message& message) {
    const std::string body = print(message.body);
    const bool is_kind = kind.empty() || body.substr(0, body.find(' ')) == kind;
    if (!is_kind || !is_listed(from, message.from) || !is_listed(to, message.to) || *left == 0) return false;
    --*left;
    return true;
  };
}

void Script::deliver(const Words& words) { cluster_->deliver(selection(words)); }
void Script::drop(const Words& words) { cluster_->drop(selection(words)); }
void Script::duplicate(const Words& words) { cluster_->duplicate(selection(words)); }
void Script::reverse(const Words& words) { cluster_->reverse(selection(words)); }

void Script::cut(const Words& words) {
  if (words.count() == 1) {
    const std::vector<std::string> ends = split(words[0], '>');
    return cluster_->cut(ReplicaId(to_number(ends.at(0))), ReplicaId(to_number(ends.at(1))));
  }
  for (const ReplicaId a : words.replicas(0)) {
    for (const ReplicaId b : words.replicas(1)) {
      cluster_->cut(a, b);
      cluster_->cut(b, a);
    }
  }
}

void Script::heal(const Words&) { cluster_->heal(); }

// --- disks ---

void Script::persist(const Words& words) {
  for (const ReplicaId replica : words.replicas(0)) {
    for (std::uint64_t left = words.number("count", UINT64_MAX); left > 0 && cluster_->persist(replica);) --left;
  }
}

void Script::fail(const Words& words) { cluster_->fail_disk(words.replica(0)); }
void Script::stop(const Words& words) { cluster_->stop(words.replica(0)); }

void Script::restart(const Words& words) {
  std::optional<LogIndex> loses;
  if (words.has("loses")) loses = LogIndex(words.number("loses", 0));
  cluster_->restart(words.replica(0), loses, words.count() > 1 && words[1] == "known");
}

/// A restart with another program.
void Script::renew(const Words& words) {
  cluster_->set_machine_version(words.replica(0), static_cast<std::uint32_t>(words.number("version", 0)));
  cluster_->restart(words.replica(0));
}

void Script::compact(const Words& words) { cluster_->compact(words.replica(0), LogIndex(to_number(words[1]))); }
void Script::fetch(const Words& words) { cluster_->fetch(words.replica(0)); }
void Script::stage(const Words& words) {
  std::optional<LogIndex> at;
  if (words.has("at")) at = LogIndex(words.number("at", 0));
  std::optional<Term> term;
  if (words.has("term")) term = Term(words.number("term", 0));
  cluster_->stage(words.replica(0), words.replica(1), at, term);
}

void Script::sent(const Words& words) { cluster_->report_snapshot(words.replica(0), words.replica(1), true); }
void Script::not_sent(const Words& words) { cluster_->report_snapshot(words.replica(0), words.replica(1), false); }

// --- the world around ---

void Script::set_live(const Words& words, bool live) {
  const ReplicaId peer = words.replica(0);
  const std::optional<Instant> since = live ? std::optional(cluster_->times().now) : std::nullopt;
  const std::vector<ReplicaId> observers = words.has("at") ? words.list("at") : cluster_->replicas();
  for (const ReplicaId observer : observers) {
    if (observer != peer) cluster_->step(observer, PeerLive{.replica = peer, .since = since});
  }
}
void Script::live(const Words& words) { set_live(words, true); }
void Script::dead(const Words& words) { set_live(words, false); }

void Script::unreachable(const Words& words) {
  cluster_->step(words.replica(0), PeerUnreachable{.replica = words.replica(1)});
}

void Script::advance(const Words& words) { cluster_->advance(to_duration(words[0])); }
void Script::tick(const Words& words) { cluster_->tick(to_duration(words[0])); }
void Script::pass(const Words& words) { cluster_->run(to_duration(words[0])); }

void Script::deadline(const Words& words) {
  for (const ReplicaId replica : words.replicas(0)) cluster_->keep_deadline(replica);
}

void Script::stabilize(const Words& words) {
  cluster_->stabilize(words.count() > 0 ? words.replicas(0) : std::vector<ReplicaId>{});
}

void Script::settle(const Words& words) {
  const Detail before = cluster_->detail();
  cluster_->set_detail(Detail::nothing);
  stabilize(words);
  cluster_->set_detail(before);
}

// --- what can be looked at ---

void Script::status(const Words& words) {
  for (const ReplicaId replica : words.count() > 0 ? words.replicas(0) : cluster_->replicas()) {
    say(cluster_->is_running(replica) ? print(cluster_->core(replica)) : print(replica) + ": stopped");
  }
}

void Script::log(const Words& words) {
  for (const ReplicaId replica : words.replicas(0)) {
    const Image& image = cluster_->disk(replica).written();
    if (image.snapshot.last.index != LogIndex(0)) say(fmt::format("{}: {}", print(replica), print(image.snapshot)));
    for (const Entry& entry : image.entries) say(fmt::format("{}: {}", print(replica), print(entry)));
  }
}

void Script::progress(const Words& words) {
  const Core& core = cluster_->core(words.replica(0));
  for (const ReplicaId member : core.configuration().members()) {
    if (const Progress* peer = core.progress(member)) say(print(*peer));
  }
}

void Script::flight(const Words&) {
  for (const Message& message : cluster_->in_flight()) say(print(message));
}

void Script::writes(const Words& words) {
  for (const Task& task : cluster_->disk(words.replica(0)).under_way()) say(print(task));
}

void Script::applied(const Words& words) {
  for (const ReplicaId replica : words.replicas(0)) {
    std::string line = print(replica) + ":";
    for (const std::string& command : cluster_->applied(replica)) line += ' ' + command;
    say(std::move(line));
  }
}

void Script::detail(const Words& words) {
  static const std::map<std::string, Detail> kDetails = {
      {"all", Detail::all}, {"changes", Detail::changes}, {"nothing", Detail::nothing}};
  cluster_->set_detail(kDetails.at(words[0]));
}

const std::vector<Script::Verb> Script::kVerbs = {
    {"advance", &Script::advance},
    {"applied", &Script::applied},
    {"campaign", &Script::campaign},
    {"compact", &Script::compact},
    {"configure", &Script::configure},
    {"cut", &Script::cut},
    {"dead", &Script::dead},
    {"deadline", &Script::deadline},
    {"deliver", &Script::deliver},
    {"detail", &Script::detail},
    {"drop", &Script::drop},
    {"duplicate", &Script::duplicate},
    {"fail", &Script::fail},
    {"fetch", &Script::fetch},
    {"flight", &Script::flight},
    {"heal", &Script::heal},
    {"live", &Script::live},
    {"log", &Script::log},
    {"node", &Script::node},
    {"nodes", &Script::nodes},
    {"not-sent", &Script::not_sent},
    {"persist", &Script::persist},
    {"progress", &Script::progress},
    {"propose", &Script::propose},
    {"read", &Script::read},
    {"renew", &Script::renew},
    {"restart", &Script::restart},
    {"reverse", &Script::reverse},
    {"run", &Script::pass},
    {"sent", &Script::sent},
    {"settle", &Script::settle},
    {"stabilize", &Script::stabilize},
    {"stage", &Script::stage},
    {"status", &Script::status},
    {"stop", &Script::stop},
    {"tick", &Script::tick},
    {"transfer", &Script::transfer},
    {"unreachable", &Script::unreachable},
    {"writes", &Script::writes},
};

}  // namespace quorate::raft::test
