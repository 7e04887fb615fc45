#include "cluster/plane/ask_once.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "cluster/plane/dialer.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/packets.h"

namespace quorate::cluster {
namespace {

/// Waits until the one call of this queue has ended.
void wait_for_end(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

}  // namespace

Result<Bytes> ask_once(const PlaneOptions& options, const Seed& node, std::string kind, const Bytes& question,
                       Duration timeout) {
  Dialer dialer(options);
  if (auto loaded = dialer.load(); !loaded) return std::unexpected(loaded.error());
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(dialer.dial(node.host, node.port));
  grpc::ClientContext context;
  dialer.sign(context);
  context.set_deadline(deadline_in(timeout));
  const auto call = stub.PrepareUnaryCall(&context, kAskMethod, buffer_of_question(std::move(kind), question), &queue);
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->StartCall();
  call->Finish(&answer, &status, &status);
  wait_for_end(queue);
  auto heard = answer_of(status, answer);
  if (!status.ok()) heard.error().text.insert(0, print_address(node.host, node.port) + ": ");
  return heard;
}

}  // namespace quorate::cluster
