// What is done to queues and connections.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "broker/ctl/commands.h"

namespace quorate::ctl {

const cluster::Queue* find_queue(const http::BrokerView& view, const boost::json::object& arguments, Done& done) {
  const std::string vhost = text_of(arguments, "vhost");
  const std::string name = text_of(arguments, "queue");
  if (view.topology()->find_vhost(vhost) == nullptr) {
    fail(done, Exit::dataerr, fmt::format("Virtual host '{}' does not exist", vhost));
    return nullptr;
  }
  const cluster::Queue* queue = view.topology()->find_queue(vhost, name);
  if (queue == nullptr) fail(done, Exit::dataerr, fmt::format("Queue '{}' does not exist in vhost '{}'", name, vhost));
  return queue;
}

/// Nothing of it is carried out later.
constexpr std::string_view kUnreachable = "The queue cannot be reached: its node is down, or it has no majority";

namespace run {

void delete_queue(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_queue(view, arguments, done);
  if (queue == nullptr) return;
  const http::DeleteQueueOptions options{.if_unused = is_set(arguments, "if-unused"),
                                         .if_empty = is_set(arguments, "if-empty"),
                                         .force = is_set(arguments, "force")};
  if (options.force && (options.if_unused || options.if_empty)) {
    return fail(done, Exit::usage, "--force asks nobody, and so goes without --if-empty and --if-unused");
  }
  view.delete_queue(queue->id, options, [done = std::move(done)](http::QueueAnswer answer) mutable {
    using Outcome = http::QueueOutcome;
    switch (answer.outcome) {
      case Outcome::done:
        if (!answer.is_counted) {
          return done(Answer{.data = nullptr,
                             .text = "Queue was deleted without asking its members: how many messages went with it "
                                     "is not known"});
        }
        return done(
            Answer{.data = answer.messages,
                   .text = fmt::format("Queue was successfully deleted with {} ready messages", answer.messages)});
      case Outcome::not_found:
        return fail(done, Exit::dataerr, "Queue not found");
      case Outcome::unreachable:
        return fail(done, Exit::unavailable, std::string(kUnreachable) + ". --force deletes it all the same");
      case Outcome::in_use:
        return fail(done, Exit::unavailable, "Queue is in use");
      case Outcome::not_empty:
        return fail(done, Exit::unavailable, "Queue is not empty");
    }
  });
}

void purge_queue(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Queue* queue = find_queue(view, arguments, done);
  if (queue == nullptr) return;
  view.purge_queue(queue->id, [done = std::move(done)](http::QueueAnswer answer) mutable {
    if (answer.outcome == http::QueueOutcome::unreachable)
      return fail(done, Exit::unavailable, std::string(kUnreachable));
    if (answer.outcome != http::QueueOutcome::done) return fail(done, Exit::dataerr, "Queue not found");
    done(Answer{.data = answer.messages, .text = ""});
  });
}

void close_connection(BrokerView& view, const Arguments& arguments, Done done) {
  view.close_connections(text_of(arguments, "connection"), text_of(arguments, "reason"),
                         [done = std::move(done)](std::size_t count) mutable {
                           if (count == 0) return fail(done, Exit::dataerr, "no such connection");
                           done(Answer{.data = nullptr, .text = ""});
                         });
}

}  // namespace run
}  // namespace quorate::ctl
