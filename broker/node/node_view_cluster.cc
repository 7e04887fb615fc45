// What NodeView knows of other nodes: the questions, the answers, and how rows are merged.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "broker/node/node_view.h"

namespace quorate {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return 0;
  json::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

/// Longer answers of other nodes are read aside.
constexpr std::size_t kReadHereBytes = 64u << 10;

Bytes words_of(const json::value& value) { return Bytes::copy_of(json::serialize(value)); }

}  // namespace

/// Until the metadata is there, those of last time.
std::vector<cluster::ClusterNode> NodeView::members() const {
  std::vector<cluster::ClusterNode> nodes;
  topology()->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) { nodes.push_back(node); });
  if (nodes.empty()) nodes = parts_.link.nodes();
  std::ranges::sort(nodes, {}, &cluster::ClusterNode::name);
  return nodes;
}

std::vector<cluster::ClusterNode> NodeView::others() const {
  std::vector<cluster::ClusterNode> nodes = members();
  std::erase_if(nodes, [this](const cluster::ClusterNode& node) { return node.id == self(); });
  return nodes;
}

std::string NodeView::name_of(NodeId node) const {
  if (node == self()) return config_.node_name;
  const cluster::ClusterNode* row = topology()->find_node(node);
  return row != nullptr ? row->name : parts_.link.name_of(node);
}

// --- questions ---

void NodeView::ask(const cluster::ClusterNode& node, const json::object& question, Answer done) {
  parts_.link.ask(node, std::string(kQuestion), json::serialize(question),
                  [this, &shard = home().shard(), done = std::move(done)](Result<Bytes> answer) mutable {
                    shard.post_from_outside([this, done = std::move(done), answer = std::move(answer)]() mutable {
                      if (!answer) return done(std::unexpected(answer.error()));
                      if (answer->size() <= kReadHereBytes) return done(parse_words(answer->view()));
                      auto read = [words = std::move(*answer)] { return parse_words(words.view()); };
                      http::aside(*this, std::move(read), std::move(done));
                    });
                  });
}

void NodeView::ask_each(const std::vector<cluster::ClusterNode>& nodes, const json::object& question,
                        Done<std::vector<Said>> done) {
  struct Round {
    std::vector<Said> said;
    std::size_t waiting = 0;
    Done<std::vector<Said>> done;
  };
  auto round = std::make_shared<Round>();
  round->done = std::move(done);
  std::vector<cluster::ClusterNode> live = nodes;
  std::erase_if(live, [this](const cluster::ClusterNode& node) { return !is_live(node.id); });
  round->waiting = live.size();
  if (live.empty()) return round->done({});
  for (const cluster::ClusterNode& node : live) {
    ask(node, question, [round, id = node.id](Result<json::value> value) {
      if (value) round->said.push_back({.node = id, .value = std::move(*value)});
      if (--round->waiting == 0) round->done(std::move(round->said));
    });
  }
}

// --- rows of the whole cluster ---

void NodeView::collect_nodes(Done<std::vector<http::NodeRow>> done) {
  ask_each(others(), {{"what", "node"}}, [this, done = std::move(done)](const std::vector<Said>& said) mutable {
    std::vector<http::NodeRow> rows;
    for (const cluster::ClusterNode& node : members()) {
      if (node.id == self()) {
        rows.push_back(this_node());
        continue;
      }
      const auto answer = std::ranges::find(said, node.id, &Said::node);
      auto row = answer != said.end() ? row_from<http::NodeRow>(answer->value) : std::nullopt;
      rows.push_back(row.value_or(http::NodeRow{}));
      rows.back().name = node.name;
      rows.back().running = row.has_value();
      rows.back().being_drained = node.drained;
    }
    done(std::move(rows));
  });
}

QueueRows NodeView::queue_rows() const {
  std::map<NodeId, QueueRows::Member> known;
  for (const cluster::ClusterNode& node : members()) known[node.id] = {.name = node.name, .live = is_live(node.id)};
  known[self()] = {.name = config_.node_name, .live = true};
  return QueueRows(std::move(known), parts_.link);
}

std::vector<http::QueueRow> NodeView::merge(const QueueRows& maker, const cluster::Topology& topology,
                                            std::vector<SeenQueue> seen, const std::vector<Said>& said) {
  std::map<GroupId, SeenQueue> known;
  for (SeenQueue& queue : seen) known.insert_or_assign(queue.counts.id, std::move(queue));
  for (const Said& answer : said) {
    for (LedQueue& led : rows_from<LedQueue>(answer.value)) {
      SeenQueue& queue = known[led.id];
      if (!queue.leads) queue = {.leader = answer.node, .leads = true, .counts = std::move(led)};
    }
  }
  std::vector<http::QueueRow> rows;
  topology.queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& definition) {
    const auto at = known.find(definition->id);
    const bool is_led = at != known.end() && at->second.leads;
    rows.push_back(maker.row(definition, at != known.end() ? at->second.leader : std::nullopt,
                             is_led ? &at->second.counts : nullptr));
  });
  return rows;
}

void NodeView::collect_queues(Done<std::vector<http::QueueRow>> done) {
  see_queues([this, done = std::move(done)](std::vector<SeenQueue> seen) mutable {
    auto then = [this, done = std::move(done), seen = std::move(seen)](std::vector<Said> said) mutable {
      auto make = [maker = queue_rows(), topology = topology(), seen = std::move(seen),
                   said = std::move(said)]() mutable { return merge(maker, *topology, std::move(seen), said); };
      http::aside(*this, std::move(make), std::move(done));
    };
    ask_each(others(), {{"what", "queues"}}, std::move(then));
  });
}

/// The leader's node if a replica here knows it, otherwise every node that has a member.
void NodeView::collect_queue(GroupId id, Done<std::optional<http::QueueRow>> done) {
  see_queue(id, [this, id, done = std::move(done)](std::optional<SeenQueue> seen) mutable {
    const cluster::QueuePtr* found = topology()->queues_by_id.find(id.value());
    if (found == nullptr) return done(std::nullopt);
    const cluster::QueuePtr definition = *found;
    if (seen && seen->leads) return done(queue_rows().row(definition, seen->leader, &seen->counts));
    const std::optional<NodeId> leader = seen ? seen->leader : std::nullopt;
    std::vector<cluster::ClusterNode> asked = others();
    std::erase_if(asked, [&](const cluster::ClusterNode& node) {
      const bool has_it =
          definition->members.empty() ? definition->node == node.id : definition->has_member_on(node.id);
      return leader ? node.id != *leader : !has_it;
    });
    ask_each(asked, {{"what", "queue"}, {"queue", id.value()}},
             [this, definition, leader, done = std::move(done)](const std::vector<Said>& said) mutable {
               for (const Said& answer : said) {
                 const auto led = row_from<LedQueue>(answer.value);
                 if (led) return done(queue_rows().row(definition, answer.node, &*led));
               }
               done(queue_rows().row(definition, leader, nullptr));
             });
  });
}

/// The nodes that have a member and are no more; until another member takes its place, or the queue goes.
std::vector<std::string> NodeView::forgotten_members(const cluster::Queue* queue) const {
  std::vector<std::string> names;
  if (queue == nullptr) return names;
  for (const raft::ReplicaId member : queue->members) {
    const NodeId node = raft::node_of(member);
    if (node != self() && topology()->find_node(node) == nullptr) names.push_back(name_of(node));
  }
  return names;
}

void NodeView::collect_replicas(GroupId id, Done<std::vector<http::ReplicaRow>> done) {
  see_replica(id, [this, id, done = std::move(done)](std::optional<http::ReplicaRow> own) mutable {
    ask_each(others(), {{"what", "replica"}, {"queue", id.value()}},
             [this, id, own = std::move(own), done = std::move(done)](const std::vector<Said>& said) mutable {
               std::vector<http::ReplicaRow> rows;
               const cluster::Queue* queue = topology()->find_queue(id);
               for (const cluster::ClusterNode& node : members()) {
                 const auto answer = std::ranges::find(said, node.id, &Said::node);
                 std::optional<http::ReplicaRow> row;
                 if (node.id == self()) row = own;
                 if (answer != said.end()) row = row_from<http::ReplicaRow>(answer->value);
                 const bool is_member = queue != nullptr && queue->has_member_on(node.id);
                 if (row) rows.push_back(std::move(*row));
                 if (!row && is_member) rows.push_back({.node = node.name, .state = "noproc"});
               }
               for (const std::string& name : forgotten_members(queue)) {
                 rows.push_back({.node = name, .state = "noproc"});
               }
               done(std::move(rows));
             });
  });
}

void NodeView::collect_connections(Done<std::vector<http::ConnectionRow>> done) {
  see_connections([this, done = std::move(done)](std::vector<http::ConnectionRow> rows) mutable {
    ask_each(others(), {{"what", "connections"}},
             [rows = std::move(rows), done = std::move(done)](const std::vector<Said>& said) mutable {
               for (const Said& answer : said) {
                 std::ranges::move(rows_from<http::ConnectionRow>(answer.value), std::back_inserter(rows));
               }
               done(std::move(rows));
             });
  });
}

void NodeView::close_connections(std::string name, std::string reason, Done<std::size_t> done) {
  close_here(name, reason, [this, name, reason, done = std::move(done)](std::size_t closed) mutable {
    if (closed > 0) return done(closed);
    ask_each(others(), {{"what", "close_connections"}, {"name", name}, {"reason", reason}},
             [done = std::move(done)](const std::vector<Said>& said) mutable {
               std::size_t count = 0;
               for (const Said& answer : said)
                 count +=
                     answer.value.is_uint64() || answer.value.is_int64() ? answer.value.to_number<std::size_t>() : 0;
               done(count);
             });
  });
}

/// Of this node's queues those whose majority it belongs to, if one more member must not go. In a cluster of one
/// nothing can be done about it, and whoever drained a node has decided: nothing is said.
std::vector<http::CriticalRow> NodeView::quorum_critical() const {
  std::vector<http::CriticalRow> critical;
  const cluster::ClusterNode* own = topology()->find_node(self());
  if (topology()->nodes.size() < 2 || (own != nullptr && own->drained)) return critical;
  const auto is_critical = [this](const std::vector<NodeId>& nodes) {
    const auto online = std::ranges::count_if(nodes, [this](NodeId node) { return is_live(node); });
    return static_cast<std::size_t>(online) <= nodes.size() / 2 + 1;
  };
  std::vector<NodeId> all;
  for (const cluster::ClusterNode& node : members()) all.push_back(node.id);
  if (is_critical(all)) critical.push_back({.name = "the metadata of the cluster", .is_queue = false});
  topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (queue->type != cluster::QueueType::quorum || !queue->has_member_on(self())) return;
    std::vector<NodeId> nodes;
    for (const raft::ReplicaId member : queue->members) nodes.push_back(raft::node_of(member));
    if (is_critical(nodes)) critical.push_back({.name = queue->name, .vhost = queue->vhost});
  });
  return critical;
}

/// Durable queues that have no majority without this node. Others are gone with any stop of it.
Situation NodeView::situation() const {
  if (parts_.link.was_forgotten()) return {.was_forgotten = true};
  Situation situation{.is_known = !topology()->nodes.empty()};
  std::size_t live = 0;
  for (const cluster::ClusterNode& node : others()) {
    situation.others.push_back(node.name);
    if (!is_live(node.id)) continue;
    situation.live_others.push_back(node.name);
    ++live;
  }
  if (const auto since = parts_.watch.without_majority_since()) {
    situation.minority_for = home().shard().now() - *since;
  }
  const bool is_majority = situation.others.empty() || live * 2 > situation.others.size() + 1;
  if (!is_majority) situation.needed_for.emplace_back("the majority of the cluster");
  std::ranges::move(queues_needing(self(), true), std::back_inserter(situation.needed_for));
  return situation;
}

std::optional<Result<void>> NodeView::order(const http::Order& order) {
  const auto is_meant = [&](const cluster::ClusterNode& node) {
    return order.join.name.empty() ? node.host == order.join.host && node.port == order.join.port
                                   : node.name == order.join.name;
  };
  return parts_.orders.give(order, [&]() -> Result<void> {
    const bool is_join = order.kind == http::Order::Kind::join_cluster && !parts_.link.was_forgotten();
    if (is_join && std::ranges::any_of(others(), is_meant)) {
      return failure(ErrorCode::already_exists, "The node is already a member of this cluster");
    }
    return allow(order, situation(), config_);
  });
}

// --- answers ---

void NodeView::on_question(const Bytes& words, cluster::AnswerFunction reply) {
  const auto question = parse_words(words.view());
  if (!question || !question->is_object()) {
    return reply(failure(ErrorCode::invalid_argument, "the question cannot be read"));
  }
  if (text_at(question->get_object(), "what") == "queues") return answer_queues(std::move(reply));
  answer(question->get_object(), [reply = std::move(reply)](Result<json::value> value) mutable {
    if (!value) return reply(std::unexpected(value.error()));
    reply(words_of(*value));
  });
}

/// The one answer that may be long.
void NodeView::answer_queues(cluster::AnswerFunction reply) {
  see_queues([this, reply = std::move(reply)](std::vector<SeenQueue> seen) mutable {
    auto write = [seen = std::move(seen)] {
      json::array rows;
      for (const SeenQueue& one : seen) {
        if (one.leads) rows.push_back(to_json(one.counts));
      }
      return words_of(rows);
    };
    http::aside(*this, std::move(write), [reply = std::move(reply)](Bytes words) mutable { reply(std::move(words)); });
  });
}

void NodeView::answer(const json::object& question, Answer done) {
  const std::string what = text_at(question, "what");
  const GroupId queue(number_at(question, "queue"));
  if (what == "node") return done(to_json(this_node()));
  if (what == "queue") {
    return see_queue(queue, [done = std::move(done)](const std::optional<SeenQueue>& seen) mutable {
      done(seen && seen->leads ? to_json(seen->counts) : json::value());
    });
  }
  if (what == "replica") {
    return see_replica(queue, [done = std::move(done)](const std::optional<http::ReplicaRow>& row) mutable {
      done(row ? to_json(*row) : json::value());
    });
  }
  if (what == "connections") {
    return see_connections(
        [done = std::move(done)](const std::vector<http::ConnectionRow>& rows) mutable { done(to_json(rows)); });
  }
  if (what == "transfer") {
    const NodeId to(static_cast<std::uint32_t>(number_at(question, "node")));
    return transfer_here(queue, to, [done = std::move(done)](Result<void> result) mutable {
      if (!result) return done(std::unexpected(result.error()));
      done(json::value(true));
    });
  }
  if (what == "forget") {
    const NodeId node(static_cast<std::uint32_t>(number_at(question, "node")));
    if (topology()->find_node(node) == nullptr) return done(json::value(true));
    const json::value* force = question.if_contains("force");
    const bool is_forced = force != nullptr && force->is_bool() && force->get_bool();
    return forget_node(node, is_forced, [done = std::move(done)](Result<void> forgotten) mutable {
      if (!forgotten) return done(std::unexpected(forgotten.error()));
      done(json::value(true));
    });
  }
  if (what == "close_connections") {
    return close_here(text_at(question, "name"), text_at(question, "reason"),
                      [done = std::move(done)](std::size_t count) mutable { done(json::value(count)); });
  }
  done(failure(ErrorCode::invalid_argument, "no such question: " + what));
}

}  // namespace quorate
