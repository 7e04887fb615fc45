#include "broker/queue/entry_packer.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::queue {
namespace {

/// A message this large becomes an entry of its own.
constexpr std::size_t kAloneBytes = limits::kEntryPackBytes / 2;

Enqueue to_command(const Publish& publish) {
  return {.persistent = publish.persistent,
          .has_priority = publish.has_priority,
          .priority = publish.priority,
          .ttl_ms = publish.ttl_ms,
          .body_size = publish.body_size,
          .message = publish.message.encoded().view()};
}

}  // namespace

void EntryPacker::begin_parcel(const SessionId& session, std::uint64_t first, std::uint64_t heard) {
  sender_ = {.session = session, .next = first, .heard = heard};
}

void EntryPacker::append(const SessionId& from, const Publish& publish, bool needs_sync) {
  const std::size_t size = publish.message.encoded().size();
  const bool is_alone = size >= kAloneBytes;
  if (is_alone) {
    seal();
  } else {
    make_room(size);
  }
  has_messages_ = true;
  needs_sync_ |= needs_sync;
  name_sender();
  if (!sender_) {
    waiting_.push_back(
        {.offset = entry_.size(), .session = from, .taken = {.seq = publish.seq, .bytes = flight_bytes(publish)}});
  }
  if (is_alone) return submit(encode_alone(publish));
  encode_command(to_command(publish), entry_);
  ++commands_;
}

void EntryPacker::append(const Command& command) {
  make_room(0);
  name_sender();
  encode_command(command, entry_);
  ++commands_;
}

void EntryPacker::make_room(std::size_t size) {
  const bool is_full = commands_ >= limits::kEntryCommandsMax || entry_.size() + size > limits::kEntryPackBytes;
  if (is_full) seal();
}

/// The command that follows is the sender's next.
void EntryPacker::name_sender() {
  if (!sender_) {
    if (entry_sender_) encode_command(Command(From{}), entry_);
    entry_sender_.reset();
    return;
  }
  const bool continues =
      entry_sender_ && entry_sender_->session == sender_->session && entry_sender_->next == sender_->next;
  if (!continues) {
    encode_command(Command(From{.session = sender_->session, .first = sender_->next, .heard = sender_->heard}), entry_);
  }
  ++sender_->next;
  entry_sender_ = sender_;
  needs_sync_ = true;
}

/// The command around the message, then the message, in one allocation of the right size.
Bytes EntryPacker::encode_alone(const Publish& publish) {
  Enqueue command = to_command(publish);
  const ByteView message = command.message;
  encode_command_head(command, entry_);
  Bytes payload = Bytes::allocate(entry_.size() + message.size());
  std::memcpy(payload.mutable_data(), entry_.data(), entry_.size());
  std::memcpy(payload.mutable_data() + entry_.size(), message.data(), message.size());
  return payload;
}

void EntryPacker::seal() {
  if (!entry_.empty()) submit(Bytes::copy_of(entry_));
}

void EntryPacker::submit(Bytes payload) {
  entry_.clear();
  commands_ = 0;
  entry_sender_.reset();
  submit_({.payload = std::move(payload),
           .has_messages = std::exchange(has_messages_, false),
           .needs_sync = std::exchange(needs_sync_, false),
           .waiting = waiting_});
  waiting_.clear();
}

void EntryPacker::clear() {
  entry_.clear();
  commands_ = 0;
  has_messages_ = needs_sync_ = false;
  waiting_.clear();
  sender_.reset();
  entry_sender_.reset();
}

}  // namespace quorate::queue
