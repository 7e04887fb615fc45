// Ledger: what clients know of their messages, and what must follow from it. Every publication has a number that stands
// in its body. A client that lives keeps what it holds and what it has settled: nobody else may get it.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/nodes/connection.h"
#include "tests/sim/nodes/queue_plan.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

using ConnectionPtr = std::shared_ptr<Connection>;
using MessageId = std::uint64_t;

/// What a message brings along.
struct Content {
  std::string_view body;
  std::optional<std::int64_t> delivery_count;  // x-delivery-count
};

class Ledger {
 public:
  explicit Ledger(Stage& stage) : stage_(stage) {}

  /// A publication is on its way; `sender` is a channel, which publishes in order.
  MessageId publish(const std::string& queue, std::uint64_t sender, const std::string& where);
  std::string body_of(MessageId id, std::size_t size) const;
  /// It belongs to a transaction: nobody may see it before it is released.
  void withhold(MessageId id) { messages_.at(id).fate = Fate::withheld; }
  void release(MessageId id) { messages_.at(id).fate = Fate::unknown; }
  void confirmed(MessageId id);
  void refused(MessageId id, const QueuePlan& queue);

  /// Throws a violation when it should not have come.
  MessageId delivered(const ConnectionPtr& to, const QueuePlan& queue, const Content& content, bool redelivered);
  void acknowledged(MessageId id, const ConnectionPtr& by);
  void given_back(MessageId id);
  /// A consumer of the queue has ended before its connection.
  void cancelled(const std::string& queue) { only_consumer_[queue] = 0; }

  /// The queue is empty: everything that was confirmed has been settled by somebody, or may have been dropped.
  void check_nothing_lost(const QueuePlan& queue) const;

 private:
  enum class Fate : std::uint8_t { unknown, withheld, confirmed, refused };
  struct Message {
    std::string queue;
    std::uint64_t sender = 0;
    Fate fate = Fate::unknown;
    unsigned deliveries = 0;
    bool was_settled = false;         // by somebody who may have gone before the queue heard of it
    std::int64_t delivery_count = 0;  // as it was told last
    ConnectionPtr holder;             // has it, and has not settled it
    ConnectionPtr receiver;           // got it last
    ConnectionPtr settler;            // has said that it is done
    std::string where;
  };

  void check_may_come(MessageId id, const QueuePlan& queue, const Connection& to) const;
  void check_redelivered(MessageId id, const QueuePlan& queue, const Connection& to, const Content& content,
                         bool redelivered);
  void check_order(MessageId id, const QueuePlan& queue, const Connection& to, bool redelivered);
  [[noreturn]] void wrong(MessageId id, const Connection& to, const std::string& what) const;
  bool is_lost(const Message& message, const QueuePlan& queue) const;

  /// By connection and sender: the newest that came for the first time.
  std::map<std::pair<std::uint64_t, std::uint64_t>, MessageId> newest_;
  /// By queue: the connection that has got all its messages so far; 0: there are others.
  std::map<std::string, std::uint64_t> only_consumer_;

  Stage& stage_;
  std::vector<Message> messages_ = std::vector<Message>(1);
};

}  // namespace quorate::sim::nodes
