// ContentAssembler: one channel's basic.publish, its header and its body frames become one Message.
// Owned by its channel. Pure: frames come in, a publication or an error comes out. Memory follows the bytes that have
// arrived, not the size that was announced.
#pragma once
#include <expected>
#include <optional>
#include <string>

#include "broker/amqp/frame.h"
#include "broker/amqp/methods.h"
#include "broker/amqp/reply.h"
#include "broker/message/message.h"

namespace quorate::amqp {

/// A whole publish. The properties inside `message` are not yet validated: see PropertiesView::parse().
struct Publication {
  Message message;
  bool mandatory = false;
  bool immediate = false;
};

class ContentAssembler {
 public:
  /// True when a method may come next, false between basic.publish and the end of its body.
  bool is_idle() const { return stage_ == Stage::method; }

  /// A basic.publish has arrived; copies what it borrows. Requires is_idle().
  void begin(const BasicPublish& publish);

  /// Every frame of the channel that is not a method taken while idle. Gives the publication when it is whole.
  /// The errors are those of features.md P043, all hard; after one the assembler is of no further use.
  std::expected<std::optional<Publication>, AmqpError> on(const Frame& frame);

 private:
  enum class Stage : std::uint8_t { method, header, body };

  std::expected<std::optional<Publication>, AmqpError> on_header(const Frame& frame);
  std::expected<std::optional<Publication>, AmqpError> on_body(const Frame& frame);
  Publication finish();

  Stage stage_ = Stage::method;
  std::string exchange_;  // of the publish that is under way; kept for their capacity
  std::string routing_key_;
  bool mandatory_ = false;
  bool immediate_ = false;
  MessageBuilder builder_;  // Invariant: holds a message if and only if stage_ is body
};

}  // namespace quorate::amqp
