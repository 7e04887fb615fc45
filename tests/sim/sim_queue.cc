#include "tests/sim/sim_queue.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/crc32c.h"
#include "base/overloaded.h"
#include "broker/queue/commands.h"

namespace quorate::sim {

std::uint32_t SimQueue::checksum_of(const queue::QueueMachine& machine) {
  return crc32c(0, machine.serialize().view());
}

bool SimQueue::propose(Proposal proposal) {
  if (!leading_ || owner_.is_dying()) return false;
  const auto position = owner_.propose(group_, proposal.payload);
  if (!position) {
    stage_.seen(Seen::proposal_refused);
    return false;
  }
  remember(position->index, std::move(proposal.payload));
  if (!proposal.publications.empty()) waiting_.push_back({*position, std::move(proposal.publications)});
  return true;
}

void SimQueue::remember(LogIndex index, Bytes payload) {
  cache_.insert_or_assign(index, std::move(payload));
  while (cache_.size() > stage_.options.workload.cached_bodies) cache_.erase(cache_.begin());
}

std::string SimQueue::describe() const { return fmt::format("queue {} on node {}", group_.value(), node_.value()); }

Result<void> SimQueue::restore(ByteView state) {
  auto machine = queue::QueueMachine::deserialize(state);
  if (!machine) return std::unexpected(machine.error());
  machine_ = std::move(*machine);
  effects_.clear();
  if (!owner_.is_dying()) owner_.on_restored(*this);
  return {};
}

Result<void> SimQueue::apply(const raft::Entry& entry, cluster::ApplyMode mode) {
  auto applied = machine_.apply(entry.index, entry.ts, entry.payload.view(), effects_);
  if (!applied) return applied;
  queue::Effects effects = std::exchange(effects_, {});
  if (owner_.is_dying()) return {};
  owner_.on_applied(*this, entry);
  if (mode != cluster::ApplyMode::live || !leading_) return {};
  for (const queue::Effect& effect : effects) carry_out(effect);
  return {};
}

void SimQueue::on_leader() {
  leading_ = true;
  stage_.tell([&] { return fmt::format("{}: leads", describe()); });
}

void SimQueue::on_follower() {
  leading_ = false;
  stage_.tell([&] { return fmt::format("{}: leads no more", describe()); });
  for (const Waiting& waiting : std::exchange(waiting_, {})) {
    if (!owner_.is_dying()) audience_.on_unknown(waiting.publications);
  }
  cache_.clear();
}

void SimQueue::on_committed(LogIndex index) {
  while (!waiting_.empty() && waiting_.front().position.index <= index) {
    const Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    if (owner_.is_dying()) continue;
    audience_.on_confirmed(group_, node_, waiting.publications, waiting.position, owner_.is_alone(group_));
  }
}

void SimQueue::on_machine_version(std::uint32_t version) {
  stage_.seen(Seen::version_switched);
  stage_.tell([&] { return fmt::format("{}: machine version {}", describe(), version); });
}

// --- effects ---

void SimQueue::carry_out(const queue::Effect& effect) {
  namespace effect_of = queue::effect;
  if (const auto* delivery = std::get_if<effect_of::Deliver>(&effect)) return deliver(*delivery);
  audience_.on_effect(group_, node_, effect);
  if (const auto* got = std::get_if<effect_of::GetOk>(&effect)) deliver(got->delivery);
}

void SimQueue::deliver(const queue::effect::Deliver& delivery) {
  const auto cached = cache_.find(delivery.message.position.index());
  if (cached == cache_.end()) return read_and_deliver(delivery);
  const Bytes body = queue::message_at(cached->second, delivery.message.position.offset());
  audience_.on_delivery(group_, node_, delivery, body);
}

void SimQueue::read_and_deliver(const queue::effect::Deliver& delivery) {
  stage_.seen(Seen::body_read_back);
  const LogIndex index = delivery.message.position.index();
  owner_.read(group_, index, [this, alive = alive_, delivery, index](const Bytes* payload) {
    if (!*alive || !leading_ || owner_.is_dying()) return;
    if (payload != nullptr) {
      const Bytes body = queue::message_at(*payload, delivery.message.position.offset());
      return audience_.on_delivery(group_, node_, delivery, body);
    }
    // The body of a message that is gone may be gone as well.
    if (!machine_.is_live(index)) return;
    stage_.schedule.after(std::chrono::milliseconds(200), [this, alive, delivery] {
      if (*alive && leading_ && !owner_.is_dying()) read_and_deliver(delivery);
    });
  });
}

}  // namespace quorate::sim
