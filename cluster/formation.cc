#include "cluster/formation.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <utility>

#include "base/log.h"
#include "cluster/metadata/codec.h"
#include "proto/formation.pb.h"

namespace quorate::cluster {
namespace {

constexpr std::string_view kDirectoryFact = "directory";
constexpr std::string_view kRecordFact = "cluster";
constexpr Duration kAskTimeout = std::chrono::seconds(2);
constexpr Duration kAskAgain = std::chrono::milliseconds(200);

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
  return record;
}

Bytes to_bytes(const google::protobuf::MessageLite& message) {
  Bytes out = Bytes::allocate(message.ByteSizeLong());
  CHECK(message.SerializeToArray(out.mutable_data(), static_cast<int>(out.size())));
  return out;
}

raft::ReplicaId first_replica(NodeId node) { return raft::replica_on(node, kMetadataGroup.value()); }

}  // namespace

struct Formation::Answer {
  Seed from;
  std::optional<proto::FormationAnswer> words;  // absent: it did not answer
};

/// Answers of one round, which may come in after nobody waits for them any more.
struct Formation::Round {
  std::mutex mutex;
  std::condition_variable complete;
  std::vector<Answer> answers;
  std::size_t missing = 0;
};

Formation::Formation(Options options, storage::SnapshotStore& facts, Plane* plane)
    : options_(std::move(options)), facts_(facts), plane_(plane) {}

Result<void> Formation::load() {
  auto directory = facts_.get(kDirectoryFact);
  if (!directory) return std::unexpected(directory.error());
  if (!*directory) {
    *directory = random_name();
    if (auto put = facts_.put(kDirectoryFact, **directory); !put) return put;
  }
  const std::lock_guard lock(mutex_);
  directory_ = **directory;
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

std::vector<Seed> Formation::others() const {
  std::vector<Seed> others;
  for (const Seed& seed : options_.seeds) {
    if (seed.name != options_.node_name) others.push_back(seed);
  }
  return others;
}

FormationRecord Formation::found_alone() const {
  const NodeId self{1};
  const ClusterNode row{.id = self,
                        .name = options_.node_name,
                        .host = options_.host,
                        .port = options_.port,
                        .directory = directory_,
                        .replica = first_replica(self)};
  return {.cluster_id = Random::from_system().next(),
          .self = self,
          .replica = row.replica,
          .founders = {row.replica},
          .nodes = {row}};
}

Result<FormationRecord> Formation::run(const std::stop_token& stop) {
  if (record_) return *record_;
  if (others().empty()) {
    const FormationRecord alone = found_alone();
    if (auto saved = save(alone); !saved) return std::unexpected(saved.error());
    return alone;
  }
  bool wants_to_join = false;
  while (!stop.stop_requested()) {
    auto formed = consider(ask_all(wants_to_join), wants_to_join);
    if (!formed) return std::unexpected(formed.error());
    if (*formed) {
      set_status("");
      const std::lock_guard lock(mutex_);
      return *record_;
    }
    std::unique_lock lock(mutex_);
    asked_to_stop_.wait_for(lock, stop, kAskAgain, [] { return false; });
  }
  return failure(ErrorCode::unavailable, "stopped while waiting for the other nodes");
}

std::vector<Formation::Answer> Formation::ask_all(bool wants_to_join) {
  proto::FormationQuestion question;
  question.set_name(options_.node_name);
  question.set_directory(directory_);
  question.set_host(options_.host);
  question.set_port(options_.port);
  question.set_wants_to_join(wants_to_join);
  const Bytes words = to_bytes(question);

  const auto round = std::make_shared<Round>();
  for (const Seed& seed : others()) round->answers.push_back({.from = seed});
  round->missing = round->answers.size();
  for (std::size_t i = 0; i < round->answers.size(); ++i) {
    const Seed seed = round->answers[i].from;
    plane_->ask(seed.host, seed.port, std::string(kQuestion), words, kAskTimeout, [round, i](Result<Bytes> reply) {
      const std::lock_guard lock(round->mutex);
      proto::FormationAnswer answer;
      if (reply && answer.ParseFromArray(reply->data(), static_cast<int>(reply->size()))) {
        round->answers[i].words = std::move(answer);
      }
      if (--round->missing == 0) round->complete.notify_all();
    });
  }
  std::unique_lock lock(round->mutex);
  round->complete.wait(lock, [&] { return round->missing == 0; });
  note_who_answers(round->answers);
  return round->answers;
}

void Formation::note_who_answers(const std::vector<Answer>& answers) {
  std::vector<Outlook::Other> others;
  for (const Answer& answer : answers) {
    others.push_back({.name = answer.from.name, .answers = answer.words.has_value()});
  }
  const std::lock_guard lock(mutex_);
  outlook_.others = std::move(others);
}

/// True when this node belongs to a cluster now.
Result<bool> Formation::consider(const std::vector<Answer>& answers, bool& wants_to_join) {
  for (const Answer& answer : answers) {
    if (!answer.words || !answer.words->has_record()) continue;
    FormationRecord record = from_proto(answer.words->record());
    const auto self = std::ranges::find(record.nodes, options_.node_name, &ClusterNode::name);
    if (self == record.nodes.end()) {
      wants_to_join = true;
      set_status("joining the cluster of " + answer.from.name);
      continue;
    }
    if (self->directory != directory_) {
      set_status("the cluster of " + answer.from.name + " knows " + options_.node_name +
                 " with another data directory, and this one is empty: if the old one is lost, run 'quoratectl "
                 "forget_cluster_node " +
                 options_.node_name + "' there, and this node joins as a new one");
      return false;
    }
    record.self = self->id;
    record.replica = self->replica;
    if (auto saved = save(record); !saved) return std::unexpected(saved.error());
    log::info(log::Category::general, "cluster.joined node_id={} nodes={}", record.self.value(), record.nodes.size());
    return true;
  }
  return wants_to_join ? Result<bool>(false) : found_if_first(answers);
}

Result<bool> Formation::found_if_first(const std::vector<Answer>& answers) {
  std::string missing;
  std::size_t present = 1;
  for (const Answer& answer : answers) {
    if (answer.words) {
      ++present;
    } else {
      missing += (missing.empty() ? "" : ", ") + answer.from.name;
    }
  }
  if (!missing.empty()) {
    set_status(std::to_string(present) + " of " + std::to_string(answers.size() + 1) + ", waiting for " + missing);
    return false;
  }
  std::vector<std::string> names;
  for (const Seed& seed : options_.seeds) names.push_back(seed.name);
  for (const Answer& answer : answers) {
    const std::vector<std::string> theirs(answer.words->seeds().begin(), answer.words->seeds().end());
    const bool agrees =
        theirs == names && answer.words->name() == answer.from.name && !answer.words->directory().empty();
    if (!agrees) {
      set_status(answer.from.name + " calls itself " + answer.words->name() +
                 " and was told of other nodes than this one: cluster_formation.classic_config must be the same "
                 "everywhere");
      return false;
    }
  }
  if (names.front() != options_.node_name) {
    set_status("all nodes are here, waiting for " + names.front() + " to found the cluster");
    return false;
  }
  FormationRecord record{.cluster_id = Random::from_system().next(), .self = NodeId(1)};
  for (std::size_t i = 0; i < options_.seeds.size(); ++i) {
    const Seed& seed = options_.seeds[i];
    const NodeId id(static_cast<std::uint32_t>(i + 1));
    const auto answer = std::ranges::find(answers, seed.name, [](const Answer& a) { return a.from.name; });
    record.nodes.push_back({.id = id,
                            .name = seed.name,
                            .host = seed.host,
                            .port = seed.port,
                            .directory = answer != answers.end() ? answer->words->directory() : directory_,
                            .replica = first_replica(id)});
    record.founders.push_back(first_replica(id));
  }
  record.replica = record.nodes.front().replica;
  if (auto saved = save(record); !saved) return std::unexpected(saved.error());
  log::info(log::Category::general, "cluster.founded nodes={}", record.nodes.size());
  return true;
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
  if (!outlook.others.empty()) return outlook;
  if (record_) {
    for (const ClusterNode& node : record_->nodes) {
      if (node.name != options_.node_name) outlook.others.push_back({.name = node.name});
    }
  } else {
    for (const Seed& seed : others()) outlook.others.push_back({.name = seed.name});
  }
  return outlook;
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
  out.set_name(options_.node_name);
  out.set_directory(directory_);
  for (const Seed& seed : options_.seeds) out.add_seeds(seed.name);
  if (record_) *out.mutable_record() = to_proto(*record_);
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
