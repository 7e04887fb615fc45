// StrongId: an integer that names one kind of thing and cannot be passed where another kind is meant.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace quorate {

template <class Tag, class Int>
class StrongId {
 public:
  using Integer = Int;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Int value) : value_(value) {}
  constexpr Int value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;
  constexpr StrongId& operator++() {
    ++value_;
    return *this;
  }
  /// The id that follows by `n`; ids of logs and sequences are counted, the others never use this.
  constexpr StrongId plus(Int n) const { return StrongId(static_cast<Int>(value_ + n)); }

 private:
  Int value_ = 0;
};

using NodeId = StrongId<struct NodeTag, std::uint32_t>;
using ShardId = StrongId<struct ShardTag, std::uint32_t>;
/// A Raft group. A queue's group id follows from the index of its declaration in the metadata log, so it is never used
/// twice.
using GroupId = StrongId<struct GroupTag, std::uint64_t>;
using Term = StrongId<struct TermTag, std::uint64_t>;
using LogIndex = StrongId<struct LogIndexTag, std::uint64_t>;
/// Counts the starts of a node; whatever an older epoch owned is known to be gone.
using Epoch = StrongId<struct EpochTag, std::uint32_t>;
using ConnectionId = StrongId<struct ConnectionTag, std::uint64_t>;
using ChannelId = StrongId<struct ChannelTag, std::uint16_t>;
using DeliveryTag = StrongId<struct DeliveryTagTag, std::uint64_t>;
/// Number of a publication on a channel in confirm mode, from 1: what basic.ack tells the publisher.
using PublishSeq = StrongId<struct PublishSeqTag, std::uint64_t>;

inline constexpr GroupId kMetadataGroup{1};

}  // namespace quorate

template <class Tag, class Int>
struct std::hash<quorate::StrongId<Tag, Int>> {
  std::size_t operator()(quorate::StrongId<Tag, Int> id) const { return std::hash<Int>{}(id.value()); }
};
