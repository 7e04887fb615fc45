#include "cluster/plane/reception.h"

#include <fmt/format.h>
#include <grpcpp/server_builder.h>

#include "base/check.h"
#include "base/log.h"
#include "cluster/plane/call.h"
#include "cluster/plane/listen_error.h"

namespace quorate::cluster {

Reception::Reception(std::shared_ptr<Loop> loop, const Dialer& dialer, const PlaneOptions& options, const Clock& clock,
                     PlaneClient& client)
    : loop_(std::move(loop)), dialer_(dialer), options_(options), client_(client), log_limit_(clock) {}

Reception::~Reception() { CHECK(calls_.empty()); }

Result<void> Reception::start() {
  grpc::ServerBuilder builder;
  Dialer::set_server_arguments(builder);
  builder.RegisterAsyncGenericService(&service_);
  int port = 0;
  const std::string address = print_address(options_.listen_host, options_.port);
  builder.AddListeningPort(address, dialer_.server_credentials(), &port);
  auto queue = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    if (server_ != nullptr) server_->Shutdown();
    queue->Shutdown();
    void* tag = nullptr;
    for (bool ok = false; queue->Next(&tag, &ok);) {
    }
    return failure(ErrorCode::io, fmt::format("the cluster listener cannot be opened on {}: {}", address,
                                              listen_error(options_.listen_host, options_.port)));
  }
  port_ = static_cast<std::uint16_t>(port);
  loop_->start(std::move(queue));
  CHECK(loop_->post([this] { await_call(); }));
  return {};
}

void Reception::set_identity(const Identity& identity) {
  if (identity_ == identity) return;
  identity_ = identity;
  for (const auto& [key, newest] : newest_) {
    if (newest.call != nullptr) newest.call->cancel();
  }
}

void Reception::close() {
  is_closed_ = true;
  for (Call* call : calls_) call->say_goodbye();
}

void Reception::shut_down() { server_->Shutdown(deadline_in(kGoodbyeMax)); }

void Reception::await_call() { new Call(*this); }

grpc::Status Reception::judge(const Greeting& greeting) {
  if (!identity_) return {grpc::StatusCode::UNAVAILABLE, "it does not belong to a cluster yet"};
  const Identity& peer = greeting.identity;
  if (greeting.to != identity_->node) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            fmt::format("node {} was called, and {} ({}) was reached", greeting.to.value(), identity_->node_name,
                        identity_->node.value())};
  }
  if (const auto verdict = client_.judge(peer); !verdict) {
    const bool was_forgotten = verdict.error().code == ErrorCode::not_found;
    return {was_forgotten ? grpc::StatusCode::NOT_FOUND : grpc::StatusCode::FAILED_PRECONDITION, verdict.error().text};
  }
  const auto known = newest_.find({peer.node, greeting.lane});
  if (known != newest_.end() &&
      std::pair(peer.epoch, greeting.stream) <= std::pair(known->second.epoch, known->second.stream)) {
    return {grpc::StatusCode::ABORTED, "there is a newer stream from this node"};
  }
  return grpc::Status::OK;
}

void Reception::make_newest(const Greeting& greeting, Call& call) {
  Newest& newest = newest_[{greeting.identity.node, greeting.lane}];
  if (newest.call != nullptr) newest.call->cancel();
  newest = {.epoch = greeting.identity.epoch, .stream = greeting.stream, .call = &call};
}

void Reception::answer(std::uint64_t question, Result<Bytes> answer) {
  const auto found = questions_.find(question);
  if (found != questions_.end()) found->second->answer(answer);
}

}  // namespace quorate::cluster
