// Our streams to the other nodes: who is to be reached where, and when to dial again.
// Threads: send() is anybody's; the rest is the plane's thread's.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "base/random.h"
#include "cluster/plane/dialer.h"
#include "cluster/plane/log_limit.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/plane.h"
#include "proto/plane.pb.h"

namespace quorate::cluster {

class Outbound {
 public:
  Outbound(Loop& loop, const Dialer& dialer, const Clock& clock, PlaneClient& client);
  ~Outbound();

  bool send(NodeId to, Lane lane, std::vector<std::byte>&& batch);

  void set_identity(const Identity& identity);
  void set_peers(const std::vector<PeerAddress>& peers);
  /// All streams end; none is opened again, and the client hears nothing more.
  void close();

 private:
  class Peer;
  proto::Hello next_hello(NodeId to, Lane lane);
  bool is_wanted(const Peer& peer) const;

  Loop& loop_;
  const Dialer& dialer_;
  PlaneClient& client_;
  LogLimit log_limit_;
  Random random_ = Random::from_system();
  std::optional<Identity> identity_;
  std::uint64_t streams_ = 0;
  bool is_closed_ = false;

  /// Grows only, by the plane's thread: a stream that ends late still finds its peer. As many as there were nodes.
  std::map<NodeId, std::unique_ptr<Peer>> peers_;
  std::shared_mutex mutex_;
};

}  // namespace quorate::cluster
