// EntryPacker: the entry of a queue's log in the making. What sessions send in one turn is packed into few entries,
// each of up to limits::kEntryCommandsMax commands or limits::kEntryPackBytes; a large message becomes an entry of its
// own, copied once from where the client's bytes lie. Commands that came in a parcel are preceded by a From, which says
// whose they are and under which numbers. Pure: entries leave through the function it was given.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "broker/queue/commands.h"
#include "broker/queue/mail.h"

namespace quorate::queue {

/// A publication that did not come in a parcel: its sender waits until the entry is safe.
struct Waiting {
  LogIndex entry;          // known once it is submitted
  std::size_t offset = 0;  // of its command in the entry
  SessionId session;
  Taken taken;
};

struct PackedEntry {
  Bytes payload;
  bool has_messages = false;
  bool needs_sync = false;
  std::vector<Waiting>& waiting;  // valid during the call
};

class EntryPacker {
 public:
  using Submit = std::function<void(PackedEntry)>;
  explicit EntryPacker(Submit submit) : submit_(std::move(submit)) {}

  /// The commands until end_parcel() are the session's, numbered from `first`; it has heard the fate of those up to
  /// `heard`. They need a sync: what follows from them is told to another node, which outlives this one's memory.
  void begin_parcel(const SessionId& session, std::uint64_t first, std::uint64_t heard);
  void end_parcel() { sender_.reset(); }

  void append(const SessionId& from, const Publish& publish, bool needs_sync);
  void append(const Command& command);

  /// What was gathered leaves as an entry.
  void seal();
  bool empty() const { return entry_.empty(); }
  /// What was gathered is forgotten, and so is who waits for it.
  void clear();

 private:
  struct Sender {
    SessionId session;
    std::uint64_t next = 0;
    std::uint64_t heard = 0;
  };

  void make_room(std::size_t size);
  void name_sender();
  Bytes encode_alone(const Publish& publish);
  void submit(Bytes payload);

  Submit submit_;
  std::vector<std::byte> entry_;
  std::size_t commands_ = 0;
  bool has_messages_ = false;
  bool needs_sync_ = false;
  std::vector<Waiting> waiting_;
  std::optional<Sender> sender_;        // of the parcel being taken
  std::optional<Sender> entry_sender_;  // what the entry says so far
};

}  // namespace quorate::queue
