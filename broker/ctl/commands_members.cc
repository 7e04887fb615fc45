// The members of quorum queues: where they are, and which of them leads.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "broker/auth/permissions.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/leader_balance.h"
#include "broker/http/json_fields.h"

namespace quorate::ctl::run {
namespace {

namespace json = boost::json;
using cluster::QueueType;
using MetadataOutcome = cluster::Outcome;

/// Transfers of one rebalance that are under way at one time.
constexpr std::size_t kTransfersMax = 32;

/// The queue of the arguments, which may get members elsewhere, or null after `done` has been told.
const cluster::Queue* find_movable_queue(const BrokerView& view, const Arguments& arguments, Done& done) {
  const cluster::Queue* queue = find_queue(view, arguments, done);
  if (queue == nullptr || cluster::may_be_quorum(*queue)) return queue;
  fail(done, Exit::unavailable, "Only a durable queue that does not delete itself can become a quorum queue");
  return nullptr;
}

/// Of --vhost-pattern and --queue-pattern; whatever is not given matches everything.
struct QueuePatterns {
  auth::PermissionPattern vhost;
  auth::PermissionPattern name;

  bool match(const cluster::Queue& queue) const { return vhost.matches(queue.vhost) && name.matches(queue.name); }
};

/// Nothing after `done` has been told.
std::optional<QueuePatterns> read_patterns(const Arguments& options, Done& done) {
  const auto compile = [&](std::string_view option) {
    return auth::PermissionPattern::compile(options.contains(option) ? text_of(options, option) : ".*");
  };
  auto vhost = compile("vhost-pattern");
  auto name = compile("queue-pattern");
  if (vhost && name) return QueuePatterns{.vhost = std::move(*vhost), .name = std::move(*name)};
  fail(done, Exit::dataerr, vhost ? name.error().text : vhost.error().text);
  return std::nullopt;
}

/// A new member votes as soon as it has what the others have, whichever of both words is said.
bool allow_membership(const Arguments& options, Done& done) {
  static constexpr std::array<std::string_view, 2> kKnown = {"promotable", "voter"};
  if (!options.contains("membership")) return true;
  const std::string membership = text_of(options, "membership");
  if (std::ranges::find(kKnown, membership) != kKnown.end()) return true;
  fail(done, Exit::usage, fmt::format("voter status '{}' is not recognised: promotable or voter", membership));
  return false;
}

/// Where its members are, or are to be.
std::vector<NodeId> nodes_of(const cluster::Queue& queue) {
  std::vector<NodeId> nodes;
  for (const raft::ReplicaId member : queue.target.empty() ? queue.members : queue.target) {
    nodes.push_back(raft::node_of(member));
  }
  return nodes;
}

std::vector<NodeId> with(std::vector<NodeId> nodes, NodeId node) {
  nodes.push_back(node);
  return nodes;
}

std::vector<NodeId> without(std::vector<NodeId> nodes, NodeId node) {
  std::erase(nodes, node);
  return nodes;
}

std::string_view fault_of(MetadataOutcome outcome) {
  switch (outcome) {
    case MetadataOutcome::done:
    case MetadataOutcome::unknown:
      return "";
    case MetadataOutcome::not_found:
      return "it is not there any more";
    case MetadataOutcome::in_use:
      return "another change of its members is under way";
    case MetadataOutcome::exists:
    case MetadataOutcome::refused:
      return "it cannot have such members";
  }
  return "";
}

/// Nothing more is said when it was carried out.
void submit(BrokerView& view, cluster::MetadataCommand command, Done done) {
  view.submit(std::move(command), [done = std::move(done)](MetadataOutcome outcome) mutable {
    const std::string_view fault = fault_of(outcome);
    if (fault.empty()) return answer_nothing(done);
    fail(done, Exit::unavailable, std::string(fault));
  });
}

/// Nobody runs there who could learn what the queue holds, and until then no other change of its members would be let
/// in. False after `done` has been told.
bool require_running(const BrokerView& view, const cluster::ClusterNode& node, Done& done) {
  if (view.is_live(node.id)) return true;
  fail(done, Exit::unavailable, fmt::format("node_not_running: {} does not answer", node.name));
  return false;
}

/// What keeps its members from changing before anybody is asked; empty: nothing.
std::string_view obstacle_of(const BrokerView& view, const cluster::Queue& queue) {
  const auto live =
      std::ranges::count_if(queue.members, [&](raft::ReplicaId member) { return view.is_live(raft::node_of(member)); });
  const bool is_able = queue.members.empty() || static_cast<std::size_t>(live) * 2 > queue.members.size();
  return is_able ? "" : "it has no majority, which must agree";
}

void place(BrokerView& view, const cluster::Queue& queue, std::vector<NodeId> nodes, Done done) {
  const std::string_view obstacle = obstacle_of(view, queue);
  if (!obstacle.empty()) return fail(done, Exit::unavailable, std::string(obstacle));
  submit(view, cluster::PlaceQueue{.id = queue.id, .nodes = std::move(nodes)}, std::move(done));
}

/// `then` changes the members when no other change of them is under way: within the time that the command has.
template <class Then>
void when_placed(BrokerView& view, const cluster::Queue& queue, const Arguments& arguments, Done done, Then then) {
  if (queue.target.empty()) return then(queue, std::move(done));
  auto go_on = [&view, id = queue.id, then = std::move(then), done = std::move(done)](bool is_placed) mutable {
    const cluster::Queue* placed = view.topology()->find_queue(id);
    const MetadataOutcome outcome = placed == nullptr ? MetadataOutcome::not_found : MetadataOutcome::in_use;
    if (placed == nullptr || !is_placed) return fail(done, Exit::unavailable, std::string(fault_of(outcome)));
    then(*placed, std::move(done));
  };
  view.when_placed(queue.id, limit_of(arguments), std::move(go_on));
}

/// One row for each queue, or with --errors-only for each that was refused, when all are placed; the members follow on
/// their own. A queue is refused to be placed nowhere.
void place_all(BrokerView& view, std::vector<cluster::PlaceQueue> placements, const Arguments& options, Done done) {
  struct Round {
    json::array rows;
    std::size_t waiting = 0;
    bool errors_only = false;
    Done done;

    void add(json::object row, std::string_view fault) {
      row["result"] = fault.empty() ? std::string("ok") : "error: " + std::string(fault);
      if (!fault.empty() || !errors_only) rows.push_back(std::move(row));
      if (--waiting == 0) done(Answer{.data = std::move(rows), .text = ""});
    }
  };
  auto round = std::make_shared<Round>();
  round->waiting = placements.size();
  round->errors_only = is_set(options, "errors-only");
  round->done = std::move(done);
  if (placements.empty()) return round->done(Answer{.data = json::array(), .text = ""});
  for (cluster::PlaceQueue& placement : placements) {
    const cluster::Queue& queue = *view.topology()->find_queue(placement.id);
    json::object row{{"vhost", http::json_text(queue.vhost)},
                     {"name", http::json_text(queue.name)},
                     {"size", placement.nodes.size()}};
    const std::string_view obstacle =
        placement.nodes.empty() ? "the last node cannot be removed" : obstacle_of(view, queue);
    if (!obstacle.empty()) {
      row["size"] = queue.members.size();
      round->add(std::move(row), obstacle);
      continue;
    }
    view.submit(std::move(placement), [round, row = std::move(row)](MetadataOutcome outcome) mutable {
      round->add(std::move(row), fault_of(outcome));
    });
  }
}

template <class Wanted>
std::vector<cluster::QueuePtr> queues_that(const BrokerView& view, Wanted is_wanted) {
  std::vector<cluster::QueuePtr> queues;
  view.topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (is_wanted(*queue)) queues.push_back(queue);
  });
  return queues;
}

}  // namespace

void add_member(BrokerView& view, const Arguments& arguments, Done done) {
  if (!allow_membership(arguments, done)) return;
  const cluster::Queue* queue = find_movable_queue(view, arguments, done);
  if (queue == nullptr) return;
  const auto node = find_target(view, arguments, done);
  if (!node || !require_running(view, *node, done)) return;
  when_placed(view, *queue, arguments, std::move(done),
              [&view, node = node->id](const cluster::Queue& placed, Done then) {
                if (placed.has_member_on(node)) return answer_nothing(then);
                place(view, placed, with(nodes_of(placed), node), std::move(then));
              });
}

void delete_member(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_quorum_queue(view, arguments, "delete members from", done);
  if (queue == nullptr) return;
  const auto node = find_target(view, arguments, done);
  if (!node) return;
  when_placed(view, *queue, arguments, std::move(done),
              [&view, node = node->id](const cluster::Queue& placed, Done then) {
                if (!placed.has_member_on(node)) return answer_nothing(then);
                std::vector<NodeId> left = without(nodes_of(placed), node);
                if (left.empty()) return fail(then, Exit::unavailable, "Cannot delete the last member of a queue");
                place(view, placed, std::move(left), std::move(then));
              });
}

/// A classic queue has one member: add_member makes a quorum queue of it by itself, delete_member does not undo that.
void set_queue_type(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_movable_queue(view, arguments, done);
  if (queue == nullptr) return;
  const std::string type = text_of(arguments, "type");
  if (type != "classic" && type != "quorum") return fail(done, Exit::usage, "the type must be one of: classic, quorum");
  const bool is_classic = type == "classic";
  if (is_classic && nodes_of(*queue).size() > 1) {
    return fail(done, Exit::unavailable, "A queue with several members cannot be classic: delete all but one");
  }
  submit(view, cluster::SetQueueType{.id = queue->id, .type = is_classic ? QueueType::classic : QueueType::quorum},
         std::move(done));
}

void grow(BrokerView& view, const Arguments& arguments, Done done) {
  const auto node = find_target(view, arguments, done);
  if (!node) return;
  const std::string strategy = text_of(arguments, "strategy");
  if (strategy != "all" && strategy != "even") {
    return fail(done, Exit::usage, "the strategy must be one of: all, even");
  }
  if (!allow_membership(arguments, done) || !require_running(view, *node, done)) return;
  const auto patterns = read_patterns(arguments, done);
  if (!patterns) return;
  std::vector<cluster::PlaceQueue> placements;
  const bool classic_too = is_set(arguments, "classic");
  const auto is_wanted = [&](const cluster::Queue& queue) {
    const bool is_right_type = queue.type == QueueType::quorum || (classic_too && cluster::may_be_quorum(queue));
    const bool is_right_size = strategy == "all" || queue.members.size() % 2 == 0;
    return is_right_type && is_right_size && !queue.has_member_on(node->id) && patterns->match(queue);
  };
  for (const cluster::QueuePtr& queue : queues_that(view, is_wanted)) {
    placements.push_back({.id = queue->id, .nodes = with(nodes_of(*queue), node->id)});
  }
  place_all(view, std::move(placements), arguments, std::move(done));
}

void shrink(BrokerView& view, const Arguments& arguments, Done done) {
  const auto node = find_target(view, arguments, done);
  if (!node) return;
  std::vector<cluster::PlaceQueue> placements;
  const auto is_wanted = [&](const cluster::Queue& queue) {
    const std::vector<NodeId> nodes = nodes_of(queue);
    const bool is_leaving = nodes.size() == 1 && nodes.front() != node->id;
    return queue.type == QueueType::quorum && queue.has_member_on(node->id) && !is_leaving;
  };
  for (const cluster::QueuePtr& queue : queues_that(view, is_wanted)) {
    placements.push_back({.id = queue->id, .nodes = without(nodes_of(*queue), node->id)});
  }
  place_all(view, std::move(placements), arguments, std::move(done));
}

void transfer_leadership(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_quorum_queue(view, arguments, "transfer leadership of", done);
  if (queue == nullptr) return;
  const auto node = find_target(view, arguments, done);
  if (!node) return;
  if (node->drained) {  // it would hand the leadership on at once
    return fail(done, Exit::unavailable, fmt::format("node {} is in maintenance mode: revive it first", node->name));
  }
  view.transfer_leadership(queue->id, node->id, [done = std::move(done)](const Result<void>& result) mutable {
    if (!result) return fail(done, Exit::unavailable, result.error().text);
    answer_nothing(done);
  });
}

namespace {

/// The transfers of one rebalance, some at a time.
struct Rebalance : std::enable_shared_from_this<Rebalance> {
  Rebalance(BrokerView& through, LeaderBalance plan, Done then)
      : view(through), balance(std::move(plan)), done(std::move(then)) {}

  /// Answers that come at once find the loop going on: it takes the next move, not they.
  void go_on() {
    if (std::exchange(is_going_on, true)) return;
    while (under_way < kTransfersMax && next < balance.moves.size()) begin(balance.moves[next++]);
    is_going_on = false;
    if (under_way == 0 && next == balance.moves.size()) answer();
  }

  void begin(const LeaderMove& move) {
    const auto to = find_node(view, move.to);
    if (!to) return note_failed(move);
    ++under_way;
    view.transfer_leadership(move.queue, to->id, [self = shared_from_this(), &move](const Result<void>& result) {
      --self->under_way;
      if (!result) self->note_failed(move);
      self->go_on();
    });
  }

  void note_failed(const LeaderMove& move) {
    ++failed;
    --balance.leaders[move.to];
    ++balance.leaders[move.from];
  }

  void answer() {
    if (!done) return;
    json::array rows;
    std::string text = "Node Name\tNumber of quorum queue leaders";
    for (const auto& [node, count] : balance.leaders) {
      rows.push_back(json::object{{"Node Name", node}, {"Number of quorum queue leaders", count}});
      text += fmt::format("\n{}\t{}", node, count);
    }
    if (failed > 0) text += fmt::format("\n{} of {} leaders could not be moved", failed, balance.moves.size());
    std::exchange(done, nullptr)(Answer{.data = std::move(rows), .text = std::move(text)});
  }

  BrokerView& view;
  LeaderBalance balance;
  Done done;
  std::size_t next = 0;
  std::size_t under_way = 0;
  std::size_t failed = 0;
  bool is_going_on = false;
};

}  // namespace

/// Classic queues have one member, which leads: of such, as of streams, none are moved.
void rebalance(BrokerView& view, const Arguments& arguments, Done done) {
  static constexpr std::array<std::string_view, 4> kTypes = {"all", "classic", "quorum", "stream"};
  const std::string type = text_of(arguments, "type");
  if (std::ranges::find(kTypes, type) == kTypes.end()) {
    return fail(done, Exit::usage,
                fmt::format("type {} is not supported. Try one of all, classic, quorum, stream.", type));
  }
  auto patterns = read_patterns(arguments, done);
  if (!patterns) return;
  const bool has_any = type == "all" || type == "quorum";
  view.collect_queues([&view, has_any, patterns = std::move(*patterns),
                       done = std::move(done)](std::vector<http::QueueRow> queues) mutable {
    std::erase_if(queues, [&](const http::QueueRow& row) { return !has_any || !patterns.match(*row.definition); });
    std::vector<std::string> fit;
    view.topology()->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
      if (!node.drained) fit.push_back(node.name);
    });
    std::make_shared<Rebalance>(view, balance_leaders(queues, fit), std::move(done))->go_on();
  });
}

}  // namespace quorate::ctl::run
