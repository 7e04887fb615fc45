// Every bound in the system by name, with what happens there. Nothing in Quorate grows without one of these
// or a configuration key in front of it.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace quorate::limits {

using namespace std::chrono_literals;

// --- AMQP 0-9-1 ---
/// Frames before tune-ok (features.md P018). We accept the 4096 of older clients as well as RabbitMQ's 8192.
inline constexpr std::uint32_t kFrameMinBytes = 4096;
inline constexpr std::uint32_t kInitialFrameMaxBytes = 8192;
/// Largest body that max_message_size may allow (features.md P043): 512 MiB. Beyond it 501.
inline constexpr std::uint64_t kBodySizeMaxBytes = 512ull << 20;
/// Nesting of tables and arrays; deeper is a syntax error, so that a hostile table cannot exhaust the stack.
inline constexpr unsigned kTableDepthMax = 64;
/// Bytes waiting for a client that does not read: beyond it the connection is no longer read.
inline constexpr std::size_t kOutboxMaxBytes = 4u << 20;
/// Bytes a consumer may be sent before the socket has taken them; deliveries stop until it has.
inline constexpr std::uint64_t kDeliveryWindowBytes = 1u << 20;
/// The consumers of a connection share that window, but none gets less than this.
inline constexpr std::uint64_t kDeliveryWindowMinBytes = 64u << 10;
/// What a message weighs in windows and budgets besides its body.
inline constexpr std::uint32_t kMessageOverheadBytes = 64;
/// Bytes published on a connection whose queues have not taken them; beyond it the connection is not read.
inline constexpr std::size_t kPublishInFlightMaxBytes = 8u << 20;
/// A publication to a replicated queue counts so many times there: the acknowledgements of the queue's consumers wait
/// for a majority behind it, and consumers would starve.
inline constexpr std::size_t kReplicatedFlightWeight = 8;
/// Frames that wait behind a pending request of their channel; beyond it the connection is not read.
inline constexpr std::size_t kChannelBacklogMaxBytes = 1u << 20;
/// Changes of the metadata that one channel asks for before the first is answered.
inline constexpr std::size_t kPipelinedChangesMax = 256;
/// Between two looks at how long the deliveries of a connection's channels have been out: so many in the shortest time
/// that one of them may be, within these bounds.
inline constexpr int kChannelTicks = 16;
inline constexpr std::chrono::nanoseconds kChannelTickMin = 250ms;
inline constexpr std::chrono::nanoseconds kChannelTickMax = 60s;
/// After sending connection.close we wait this long for close-ok.
inline constexpr std::chrono::nanoseconds kCloseOkTimeout = 30s;
/// After an error in the handshake the socket stays open this long (SILENT_CLOSE_DELAY, features.md P014).
inline constexpr std::chrono::nanoseconds kSilentCloseDelay = 3s;

// --- queues and their logs ---
/// Commands packed into one log entry; a larger turn makes several entries.
inline constexpr std::size_t kEntryCommandsMax = 32;
inline constexpr std::size_t kEntryPackBytes = 32u << 10;
/// Message bodies that the queues of one shard keep in memory; beyond it they are read back from the log.
inline constexpr std::size_t kBodyCacheShardMaxBytes = 96u << 20;
inline constexpr std::size_t kBodyCacheQueueMaxBytes = 32u << 20;
/// The longest time to live that a queue or a message may be given: ten years.
inline constexpr std::uint64_t kTtlMaxMs = 10ull * 365 * 24 * 3600 * 1000;
/// Between two entries that a queue's leader proposes for the sake of time alone.
inline constexpr std::chrono::nanoseconds kExpiryInterval = 50ms;
/// One read-ahead from the log.
inline constexpr std::size_t kReadAheadBytes = 2u << 20;
/// Bytes handed to the log writer and not yet synced; beyond it publishers are not read.
inline constexpr std::size_t kLogWriterQueueMaxBytes = 64u << 20;
/// A batch of the log writer: what it merges into one write and one sync.
inline constexpr std::size_t kLogBatchMaxBytes = 8u << 20;
/// A snapshot is due when this much log can be given back, or this many entries would have to be replayed.
inline constexpr std::uint64_t kSnapshotReclaimMinBytes = 8u << 20;
inline constexpr std::uint64_t kSnapshotEntriesMax = 200'000;
inline constexpr std::size_t kSnapshotChunkBytes = 1u << 20;

// --- replicated groups ---
/// Log behind a snapshot that a leader keeps for peers that are a little late.
inline constexpr std::uint64_t kKeptEntries = 4096;
/// Snapshots that one shard sends to one node at a time.
inline constexpr std::size_t kSnapshotTransfersMax = 4;
/// What one group applies in one turn; the rest waits for the next.
inline constexpr std::size_t kApplyBudgetBytes = 1u << 20;
/// Messages for groups that this node has not heard of yet; the oldest go first.
inline constexpr std::size_t kEarlyMessagesMax = 4096;
/// Parcels for queues that this shard has not heard of yet, or for one that is not ready; no room: they are sent again.
inline constexpr std::size_t kEarlyParcelsMaxBytes = 8u << 20;
/// Elections that one shard holds at the same time; the others wait a moment.
inline constexpr std::size_t kCampaignsMax = 256;

// --- resource alarms ---
/// Between two looks at memory and disk: the nearer a limit, the sooner the next, as if the rest went this fast.
inline constexpr std::chrono::nanoseconds kAlarmLookMax = 1s;
inline constexpr std::chrono::nanoseconds kAlarmLookMin = 100ms;
inline constexpr std::uint64_t kAlarmApproachBytesPerSecond = 1'000'000'000;

// --- shards ---
/// Handlers that one turn of a shard runs before it looks at its mailbox again.
inline constexpr std::size_t kTurnHandlersMax = 64;
/// What a turn reads from clients, so that one who sends without end does not keep others from what a turn's end brings
/// them: half of what a consumer may have under way.
inline constexpr std::size_t kTurnInputMaxBytes = kDeliveryWindowBytes / 2;
/// Rounds after which a turn ends although there is more to do: sockets, timers and other shards come first.
inline constexpr std::size_t kTurnRoundsMax = 1000;
inline constexpr std::size_t kReadSlabBytes = 128u << 10;

}  // namespace quorate::limits
