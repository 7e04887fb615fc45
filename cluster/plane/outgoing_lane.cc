#include "cluster/plane/outgoing_lane.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/plane/packets.h"

namespace quorate::cluster {
namespace {

/// What a batch counts for, alone or in a frame with others. Of a large one its sender holds the bytes anyhow; to
/// refuse everything while it is on its way would only bring it again.
std::size_t weight_of(std::size_t bytes) { return std::min(bytes, Plane::kFrameBytes); }

}  // namespace

/// One call to the peer: hello, its acceptance, then frames until it breaks. Reading shows the break.
class OutgoingLane::Stream {
 public:
  Stream(OutgoingLane& lane, const std::shared_ptr<grpc::Channel>& channel, const proto::Hello& hello)
      : lane_(lane), stub_(channel) {
    *hello_.mutable_hello() = hello;
    lane_.dialer_.sign(context_);
    lane_.loop_.enter();
    call_ = stub_.PrepareCall(&context_, kCarryMethod, &lane_.loop_.queue());
    open_steps_ = 1;
    call_->StartCall(started_.tag());
  }

  /// Under the lane's mutex, by any thread; one at a time.
  void write(std::vector<std::byte>&& frame) { call_->Write(buffer_of_frame(std::move(frame)), written_.tag()); }
  void cancel() { context_.TryCancel(); }

 private:
  void on_started(bool ok) {
    if (ok) {
      open_steps_ += 2;
      call_->Write(buffer_of(hello_), greeted_.tag());
      call_->Read(&incoming_, read_.tag());
    } else {
      finish();
    }
    leave_step();
  }
  void on_greeted(bool /*ok*/) {
    is_greeted_ = true;
    if (is_accepted_ && !is_broken_) become_up();
    leave_step();
  }
  void on_read(bool ok) {
    if (!ok) {
      is_broken_ = true;
      if (lane_.on_broken()) {
        ++open_steps_;  // the frame that is being written
        is_frame_lost_ = true;
      }
      finish();
      return leave_step();
    }
    if (!std::exchange(is_accepted_, true) && is_greeted_) become_up();
    call_->Read(&incoming_, read_.tag());
  }
  /// Accepted, and the hello is known to be written: gRPC takes one message at a time.
  void become_up() {
    was_up_ = true;
    lane_.on_accepted();
  }
  void on_written(bool ok) {
    if (is_frame_lost_) return leave_step();
    lane_.on_written(ok);
  }
  void finish() {
    ++open_steps_;
    call_->Finish(&status_, finished_.tag());
  }
  void on_finished(bool /*ok*/) {
    context_.TryCancel();  // whatever is still being written comes back now
    leave_step();
  }
  void leave_step() {
    if (--open_steps_ > 0) return;
    const std::unique_ptr<Stream> self(this);
    lane_.on_end(status_, was_up_);
    lane_.loop_.leave();
  }

  OutgoingLane& lane_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  proto::Packet hello_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  int open_steps_ = 0;  // besides the frame being written, as long as that is the lane's affair
  bool is_greeted_ = false;
  bool is_accepted_ = false;
  bool is_broken_ = false;
  bool was_up_ = false;
  bool is_frame_lost_ = false;
  Step<Stream> started_{*this, &Stream::on_started};
  Step<Stream> greeted_{*this, &Stream::on_greeted};
  Step<Stream> read_{*this, &Stream::on_read};
  Step<Stream> written_{*this, &Stream::on_written};
  Step<Stream> finished_{*this, &Stream::on_finished};
};

OutgoingLane::OutgoingLane(Lane lane, Loop& loop, const Dialer& dialer, LaneOwner& owner)
    : lane_(lane),
      weight_max_(lane == Lane::control ? Plane::kControlLaneBytesMax : Plane::kLaneBytesMax),
      loop_(loop),
      dialer_(dialer),
      owner_(owner) {}

OutgoingLane::~OutgoingLane() { CHECK(stream_ == nullptr); }

bool OutgoingLane::send(std::vector<std::byte>&& batch) {
  const std::lock_guard lock(mutex_);
  if (!is_up_ || weight_ >= weight_max_) return false;
  weight_ += weight_of(batch.size());
  if (frames_.empty() || frames_.back().size() + batch.size() > Plane::kFrameBytes) {
    frames_.push_back(std::move(batch));
  } else {
    frames_.back().insert(frames_.back().end(), batch.begin(), batch.end());
  }
  if (!is_writing_) write_next();
  return true;
}

void OutgoingLane::open(const std::shared_ptr<grpc::Channel>& channel, const proto::Hello& hello) {
  CHECK(stream_ == nullptr);
  stream_ = new Stream(*this, channel, hello);
}

void OutgoingLane::cancel() {
  if (stream_ != nullptr) stream_->cancel();
}

void OutgoingLane::on_accepted() {
  {
    const std::lock_guard lock(mutex_);
    is_up_ = true;
  }
  owner_.on_lane_up(*this);
}

void OutgoingLane::on_written(bool ok) {
  const std::lock_guard lock(mutex_);
  is_writing_ = false;
  weight_ -= std::exchange(writing_weight_, 0);
  if (ok && !frames_.empty()) write_next();
}

bool OutgoingLane::on_broken() {
  const std::lock_guard lock(mutex_);
  is_up_ = false;
  frames_.clear();
  weight_ = writing_weight_ = 0;
  return std::exchange(is_writing_, false);
}

void OutgoingLane::on_end(const grpc::Status& status, bool was_up) {
  stream_ = nullptr;
  owner_.on_lane_end(*this, status, was_up);
}

void OutgoingLane::write_next() {
  is_writing_ = true;
  writing_weight_ = weight_of(frames_.front().size());
  stream_->write(std::move(frames_.front()));
  frames_.pop_front();
}

}  // namespace quorate::cluster
