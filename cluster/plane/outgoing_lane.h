// One lane to one peer, the sending side: the frames that wait, and the stream that carries them. While one frame is
// being written the next one grows. Threads: send() is anybody's, the rest belongs to the plane's thread; the mutex
// covers what both touch.
#pragma once
#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "cluster/plane/dialer.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/plane.h"
#include "proto/plane.pb.h"

namespace quorate::cluster {

class OutgoingLane;

/// Hears how a lane's stream fares, on the plane's thread.
class LaneOwner {
 public:
  virtual ~LaneOwner() = default;
  virtual void on_lane_up(OutgoingLane& lane) = 0;
  /// The stream has ended and nothing is left of it; `was_up`: the peer had accepted it.
  virtual void on_lane_end(OutgoingLane& lane, const grpc::Status& status, bool was_up) = 0;
};

class OutgoingLane {
 public:
  OutgoingLane(Lane lane, Loop& loop, const Dialer& dialer, LaneOwner& owner);
  ~OutgoingLane();

  /// See Plane::send().
  bool send(std::vector<std::byte>&& batch);

  // The plane's thread.
  Lane lane() const { return lane_; }
  bool has_stream() const { return stream_ != nullptr; }
  void open(const std::shared_ptr<grpc::Channel>& channel, const proto::Hello& hello);
  /// on_lane_end() follows, if there is a stream.
  void cancel();

 private:
  class Stream;
  void on_accepted();
  void on_written(bool ok);
  /// No frame is begun on the stream any more. Returns whether one is still being written.
  bool on_broken();
  void on_end(const grpc::Status& status, bool was_up);
  void write_next();

  const Lane lane_;
  const std::size_t weight_max_;
  Loop& loop_;
  const Dialer& dialer_;
  LaneOwner& owner_;
  Stream* stream_ = nullptr;  // deletes itself when it has ended

  std::mutex mutex_;
  bool is_up_ = false;
  bool is_writing_ = false;
  std::deque<std::vector<std::byte>> frames_;
  std::size_t writing_weight_ = 0;
  std::size_t weight_ = 0;  // of the frames that wait and of the one being written
};

}  // namespace quorate::cluster
