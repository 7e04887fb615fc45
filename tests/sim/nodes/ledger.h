// Ledger: what clients know of their messages, and what must follow from it. Every publication has a number that stands
// in its body. A client that lives keeps what it holds and what it has settled: nobody else may get it.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/nodes/connection.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

using ConnectionPtr = std::shared_ptr<Connection>;
using MessageId = std::uint64_t;

class Ledger {
 public:
  explicit Ledger(Stage& stage) : stage_(stage) {}

  /// A publication is on its way; `sender` is a channel, which publishes in order.
  MessageId publish(const std::string& queue, std::uint64_t sender, const std::string& where);
  std::string body_of(MessageId id, std::size_t size) const;
  void confirmed(MessageId id);
  void refused(MessageId id) { messages_.at(id).fate = Fate::refused; }

  /// Throws a violation when it should not have come.
  MessageId delivered(const ConnectionPtr& to, const std::string& queue, std::string_view body, bool redelivered);
  void acknowledged(MessageId id, const ConnectionPtr& by);
  void given_back(MessageId id);
  /// A consumer of the queue has ended before its connection.
  void cancelled(const std::string& queue) { only_consumer_[queue] = 0; }

  /// Of `queue` everything that was confirmed has been seen by somebody.
  void check_nothing_lost(const std::string& queue) const;
  std::size_t size() const { return messages_.size(); }

 private:
  enum class Fate : std::uint8_t { unknown, confirmed, refused };
  struct Message {
    std::string queue;
    std::uint64_t sender = 0;
    Fate fate = Fate::unknown;
    unsigned deliveries = 0;
    unsigned returns = 0;
    ConnectionPtr holder;   // has it, and has not settled it
    ConnectionPtr settler;  // has said that it is done
    std::string where;
  };
  /// By connection and sender: the newest that came for the first time.
  std::map<std::pair<std::uint64_t, std::uint64_t>, MessageId> newest_;
  /// By queue: the connection that has got all its messages so far; 0: there are others.
  std::map<std::string, std::uint64_t> only_consumer_;

  Stage& stage_;
  std::vector<Message> messages_ = std::vector<Message>(1);
};

}  // namespace quorate::sim::nodes
