// What a replica remembers of snapshots on their way: as leader one for each peer that needs one, as follower at most
// one. The receiver asks for each part, and asks again when nothing comes, so a lost message costs time only.
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "cluster/transport.h"
#include "storage/group_storage.h"

namespace quorate::cluster {

/// Silence of the other side after which a transfer is given up.
inline constexpr Duration kSnapshotSilenceMax = std::chrono::seconds(10);
/// So long a transfer keeps the log from forgetting what it sends.
inline constexpr Duration kSnapshotPinMax = std::chrono::minutes(10);
inline constexpr Duration kSnapshotAskAgain = std::chrono::milliseconds(500);

struct SnapshotSending {
  std::uint64_t serial = 0;  // of this attempt
  Term term;
  std::optional<storage::Snapshot> snapshot;  // once it has been read
  bool reading = false;
  Instant begun_at{};
  Instant offer_at{};    // again, until the peer answers
  Instant give_up_at{};  // unless the peer asks for something
  bool answered = false;
  bool carefully = false;  // range by range: something between them cannot be read
};

struct SnapshotReceiving {
  SnapshotOffer offer;
  LogIndex entries_after;        // live entries up to here are staged or were here before
  std::vector<std::byte> state;  // so far
  Instant ask_at{};
  Instant give_up_at{};
  bool staging_begun = false;  // the staging group exists on disk
};

}  // namespace quorate::cluster
