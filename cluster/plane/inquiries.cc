#include "cluster/plane/inquiries.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "cluster/plane/packets.h"

namespace quorate::cluster {
std::unexpected<Error> plane_stops() { return failure(ErrorCode::unavailable, "this node stops"); }

class Inquiries::Inquiry {
 public:
  Inquiry(Inquiries& owner, const std::shared_ptr<grpc::Channel>& channel, const grpc::ByteBuffer& question,
          Duration timeout, AnswerFunction done)
      : owner_(owner), stub_(channel), done_(std::move(done)) {
    owner_.loop_.enter();
    owner_.open_.insert(this);
    owner_.dialer_.sign(context_);
    context_.set_deadline(deadline_in(timeout));
    call_ = stub_.PrepareUnaryCall(&context_, kAskMethod, question, &owner_.loop_.queue());
    call_->StartCall();
    call_->Finish(&answer_, &status_, finished_.tag());
  }
  void cancel() { context_.TryCancel(); }

 private:
  void on_finished(bool /*ok*/) {
    const std::unique_ptr<Inquiry> self(this);
    owner_.open_.erase(this);
    done_(result());
    owner_.loop_.leave();
  }

  Result<Bytes> result() const {
    if (!status_.ok() && owner_.is_closed_) return plane_stops();
    return answer_of(status_, answer_);
  }

  Inquiries& owner_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> call_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  AnswerFunction done_;
  Step<Inquiry> finished_{*this, &Inquiry::on_finished};
};

void Inquiries::ask(const std::string& host, std::uint16_t port, std::string kind, const Bytes& question,
                    Duration timeout, AnswerFunction done) {
  if (is_closed_) return done(plane_stops());
  const std::string address = print_address(host, port);
  if (channels_.size() >= kChannelsMax && !channels_.contains(address)) channels_.clear();
  auto& channel = channels_[address];
  if (channel == nullptr) channel = dialer_.dial(host, port);
  new Inquiry(*this, channel, buffer_of_question(std::move(kind), question), timeout, std::move(done));
}

void Inquiries::close() {
  is_closed_ = true;
  channels_.clear();
  for (Inquiry* inquiry : open_) inquiry->cancel();
}

}  // namespace quorate::cluster
