// Plane: carries batches of bytes between this process and the other nodes of its cluster, and questions to any
// address, over gRPC.
//
// For each peer there are three lanes, each a stream of its own, so that votes do not wait behind data; bulk has its
// own connection. Batches that are sent while a frame is on its way gather in the next one. A lane that breaks loses
// what it held, says so (on_connection) and is dialled again at short intervals.
//
// Promise: within one lane from one node, batches arrive in the order they were sent, each at most once, whole.
// Some may be missing where a stream broke, but after a frame of a newer stream none of an older one is ever delivered.
// Every stream names the sender's epoch and a number that grows; so the epoch must grow with every Plane that speaks
// for a node.
//
// Threads: one, which waits for gRPC and makes every upcall; upcalls must not block. Functions say who may call them.
// Stop order: stop() before anything that upcalls use is destroyed.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/plane/plane_options.h"

namespace quorate::cluster {

enum class Lane : std::uint8_t { control, data, bulk };
inline constexpr std::size_t kLaneCount = 3;

/// Who a node says it is, when it opens a stream.
struct Identity {
  std::uint64_t cluster_id = 0;
  NodeId node;
  std::string node_name;
  std::string directory_id;
  Epoch epoch;
  std::uint32_t protocol = 0;
  std::uint32_t machine_version = 0;
  bool operator==(const Identity&) const = default;
};

struct PeerAddress {
  NodeId node;
  std::string name;  // "rabbit@n2", for the log
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const PeerAddress&) const = default;
};

using AnswerFunction = std::move_only_function<void(Result<Bytes>)>;

/// Called on the plane's thread.
class PlaneClient {
 public:
  virtual ~PlaneClient() = default;
  /// Refuses a stranger: another cluster, a reused data directory, another version. The text goes back to the peer and
  /// into both logs. ErrorCode::not_found: it was taken out of the cluster.
  virtual Result<void> judge(const Identity& peer) = 0;
  virtual void on_frame(NodeId from, Lane lane, Bytes frame) = 0;
  /// Our own stream to the peer. Down: what send() took lately may be lost; it is told before the lane comes up again.
  virtual void on_connection(NodeId peer, Lane lane, bool up) = 0;
  /// Why a stream to the peer did not come about or broke, as often as that is another reason than before.
  /// ErrorCode::not_found: the peer says that this node was taken out of the cluster.
  virtual void on_trouble(NodeId peer, const Error& why) = 0;
  /// `from`: "10.0.0.1:53122". `answer` may be called later, once, from any thread, also when the plane has gone;
  /// dropping it is an answer too.
  virtual void on_question(std::string_view kind, Bytes question, const std::string& from, AnswerFunction answer) = 0;
};

class Loop;
class Dialer;
class Reception;
class Outbound;
class Inquiries;

class Plane {
 public:
  /// Bytes that a lane holds before send() refuses more; a batch larger than a frame counts as kFrameBytes.
  static constexpr std::size_t kLaneBytesMax = 32u << 20;
  static constexpr std::size_t kControlLaneBytesMax = 4u << 20;
  /// Batches share a frame up to here; a larger one has a frame of its own.
  static constexpr std::size_t kFrameBytes = 1u << 20;

  /// `clock` and `client` outlive the plane.
  Plane(PlaneOptions options, const Clock& clock, PlaneClient& client);
  ~Plane();
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;

  /// Listens. Until an identity is set, streams are neither opened nor accepted, but questions are answered.
  Result<void> start();
  /// Not on the plane's thread. No upcall comes after it.
  void stop();
  std::uint16_t port() const;

  /// Any thread. Another identity than before begins all streams anew.
  void set_identity(Identity identity);
  /// Any thread. Opens streams to these and closes those to others; a node's address may change.
  void set_peers(std::vector<PeerAddress> peers);
  /// Any thread, the one that sends often included: it may write to the socket itself. False, and the batch is dropped:
  /// the lane is not connected, or holds more than its limit. One batch may be larger than the limit.
  bool send(NodeId to, Lane lane, std::vector<std::byte>&& batch);
  /// Any thread. `done` is called once on the plane's thread; if the plane has stopped, at once.
  void ask(const std::string& host, std::uint16_t port, std::string kind, Bytes question, Duration timeout,
           AnswerFunction done);

 private:
  const PlaneOptions options_;
  const std::shared_ptr<Loop> loop_;  // an answer that comes too late still finds it
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<Reception> reception_;
  std::unique_ptr<Outbound> outbound_;
  std::unique_ptr<Inquiries> inquiries_;
  bool is_running_ = false;
};

}  // namespace quorate::cluster
