// What other nodes have opened to us: their streams, of which the newest counts, and their questions.
// A caller is asked for the secret before anything it sends is read. Threads: the plane's, unless a function says
// otherwise.
#pragma once
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cluster/plane/dialer.h"
#include "cluster/plane/log_limit.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/packets.h"
#include "cluster/plane/plane.h"

namespace quorate::cluster {

class Reception {
 public:
  Reception(std::shared_ptr<Loop> loop, const Dialer& dialer, const PlaneOptions& options, const Clock& clock,
            PlaneClient& client);
  ~Reception();

  /// The owner's thread: listens and starts the loop.
  Result<void> start();
  std::uint16_t port() const { return port_; }

  void set_identity(const Identity& identity);
  /// Everything that is open ends; the client hears nothing more.
  void close();
  /// The owner's thread, after close(): nobody comes in any more.
  void shut_down();

 private:
  class Call;
  class Reply;
  struct Newest {
    Epoch epoch;
    std::uint64_t stream = 0;
    Call* call = nullptr;  // as long as it is open
  };
  static constexpr std::size_t kQuestionsMax = 1024;  // at one time
  /// For what was said last to reach peers that listen.
  static constexpr Duration kGoodbyeMax = std::chrono::milliseconds(200);

  void await_call();
  /// What is wrong with a stream that begins so.
  grpc::Status judge(const Greeting& greeting);
  void make_newest(const Greeting& greeting, Call& call);
  void answer(std::uint64_t question, Result<Bytes> answer);

  const std::shared_ptr<Loop> loop_;
  const Dialer& dialer_;
  const PlaneOptions& options_;
  PlaneClient& client_;
  LogLimit log_limit_;
  std::uint16_t port_ = 0;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<Identity> identity_;
  bool is_closed_ = false;

  std::set<Call*> calls_;  // that have come in; each deletes itself
  std::map<std::pair<NodeId, Lane>, Newest> newest_;
  std::map<std::uint64_t, Call*> questions_;
  std::uint64_t question_count_ = 0;
};

}  // namespace quorate::cluster
