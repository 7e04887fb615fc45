#include "cluster/metadata/transient.h"

namespace quorate::cluster {
namespace {

bool is_transient_queue(const Queue* queue) { return queue != nullptr && !queue->durable; }
bool is_transient_exchange(const Exchange* exchange) { return exchange != nullptr && !exchange->durable; }

/// It goes with either end.
bool is_transient_binding(const Topology& now, const Binding& binding) {
  if (is_transient_exchange(now.find_exchange(binding.vhost, binding.source))) return true;
  return binding.kind == Destination::Kind::queue
             ? is_transient_queue(now.find_queue(binding.vhost, binding.destination))
             : is_transient_exchange(now.find_exchange(binding.vhost, binding.destination));
}

bool has_transient_queues_only(const Topology& now, const Owner& owner) {
  const auto* owned = now.queues_by_owner.find(owner_key(owner));
  bool all = true;
  if (owned == nullptr) return all;
  owned->for_each([&](std::uint64_t, const QueuePtr& queue) { all = all && !queue->durable; });
  return all;
}

class Judge {
 public:
  explicit Judge(const Topology& now) : now_(now) {}
  bool operator()(const DeclareExchange& command) const { return !command.exchange.durable; }
  bool operator()(const DeleteExchange& command) const {
    return is_transient_exchange(now_.find_exchange(command.vhost, command.name));
  }
  bool operator()(const DeclareQueue& command) const { return !command.queue.durable; }
  bool operator()(const DeleteQueue& command) const { return is_transient_queue(now_.find_queue(command.id)); }
  bool operator()(const Bind& command) const { return is_transient_binding(now_, command.binding); }
  bool operator()(const Unbind& command) const { return is_transient_binding(now_, command.binding); }
  bool operator()(const ConnectionClosed& command) const { return has_transient_queues_only(now_, command.owner); }
  bool operator()(const auto&) const { return false; }

 private:
  const Topology& now_;
};

}  // namespace

bool is_transient(const Topology& now, const MetadataCommand& command) { return std::visit(Judge(now), command); }

}  // namespace quorate::cluster
