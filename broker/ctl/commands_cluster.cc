// The members of the cluster: who they are, who may go, and how far each member of a queue is.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/http/json_fields.h"
#include "broker/http/refusal.h"

namespace quorate::ctl {

std::optional<cluster::ClusterNode> find_node(const http::BrokerView& view, std::string_view name) {
  std::optional<cluster::ClusterNode> found;
  view.topology()->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
    if (node.name == name) found = node;
  });
  return found;
}

std::optional<cluster::ClusterNode> find_target(const http::BrokerView& view, const boost::json::object& arguments,
                                                Done& done) {
  const std::string name = text_of(arguments, "target");
  auto node = find_node(view, name);
  if (!node) fail(done, Exit::dataerr, fmt::format("node {} is not a member of the cluster", name));
  return node;
}

const cluster::Queue* find_quorum_queue(const http::BrokerView& view, const boost::json::object& arguments,
                                        std::string_view verb, Done& done) {
  const cluster::Queue* queue = find_queue(view, arguments, done);
  if (queue == nullptr || queue->type == cluster::QueueType::quorum) return queue;
  fail(done, Exit::unavailable, fmt::format("Cannot {} a non-quorum queue", verb));
  return nullptr;
}

void answer_nothing(Done& done) { done(Answer{.data = nullptr, .text = ""}); }

namespace run {
namespace {

namespace json = boost::json;
using MetadataOutcome = cluster::Outcome;

std::string critical_lines(const BrokerView& view, const std::vector<http::CriticalRow>& critical) {
  std::string text;
  for (const http::CriticalRow& row : critical) {
    text += fmt::format("{}{} will become unavailable if node {} stops", text.empty() ? "" : "\n", http::describe(row),
                        view.node_name());
  }
  return text;
}

std::string replica_lines(const std::vector<http::ReplicaRow>& rows) {
  std::string text =
      "Node Name\tRaft State\tMembership\tLast Log Index\tLast Written\tLast Applied\tCommit Index\tSnapshot "
      "Index\tTerm\tMachine Version";
  for (const http::ReplicaRow& row : rows) {
    fmt::format_to(std::back_inserter(text), "\n{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", row.node, row.state,
                   row.membership, row.last_index, row.last_written, row.last_applied, row.commit_index,
                   row.snapshot_index, row.term, row.machine_version);
  }
  return text;
}

json::array replica_rows(const std::vector<http::ReplicaRow>& rows) {
  json::array array;
  for (const http::ReplicaRow& row : rows) {
    array.push_back(json::object{{"Node Name", row.node},
                                 {"Raft State", row.state},
                                 {"Membership", row.membership},
                                 {"Last Log Index", row.last_index},
                                 {"Last Written", row.last_written},
                                 {"Last Applied", row.last_applied},
                                 {"Commit Index", row.commit_index},
                                 {"Snapshot Index", row.snapshot_index},
                                 {"Term", row.term},
                                 {"Machine Version", row.machine_version}});
  }
  return array;
}

}  // namespace

void quorum_status(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_quorum_queue(view, arguments, "get quorum status of", done);
  if (queue == nullptr) return;
  view.collect_replicas(queue->id, [done = std::move(done)](const std::vector<http::ReplicaRow>& rows) mutable {
    done(Answer{.data = replica_rows(rows), .text = replica_lines(rows)});
  });
}

void check_if_node_is_quorum_critical(BrokerView& view, const Arguments&, Done done) {
  const std::vector<http::CriticalRow> critical = view.quorum_critical();
  if (critical.empty()) {
    return done(
        Answer{.data = json::object{{"result", "ok"}},
               .text = fmt::format("There are no quorum queues that would lose their quorum if node {} is shut down",
                                   view.node_name())});
  }
  fail(done, Exit::unavailable, critical_lines(view, critical));
}

void await_online_quorum_plus_one(BrokerView& view, const Arguments& arguments, Done done) {
  view.when_not_quorum_critical(limit_of(arguments), [&view, done = std::move(done)](bool is_safe) mutable {
    if (is_safe) return answer_nothing(done);
    fail(done, Exit::unavailable,
         "time is up, no quorum + 1 online replicas came online:\n" + critical_lines(view, view.quorum_critical()));
  });
}

void await_online_nodes(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string text = text_of(arguments, "count");
  std::size_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc{} || end != text.data() + text.size() || count == 0) {
    return fail(done, Exit::usage, "the count must be a number above 0");
  }
  view.when_online(count, limit_of(arguments), [&view, done = std::move(done)](bool are_there) mutable {
    if (are_there) return answer_nothing(done);
    fail(done, Exit::software,
         fmt::format("timed out while waiting. Not enough nodes joined {}'s cluster.", view.node_name()));
  });
}

// --- members of the cluster ---

/// Another one does that.
void forget_cluster_node(BrokerView& view, const Arguments& arguments, Done done) {
  if (const std::string refusal = http::why_not_changed(view); !refusal.empty()) {
    return fail(done, Exit::unavailable,
                refusal +
                    ". A majority of the cluster has to agree before a node is forgotten, with --force as well; "
                    "if it is lost for good, see force_standalone_khepri_boot");
  }
  const auto node = find_target(view, arguments, done);
  if (!node) return;
  if (node->name == view.node_name()) {
    return fail(done, Exit::unavailable, "a node cannot forget itself: run this on another one");
  }
  view.forget_node(node->id, is_set(arguments, "force"),
                   [done = std::move(done)](const Result<void>& forgotten) mutable {
                     if (!forgotten) return fail(done, Exit::unavailable, forgotten.error().text);
                     answer_nothing(done);
                   });
}

void set_cluster_name(BrokerView& view, const Arguments& arguments, Done done) {
  view.submit(cluster::SetClusterName{.name = text_of(arguments, "cluster_name")},
              [done = std::move(done)](MetadataOutcome outcome) mutable {
                if (outcome != MetadataOutcome::refused) return answer_nothing(done);
                fail(done, Exit::dataerr, "the name of the cluster has to have 1 to 255 octets");
              });
}

void drain(BrokerView& view, const Arguments&, Done done) {
  const auto node = find_node(view, view.node_name());
  if (!node) return fail(done, Exit::unavailable, "this node is still starting");
  view.submit(
      cluster::DrainNode{.id = node->id, .drained = true}, [&view, done = std::move(done)](MetadataOutcome) mutable {
        view.when_leading_nothing([done = std::move(done)](std::size_t left) mutable {
          std::string text;
          if (left > 0)
            text = fmt::format(
                "{} queues are still led here: nobody else can lead them now, or they are yet being moved", left);
          done(Answer{.data = json::object{{"leaders_left", left}}, .text = std::move(text)});
        });
      });
}

void revive(BrokerView& view, const Arguments&, Done done) {
  const auto node = find_node(view, view.node_name());
  if (!node) return fail(done, Exit::unavailable, "this node is still starting");
  view.submit(cluster::DrainNode{.id = node->id, .drained = false},
              [done = std::move(done)](MetadataOutcome) mutable { answer_nothing(done); });
}

}  // namespace run
}  // namespace quorate::ctl
