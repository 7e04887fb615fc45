// One call that came in: a stream of frames, or a question that waits for its answer. Belongs to reception.cc; it
// deletes itself when gRPC has nothing more to say about it. Threads: the plane's.
#pragma once
#include <grpcpp/generic/async_generic_service.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cluster/plane/reception.h"

namespace quorate::cluster {

class Reception::Call {
 public:
  /// Waits for somebody to come in.
  explicit Call(Reception& reception);

  /// It ends soon, and nothing it has sent is heard from now on.
  void cancel();
  /// The same, and a peer whose stream it is hears that this node stops in order.
  void say_goodbye();
  void answer(const Result<Bytes>& answer);

 private:
  enum class State : std::uint8_t { waiting, greeting, carrying, asking, answering, ending };

  void on_requested(bool ok);
  void on_read(bool ok);
  void on_written(bool /*ok*/) { leave_step(); }
  void on_finished(bool /*ok*/) { leave_step(); }
  /// The call is over: finished by us, or the caller has gone.
  void on_over(bool ok);

  void read_next();
  void begin_carrying(const Bytes& packet);
  void begin_answering(const Bytes& bytes);
  void refuse(const grpc::Status& status, const std::string& who);
  void finish(const grpc::Status& status);
  void leave_step();

  Reception& reception_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer incoming_;
  State state_ = State::waiting;
  int open_steps_ = 0;
  bool is_cancelled_ = false;
  NodeId from_;
  Lane lane_ = Lane::control;
  std::uint64_t question_ = 0;
  Step<Call> requested_{*this, &Call::on_requested};
  Step<Call> read_{*this, &Call::on_read};
  Step<Call> written_{*this, &Call::on_written};
  Step<Call> finished_{*this, &Call::on_finished};
  Step<Call> over_{*this, &Call::on_over};
};

}  // namespace quorate::cluster
