// Questions to other nodes, by address: one unary call each, over connections kept for the next one.
// Threads: the plane's only.
#pragma once
#include <grpcpp/channel.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cluster/plane/dialer.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/plane.h"

namespace quorate::cluster {

class Inquiries {
 public:
  Inquiries(Loop& loop, const Dialer& dialer) : loop_(loop), dialer_(dialer) {}

  void ask(const std::string& host, std::uint16_t port, std::string kind, const Bytes& question, Duration timeout,
           AnswerFunction done);
  /// Those under way fail, and so does each that comes.
  void close();

 private:
  class Inquiry;
  static constexpr std::size_t kChannelsMax = 64;

  Loop& loop_;
  const Dialer& dialer_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;  // by address
  std::set<Inquiry*> open_;                                         // each deletes itself
  bool is_closed_ = false;
};

/// What an inquiry ends with when the plane stops.
std::unexpected<Error> plane_stops();

}  // namespace quorate::cluster
