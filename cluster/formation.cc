#include "cluster/formation.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "cluster/metadata/codec.h"
#include "cluster/name_lookup.h"
#include "proto/formation.pb.h"

namespace quorate::cluster {
namespace {

constexpr std::string_view kDirectoryFact = "directory";
constexpr std::string_view kRecordFact = "cluster";
constexpr Duration kAskTimeout = std::chrono::seconds(2);
constexpr Duration kAskAgain = std::chrono::milliseconds(200);
/// Who is behind the host name no more and has been silent for so many rounds, at least a minute, is forgotten.
constexpr unsigned kSilentRoundsMax = 300;

std::string random_name() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Random random = Random::from_system();
  std::string name;
  for (int i = 0; i < 32; ++i) name.push_back(kDigits[random.below(kDigits.size())]);
  return name;
}

proto::FormationRecord to_proto(const FormationRecord& record) {
  proto::FormationRecord out;
  out.set_cluster_id(record.cluster_id);
  out.set_self(record.self.value());
  out.set_replica(record.replica.value());
  out.set_former_cluster_id(record.former_cluster_id);
  for (const raft::ReplicaId founder : record.founders) out.add_founders(founder.value());
  for (const ClusterNode& node : record.nodes) *out.add_nodes() = codec::to_proto(node);
  return out;
}
FormationRecord from_proto(const proto::FormationRecord& in) {
  FormationRecord record{.cluster_id = in.cluster_id(),
                         .self = NodeId(in.self()),
                         .replica = raft::ReplicaId(in.replica()),
                         .founders = codec::replicas_from(in.founders())};
  for (const proto::ClusterNode& node : in.nodes()) record.nodes.push_back(codec::from_proto(node));
  record.former_cluster_id = in.former_cluster_id();
  return record;
}

Bytes to_bytes(const google::protobuf::MessageLite& message) {
  Bytes out = Bytes::allocate(message.ByteSizeLong());
  CHECK(message.SerializeToArray(out.mutable_data(), static_cast<int>(out.size())));
  return out;
}

/// Whoever cannot be read has not answered.
void read_answer(ByteView words, Heard& out) {
  proto::FormationAnswer answer;
  if (!answer.ParseFromArray(words.data(), static_cast<int>(words.size()))) {
    out.silence = "the answer cannot be read: is it of another version?";
    return;
  }
  out.who = Newcomer{.name = answer.name(),
                     .directory = answer.directory(),
                     .host = answer.host(),
                     .port = static_cast<std::uint16_t>(answer.port())};
  out.seeds.assign(answer.seeds().begin(), answer.seeds().end());
  if (answer.has_record()) out.record = from_proto(answer.record());
}

/// A node behind several addresses, and this one itself, would count more than once. A silent address of the family
/// that this node does not listen on is nobody's: its host name leads to nodes that listen as it does.
std::vector<Heard> others_behind_a_name(const Newcomer& self, std::vector<Heard> heard) {
  std::vector<Heard> others;
  for (Heard& one : heard) {
    const auto is_same = [&](const Heard& other) { return other.who && other.who->directory == one.who->directory; };
    const bool is_known = one.who && (one.who->directory == self.directory || std::ranges::any_of(others, is_same));
    const bool is_nobody = !one.who && are_of_two_families(one.asked.host, self.host);
    if (!is_known && !is_nobody) others.push_back(std::move(one));
  }
  return others;
}

}  // namespace

/// Answers of one round, which may come in after nobody waits for them any more.
struct Formation::Round {
  std::mutex mutex;
  std::condition_variable complete;
  std::vector<Heard> heard;
  std::size_t missing = 0;
};

Formation::Formation(Options options, storage::SnapshotStore& facts, Plane* plane)
    : options_(std::move(options)),
      facts_(facts),
      plane_(plane),
      self_{.name = options_.node_name, .directory = "", .host = options_.host, .port = options_.port} {
  for (const Seed& seed : options_.seeds) seed_names_.push_back(seed.name);
}

Result<void> Formation::load() {
  auto directory = facts_.get(kDirectoryFact);
  if (!directory) return std::unexpected(directory.error());
  if (!*directory) {
    *directory = random_name();
    if (auto put = facts_.put(kDirectoryFact, **directory); !put) return put;
  }
  const auto join = facts_.get(kJoinFact);
  if (!join) return std::unexpected(join.error());
  if (*join) join_ = parse_seed(**join);
  const std::lock_guard lock(mutex_);
  self_.directory = **directory;
  auto text = facts_.get(kRecordFact);
  if (!text) return std::unexpected(text.error());
  if (!*text) return {};
  proto::FormationRecord words;
  if (!words.ParseFromString(**text)) {
    return failure(ErrorCode::corruption, "what this node remembers of its cluster cannot be read");
  }
  record_ = from_proto(words);
  return {};
}

Result<void> Formation::save(const FormationRecord& record) {
  if (auto put = facts_.put(kRecordFact, to_proto(record).SerializeAsString()); !put) return put;
  const std::lock_guard lock(mutex_);
  record_ = record;
  return {};
}

Result<void> Formation::leave_others_behind(std::uint64_t cluster_id) {
  std::optional<FormationRecord> record = remembered();
  if (!record || record->cluster_id == cluster_id) return {};
  record->former_cluster_id = std::exchange(record->cluster_id, cluster_id);
  std::erase_if(record->nodes, [&](const ClusterNode& node) { return node.id != record->self; });
  return save(*record);
}

std::vector<Seed> Formation::others() const {
  if (join_) return {*join_};
  std::vector<Seed> others;
  for (const Seed& seed : options_.seeds) {
    if (seed.name != options_.node_name) others.push_back(seed);
  }
  return others;
}

Result<FormationRecord> Formation::run(const std::stop_token& stop) {
  if (record_) return *record_;
  if (!is_behind_a_name() && others().empty()) {
    const FormationRecord alone = found_alone(self_, Random::from_system().next());
    if (auto saved = save(alone); !saved) return std::unexpected(saved.error());
    return alone;
  }
  bool wants_to_join = join_.has_value();
  while (!stop.stop_requested()) {
    auto formed = look_around(wants_to_join);
    if (!formed) return std::unexpected(formed.error());
    std::unique_lock lock(mutex_);
    if (*formed) return *record_;
    asked_to_stop_.wait_for(lock, stop, kAskAgain, [] { return false; });
  }
  return failure(ErrorCode::unavailable, "stopped while waiting for the other nodes");
}

/// One round. True when this node belongs to a cluster now.
Result<bool> Formation::look_around(bool& wants_to_join) {
  const auto places = whom_to_ask();
  if (!places) {
    set_status(places.error().text);
    return false;
  }
  const std::vector<Heard> heard = ask(*places, wants_to_join);
  remember(heard);
  FoundingPlan plan{.nodes = options_.seeds};
  if (is_behind_a_name()) plan = {.nodes_min = options_.discovery->nodes_min};
  plan.may_found = !join_;
  const Verdict verdict = judge(self_, plan, heard, Random::from_system().next());
  wants_to_join = wants_to_join || verdict.wants_to_join;
  set_status(verdict.waits_for);
  if (!verdict.record) return false;
  if (auto saved = save(*verdict.record); !saved) return std::unexpected(saved.error());
  log::info(log::Category::general, "cluster.{} node_id={} nodes={}", verdict.is_founder ? "founded" : "joined",
            verdict.record->self.value(), verdict.record->nodes.size());
  return true;
}

Result<std::vector<Seed>> Formation::whom_to_ask() {
  if (!is_behind_a_name()) return others();
  const Discovery& discovery = *options_.discovery;
  const auto addresses = discovery.lookup(discovery.hostname);
  const std::lock_guard lock(mutex_);
  std::vector<Seed> places;
  for (const Acquaintance& known : acquaintances_) places.push_back(known.place);
  if (addresses) {
    for (const std::string& address : *addresses) {
      const Seed place{.host = address, .port = discovery.port};
      if (std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
  }
  if (!places.empty()) return places;
  const std::string reason = addresses ? "there are none" : addresses.error().text;
  return failure(ErrorCode::unavailable, "waiting for addresses of '" + discovery.hostname + "': " + reason);
}

std::vector<Heard> Formation::ask(const std::vector<Seed>& places, bool wants_to_join) {
  proto::FormationQuestion question;
  question.set_name(self_.name);
  question.set_directory(self_.directory);
  question.set_host(self_.host);
  question.set_port(self_.port);
  question.set_wants_to_join(wants_to_join);
  const Bytes words = to_bytes(question);

  const auto round = std::make_shared<Round>();
  for (const Seed& place : places) round->heard.push_back({.asked = place});
  round->missing = places.size();
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Seed& place = places[i];
    plane_->ask(place.host, place.port, std::string(kQuestion), words, kAskTimeout, [round, i](Result<Bytes> reply) {
      const std::lock_guard lock(round->mutex);
      if (reply) read_answer(reply->view(), round->heard[i]);
      if (!reply) round->heard[i].silence = reply.error().text;
      if (--round->missing == 0) round->complete.notify_all();
    });
  }
  std::unique_lock lock(round->mutex);
  round->complete.wait(lock, [&] { return round->missing == 0; });
  return is_behind_a_name() ? others_behind_a_name(self_, std::move(round->heard)) : std::move(round->heard);
}

void Formation::remember(const std::vector<Heard>& heard) {
  const std::lock_guard lock(mutex_);
  outlook_.others.clear();
  for (const Heard& one : heard) outlook_.others.push_back({.name = one.name(), .answers = one.who.has_value()});
  if (!is_behind_a_name()) return;
  seed_names_ = {self_.name};
  for (const Heard& one : heard) {
    if (one.who) seed_names_.push_back(one.who->name);
  }
  std::ranges::sort(seed_names_);
  for (const Heard& one : heard) {
    const auto known = std::ranges::find(acquaintances_, one.asked, &Acquaintance::place);
    if (known != acquaintances_.end()) known->silent_rounds = one.who ? 0 : known->silent_rounds + 1;
    if (known == acquaintances_.end() && one.who) get_to_know(one.asked);
  }
  std::erase_if(acquaintances_, [](const Acquaintance& known) { return known.silent_rounds > kSilentRoundsMax; });
}

/// Under the mutex.
void Formation::get_to_know(const Seed& place) {
  const bool is_known = std::ranges::find(acquaintances_, place, &Acquaintance::place) != acquaintances_.end();
  if (!is_known && acquaintances_.size() < kAcquaintancesMax) acquaintances_.push_back({.place = place});
}

/// What changes is worth a line in the log.
void Formation::set_status(std::string status) {
  const std::lock_guard lock(mutex_);
  if (status == outlook_.waits_for) return;
  outlook_.waits_for = std::move(status);
  if (outlook_.waits_for.empty()) return;
  log::info(log::Category::general, "cluster.formation status=\"{}\"", outlook_.waits_for);
}

Outlook Formation::outlook() const {
  const std::lock_guard lock(mutex_);
  Outlook outlook = outlook_;
  outlook.has_cluster = record_.has_value();
  if (!outlook.others.empty()) return outlook;
  if (record_) {
    for (const ClusterNode& node : record_->nodes) {
      if (node.name != self_.name) outlook.others.push_back({.name = node.name});
    }
  } else {
    for (const Seed& seed : others()) outlook.others.push_back({.name = seed.name});
  }
  return outlook;
}

std::optional<FormationRecord> Formation::remembered() const {
  const std::lock_guard lock(mutex_);
  return record_;
}

void Formation::set_on_join(OnJoin on_join) {
  const std::lock_guard lock(mutex_);
  on_join_ = std::move(on_join);
}

Result<void> Formation::on_nodes(const Topology& topology) {
  FormationRecord record;
  {
    const std::lock_guard lock(mutex_);
    CHECK(record_.has_value());
    record = *record_;
  }
  std::vector<ClusterNode> nodes;
  topology.nodes.for_each([&](std::uint64_t, const ClusterNode& node) { nodes.push_back(node); });
  std::ranges::sort(nodes, {}, &ClusterNode::id);
  if (nodes == record.nodes || nodes.empty()) return {};
  record.nodes = std::move(nodes);
  return save(record);
}

void Formation::answer(ByteView question, AnswerFunction answer) {
  proto::FormationQuestion words;
  if (!words.ParseFromArray(question.data(), static_cast<int>(question.size()))) {
    return answer(failure(ErrorCode::invalid_argument, "not a question of this version"));
  }
  std::unique_lock lock(mutex_);
  proto::FormationAnswer out;
  out.set_name(self_.name);
  out.set_directory(self_.directory);
  out.set_host(self_.host);
  out.set_port(self_.port);
  for (const std::string& name : seed_names_) out.add_seeds(name);
  if (record_) *out.mutable_record() = to_proto(*record_);
  if (is_behind_a_name() && !record_ && words.directory() != self_.directory) {
    get_to_know({.host = words.host(), .port = static_cast<std::uint16_t>(words.port())});
  }
  const bool must_take_in = words.wants_to_join() && record_ && on_join_ &&
                            std::ranges::find(record_->nodes, words.name(), &ClusterNode::name) == record_->nodes.end();
  if (!must_take_in) return answer(to_bytes(out));
  const OnJoin on_join = on_join_;
  lock.unlock();
  ClusterNode node{.name = words.name(),
                   .host = words.host(),
                   .port = static_cast<std::uint16_t>(words.port()),
                   .directory = words.directory()};
  on_join(std::move(node), [out = std::move(out), answer = std::move(answer)](Result<ClusterNode> joined) mutable {
    if (!joined) return answer(std::unexpected(joined.error()));
    *out.mutable_record()->add_nodes() = codec::to_proto(*joined);
    answer(to_bytes(out));
  });
}

}  // namespace quorate::cluster
