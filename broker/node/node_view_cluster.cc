// The whole cluster in rows: what the others say is put beside what this node knows.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "broker/node/node_view.h"

namespace quorate {

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

}  // namespace quorate
