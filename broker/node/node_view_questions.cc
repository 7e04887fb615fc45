// What nodes ask each other for whoever looks at one of them, and what they answer.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <memory>
#include <utility>

#include "broker/http/json_fields.h"
#include "broker/node/node_view.h"

namespace quorate {
namespace {

namespace json = boost::json;

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

void NodeView::on_question(const Bytes& words, cluster::AnswerFunction reply) {
  const auto question = parse_words(words.view());
  if (!question || !question->is_object()) {
    return reply(failure(ErrorCode::invalid_argument, "the question cannot be read"));
  }
  if (http::text_at(question->get_object(), "what") == "queues") return answer_queues(std::move(reply));
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
  const std::string what = http::text_at(question, "what");
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
    return close_here(http::text_at(question, "name"), http::text_at(question, "reason"),
                      [done = std::move(done)](std::size_t count) mutable { done(json::value(count)); });
  }
  done(failure(ErrorCode::invalid_argument, "no such question: " + what));
}

}  // namespace quorate
