#include "cluster/plane/call.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "cluster/plane/packets.h"
#include "proto/plane.pb.h"

namespace quorate::cluster {
namespace {

/// Of "ipv4:10.0.0.1:53122": one host's many ports share a limit.
std::string host_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

/// Of "ipv4:10.0.0.1:53122", or "ipv6:%5B::1%5D:53122".
std::string address_of(const std::string& peer) {
  std::string address = peer.substr(peer.find(':') + 1);
  constexpr std::pair<std::string_view, char> kEncoded[] = {{"%5B", '['}, {"%5D", ']'}};
  for (const auto& [code, bracket] : kEncoded) {
    const auto at = address.find(code);
    if (at != std::string::npos) address.replace(at, code.size(), 1, bracket);
  }
  return address;
}

}  // namespace

/// The right to answer one question, once. Any thread, also when the plane has gone.
class Reception::Reply {
 public:
  Reply(std::shared_ptr<Loop> loop, Reception& reception, std::uint64_t question)
      : loop_(std::move(loop)), reception_(&reception), question_(question) {}
  Reply(Reply&& other) noexcept = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (loop_ != nullptr) (*this)(failure(ErrorCode::unavailable, "the question was dropped"));
  }

  void operator()(Result<Bytes> answer) {
    const std::shared_ptr<Loop> loop = std::exchange(loop_, nullptr);
    if (loop == nullptr) return;
    // While the loop takes tasks, the reception is there.
    loop->post([reception = reception_, question = question_, answer = std::move(answer)]() mutable {
      reception->answer(question, std::move(answer));
    });
  }

 private:
  std::shared_ptr<Loop> loop_;  // null: answered, or moved from
  Reception* reception_;
  std::uint64_t question_;
};

Reception::Call::Call(Reception& reception) : reception_(reception) {
  reception_.loop_->enter();
  context_.AsyncNotifyWhenDone(over_.tag());
  open_steps_ = 1;
  auto& queue = reception_.loop_->queue();
  reception_.service_.RequestCall(&context_, &stream_, &queue, &queue, requested_.tag());
}

void Reception::Call::cancel() {
  is_cancelled_ = true;
  context_.TryCancel();
}

void Reception::Call::say_goodbye() {
  if (state_ != State::carrying) return cancel();
  is_cancelled_ = true;
  finish(farewell());
}

void Reception::Call::on_requested(bool ok) {
  if (!ok) return leave_step();  // the server shuts down; over_ never comes
  reception_.await_call();
  reception_.calls_.insert(this);
  ++open_steps_;  // over_
  if (reception_.is_closed_) cancel();
  if (!reception_.dialer_.is_signed(context_)) {
    const std::string name = Dialer::caller_name(context_);
    refuse({grpc::StatusCode::UNAUTHENTICATED, "wrong cluster secret"}, name.empty() ? host_of(context_.peer()) : name);
  } else if (context_.method() == kCarryMethod) {
    state_ = State::greeting;
    read_next();
  } else if (context_.method() == kAskMethod && reception_.questions_.size() < kQuestionsMax) {
    state_ = State::asking;
    read_next();
  } else if (context_.method() == kAskMethod) {
    finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many questions at one time"});
  } else {
    finish({grpc::StatusCode::UNIMPLEMENTED, "unknown method"});
  }
  leave_step();
}

void Reception::Call::read_next() {
  ++open_steps_;
  stream_.Read(&incoming_, read_.tag());
}

void Reception::Call::on_read(bool ok) {
  if (!ok || is_cancelled_) {
    finish(grpc::Status::CANCELLED);
    return leave_step();
  }
  const Bytes bytes = bytes_of(incoming_);
  incoming_.Clear();
  if (state_ == State::greeting) {
    begin_carrying(bytes);
  } else if (state_ == State::asking) {
    begin_answering(bytes);
  } else if (auto frame = frame_of(bytes)) {
    read_next();
    reception_.client_.on_frame(from_, lane_, std::move(*frame));
  } else {
    finish({grpc::StatusCode::INVALID_ARGUMENT, "a packet is not a frame"});
  }
  leave_step();
}

void Reception::Call::begin_carrying(const Bytes& packet) {
  const auto greeting = greeting_of(packet);
  if (!greeting) {
    return refuse({grpc::StatusCode::INVALID_ARGUMENT, "the first packet is not a hello"}, host_of(context_.peer()));
  }
  const grpc::Status verdict = reception_.judge(*greeting);
  if (!verdict.ok()) {
    return refuse(verdict, fmt::format("{} ({})", greeting->identity.node_name, greeting->identity.node.value()));
  }
  from_ = greeting->identity.node;
  lane_ = greeting->lane;
  state_ = State::carrying;
  reception_.make_newest(*greeting, *this);
  log::debug(log::Category::cluster, "stream.accepted node={} lane={} address={}", from_.value(),
             static_cast<int>(lane_), context_.peer());
  ++open_steps_;
  stream_.Write(buffer_of(proto::Accepted()), written_.tag());
  read_next();
}

void Reception::Call::begin_answering(const Bytes& bytes) {
  proto::Question question;
  if (!question.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return finish({grpc::StatusCode::INVALID_ARGUMENT, "this is not a question"});
  }
  state_ = State::answering;
  question_ = ++reception_.question_count_;
  reception_.questions_.emplace(question_, this);
  reception_.client_.on_question(question.kind(), Bytes::copy_of(question.question()), address_of(context_.peer()),
                                 Reply(reception_.loop_, reception_, question_));
}

void Reception::Call::answer(const Result<Bytes>& answer) {
  if (state_ != State::answering) return;
  proto::Answer words;
  if (answer) {
    words.set_answer(std::string(answer->text()));
  } else {
    words.mutable_refusal()->set_code(static_cast<std::uint32_t>(answer.error().code));
    words.mutable_refusal()->set_text(answer.error().text);
  }
  state_ = State::ending;
  ++open_steps_;
  stream_.WriteAndFinish(buffer_of(words), grpc::WriteOptions(), grpc::Status::OK, finished_.tag());
}

void Reception::Call::refuse(const grpc::Status& status, const std::string& who) {
  const bool is_news = status.error_code() != grpc::StatusCode::UNAVAILABLE && reception_.log_limit_.allows(who);
  if (is_news) {
    log::warn(log::Category::cluster, "peer.refused peer=\"{}\" address={} reason=\"{}\"", who,
              address_of(context_.peer()), status.error_message());
  }
  finish(status);
}

void Reception::Call::finish(const grpc::Status& status) {
  if (std::exchange(state_, State::ending) == State::ending) return;
  ++open_steps_;
  stream_.Finish(status, finished_.tag());
}

void Reception::Call::on_over(bool /*ok*/) {
  if (state_ == State::answering) finish(grpc::Status::CANCELLED);  // nobody waits for the answer
  leave_step();
}

void Reception::Call::leave_step() {
  if (--open_steps_ > 0) return;
  const std::unique_ptr<Call> self(this);
  const auto newest = reception_.newest_.find({from_, lane_});
  if (newest != reception_.newest_.end() && newest->second.call == this) newest->second.call = nullptr;
  reception_.questions_.erase(question_);
  reception_.calls_.erase(this);
  reception_.loop_->leave();
}

}  // namespace quorate::cluster
