// The fields of messages between nodes, written and read (docs/formats/plane.md): one function for each type that a
// field may have, at both ends. Which fields a message has is said in wire.cc, which alone uses this.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/cursor.h"
#include "base/ids.h"
#include "base/time.h"
#include "cluster/transport.h"
#include "raft/configuration.h"
#include "storage/log_format.h"

namespace quorate::cluster {

inline constexpr std::uint64_t kPlacementMax = (std::uint64_t{1} << raft::kPlacementBits) - 1;

inline std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1) ^ (difference >> 63 != 0 ? ~0ull : 0);
}
inline std::uint64_t unzigzag(std::uint64_t value) { return (value >> 1) ^ ((value & 1) != 0 ? ~0ull : 0); }
inline std::uint64_t milliseconds(WallTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

/// Appends fields in the order of the grammar. Always true, so that a row of fields reads the same both ways.
class WireWriter {
 public:
  static constexpr bool kReads = false;
  explicit WireWriter(std::vector<std::byte>& out) : out_(out) {}

  template <class... Fields>
  bool operator()(const Fields&... fields) {
    (field(fields), ...);
    return true;
  }
  bool entries(raft::LogPosition before, const std::vector<raft::Entry>& entries) {
    out_.write_varint(entries.size());
    std::uint64_t ts = 0;
    for (const raft::Entry& entry : entries) {
      CHECK_GT(entry.index, before.index);
      CHECK_GE(entry.term, before.term);
      out_.write_varint(entry.index.value() - before.index.value() - 1);
      out_.write_varint(entry.term.value() - before.term.value());
      out_.write(static_cast<std::uint8_t>(entry.type));
      out_.write_varint(zigzag(milliseconds(entry.ts) - std::exchange(ts, milliseconds(entry.ts))));
      out_.write_sized(entry.payload.view());
      before = {.index = entry.index, .term = entry.term};
    }
    return true;
  }

 private:
  void field(bool value) { out_.write(std::uint8_t{value}); }
  void field(std::uint32_t value) { out_.write_varint(value); }
  void field(std::uint64_t value) { out_.write_varint(value); }
  void field(SteadyAudit::Kind kind) { out_.write(static_cast<std::uint8_t>(kind)); }
  template <class Tag, class Int>
  void field(StrongId<Tag, Int> id) {
    out_.write_varint(id.value());
  }
  void field(raft::ReplicaId replica) {
    out_.write_varint(raft::node_of(replica).value());
    out_.write_varint(replica.value() & kPlacementMax);
  }
  void field(WallTime time) { out_.write_varint(zigzag(milliseconds(time))); }
  void field(const raft::LogPosition& position) { (*this)(position.index, position.term); }
  void field(const Bytes& bytes) { out_.write_sized(bytes.view()); }
  void field(const raft::Configuration& configuration) { storage::write_configuration(out_, configuration); }
  template <class A, class B>
  void field(const std::pair<A, B>& pair) {
    (*this)(pair.first, pair.second);
  }
  template <class T>
  void field(const std::vector<T>& values) {
    out_.write_varint(values.size());
    for (const T& value : values) field(value);
  }
  void field(const storage::LiveSet& set) {
    (*this)(set.snapshot);
    out_.write_varint(set.live.size());
    std::uint64_t after = 0;
    for (const auto& [first, last] : set.live) {
      CHECK_GT(first.value(), after);
      CHECK_GE(last, first);
      out_.write_varint(first.value() - after - 1);
      out_.write_varint(last.value() - first.value());
      after = last.value();
    }
  }

  ByteWriter out_;
};

/// The same fields back. False as soon as something is wrong, and from then on.
class WireReader {
 public:
  static constexpr bool kReads = true;
  /// Payloads become slices of `whole`.
  explicit WireReader(const Bytes& whole) : whole_(whole), in_(whole.view()) {}

  template <class... Fields>
  bool operator()(Fields&... fields) {
    return (field(fields) && ...);
  }
  bool entries(raft::LogPosition before, std::vector<raft::Entry>& entries) {
    std::uint64_t count = 0;
    if (!in_.read_varint(count)) return false;
    std::uint64_t ts = 0;
    for (; count > 0; --count) {
      raft::Entry entry;
      std::uint64_t gap = 0;
      std::uint64_t step = 0;
      std::uint8_t type = 0;
      std::uint64_t change = 0;
      if (!in_.read_varint(gap) || !in_.read_varint(step) || !in_.read(type) || !in_.read_varint(change)) return false;
      if (!field(entry.payload)) return false;
      const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - before.index.value();
      if (gap >= room || step > std::numeric_limits<std::uint64_t>::max() - before.term.value()) return in_.fail();
      if (type > static_cast<std::uint8_t>(raft::EntryType::config)) return in_.fail();
      entry.index = before.index.plus(gap + 1);
      entry.term = before.term.plus(step);
      entry.type = static_cast<raft::EntryType>(type);
      ts += unzigzag(change);
      entry.ts = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(ts)));
      if (entry.type == raft::EntryType::config && !raft::decode_configuration(entry.payload.view())) {
        return in_.fail();
      }
      before = {.index = entry.index, .term = entry.term};
      entries.push_back(std::move(entry));
    }
    return true;
  }
  bool byte(std::uint8_t& value) { return in_.read(value); }
  bool done() const { return in_.done(); }
  bool fail() { return in_.fail(); }

 private:
  template <class Int>
  bool number(Int& value) {
    std::uint64_t wide = 0;
    if (!in_.read_varint(wide) || wide > std::numeric_limits<Int>::max()) return in_.fail();
    value = static_cast<Int>(wide);
    return true;
  }
  bool field(bool& value) {
    std::uint8_t octet = 0;
    if (!in_.read(octet) || octet > 1) return in_.fail();
    value = octet == 1;
    return true;
  }
  bool field(std::uint32_t& value) { return number(value); }
  bool field(std::uint64_t& value) { return number(value); }
  bool field(SteadyAudit::Kind& kind) {
    std::uint8_t octet = 0;
    if (!in_.read(octet) || octet > static_cast<std::uint8_t>(SteadyAudit::Kind::not_led)) return in_.fail();
    kind = static_cast<SteadyAudit::Kind>(octet);
    return true;
  }
  template <class Tag, class Int>
  bool field(StrongId<Tag, Int>& id) {
    Int value = 0;
    if (!number(value)) return false;
    id = StrongId<Tag, Int>(value);
    return true;
  }
  bool field(raft::ReplicaId& replica) {
    std::uint16_t node = 0;
    std::uint64_t placement = 0;
    if (!number(node) || !number(placement) || placement > kPlacementMax) return in_.fail();
    replica = raft::replica_on(NodeId(node), placement);
    return true;
  }
  bool field(WallTime& time) {
    std::uint64_t value = 0;
    if (!number(value)) return false;
    time = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(unzigzag(value))));
    return true;
  }
  bool field(raft::LogPosition& position) { return (*this)(position.index, position.term); }
  bool field(Bytes& bytes) {
    ByteView view;
    if (!in_.read_sized(view)) return false;
    if (!view.empty()) bytes = whole_.slice(static_cast<std::size_t>(view.data() - whole_.data()), view.size());
    return true;
  }
  bool field(raft::Configuration& configuration) { return storage::read_configuration(in_, configuration); }
  template <class A, class B>
  bool field(std::pair<A, B>& pair) {
    return (*this)(pair.first, pair.second);
  }
  template <class T>
  bool field(std::vector<T>& values) {
    std::uint64_t count = 0;
    if (!in_.read_varint(count)) return false;
    for (; count > 0; --count) {
      T value{};
      if (!field(value)) return false;
      values.push_back(std::move(value));
    }
    return true;
  }
  bool field(storage::LiveSet& set) {
    std::uint64_t count = 0;
    if (!(*this)(set.snapshot) || !in_.read_varint(count)) return false;
    std::uint64_t after = 0;
    for (; count > 0; --count) {
      std::uint64_t gap = 0;
      std::uint64_t more = 0;
      if (!in_.read_varint(gap) || !in_.read_varint(more)) return false;
      if (gap >= std::numeric_limits<std::uint64_t>::max() - after) return in_.fail();
      const std::uint64_t first = after + gap + 1;
      if (more > std::numeric_limits<std::uint64_t>::max() - first) return in_.fail();
      after = first + more;
      set.live.emplace_back(first, after);
    }
    return true;
  }

  const Bytes& whole_;
  ByteReader in_;
};

}  // namespace quorate::cluster
