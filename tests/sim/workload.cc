#include "tests/sim/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/sim/node.h"

namespace quorate::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kDeepQueue = 120;
constexpr std::uint32_t kFirstClientNode = 100;
constexpr std::uint32_t kClientNodes = 3;

}  // namespace

void Workload::begin(GroupId group) {
  const WorkloadOptions& options = stage_.options.workload;
  for (unsigned i = 0; i < options.publishers; ++i) publish_for_ever(group);
  for (unsigned i = 0; i < options.consumers; ++i) consume_for_ever(group);
  do_odd_jobs(group);
}

/// Four seconds of every twelve, so that groups fall asleep.
bool Workload::is_quiet() const {
  if (stopped_) return true;
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(stage_.schedule.now().time_since_epoch()).count();
  return stage_.options.workload.quiet_spells && second % 12 >= 8;
}

Proposal Workload::of(const queue::Command& command) {
  std::vector<std::byte> bytes;
  queue::encode_command(command, bytes);
  return {.payload = Bytes::copy_of(bytes)};
}

Proposal Workload::publications(unsigned count) {
  Proposal proposal;
  std::vector<std::byte> bytes;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint64_t number = ++last_publication_;
    std::vector<std::byte> body(
        std::max<std::uint64_t>(sizeof number, random_.below(stage_.options.workload.body_max_bytes + 1)));
    std::memcpy(body.data(), &number, sizeof number);
    queue::encode_command(queue::Enqueue{.persistent = !draw_chance(random_, stage_.options.workload.transient),
                                         .body_size = static_cast<std::uint32_t>(body.size()),
                                         .message = body},
                          bytes);
    proposal.publications.push_back(number);
  }
  proposal.payload = Bytes::copy_of(bytes);
  return proposal;
}

void Workload::call(GroupId group, Proposal proposal, unsigned attempts) {
  if (attempts == 0) return;
  const auto known = leaders_.find(group);
  const NodeId node = known != leaders_.end() ? known->second : draw_one(random_, nodes_);
  stage_.schedule.after(draw(1ms), [this, group, node, attempts, proposal = std::move(proposal)]() mutable {
    const auto again = [this, group, attempts](Proposal rest) {
      leaders_.erase(group);
      stage_.schedule.after(draw(150ms), [this, group, attempts, rest = std::move(rest)]() mutable {
        call(group, std::move(rest), attempts - 1);
      });
    };
    Process* process = process_of_(node);
    if (process == nullptr) return again(std::move(proposal));
    process->post([this, group, node, again, process, proposal = std::move(proposal)]() mutable {
      SimQueue* queue = process->queue(group);
      if (queue == nullptr || !queue->is_leading() || process->is_dying()) return again(std::move(proposal));
      leaders_[group] = node;
      const std::vector<std::uint64_t> numbers = proposal.publications;
      if (!queue->propose(proposal)) return again(std::move(proposal));
    });
  });
}

// --- publishers ---

void Workload::publish_for_ever(GroupId group) {
  stage_.schedule.after(draw(stage_.options.workload.publish_gap), [this, group] {
    if (stopped_) return;
    if (!is_quiet()) {
      const auto count = static_cast<unsigned>(draw_between(random_, 1, stage_.options.workload.pack_max));
      stage_.coverage.add(Seen::published, count);
      const auto leader = leaders_.find(group);
      Process* process = leader == leaders_.end() ? nullptr : process_of_(leader->second);
      SimQueue* queue = process == nullptr ? nullptr : process->queue(group);
      const bool is_deep = queue != nullptr && queue->machine().ready_count() > kDeepQueue;
      call(group, is_deep ? of(queue::Purge{.session = new_session()}) : publications(count));
    }
    publish_for_ever(group);
  });
}

void Workload::probe(GroupId group) {
  if (is_probe_confirmed(group)) return;
  Proposal proposal = publications(1);
  probes_[group].insert(proposal.publications.front());
  call(group, std::move(proposal), 3);
}

void Workload::on_confirmed(GroupId group, NodeId node, const std::vector<std::uint64_t>& publications,
                            const raft::LogPosition& position, bool is_alone) {
  stage_.coverage.add(is_alone ? Seen::confirmed_in_group_of_one : Seen::confirmed, publications.size());
  const Process* process = process_of_(node);
  checkers_.on_confirmed(group, publications, position, process == nullptr ? nullptr : process->core(group));
  for (const std::uint64_t number : publications) {
    if (probes_[group].contains(number)) confirmed_probes_.insert(group);
  }
}

void Workload::on_unknown(const std::vector<std::uint64_t>& publications) {
  stage_.coverage.add(Seen::publication_unknown, publications.size());
}

// --- consumers ---

queue::SessionId Workload::new_session() {
  const auto client = static_cast<std::uint32_t>(kFirstClientNode + random_.below(kClientNodes));
  return {.node = NodeId(client), .epoch = Epoch(client_epochs_[client]), .serial = ++last_session_};
}

void Workload::consume_for_ever(GroupId group) {
  stage_.schedule.after(draw(500ms), [this, group] {
    if (stopped_) return;
    auto consumer = std::make_shared<Consumer>();
    consumer->group = group;
    consumer->key = {.session = new_session(), .link = 1};
    consumer->no_ack = draw_chance(random_, 0.15);
    consumer->needs_credit = draw_chance(random_, 0.2);
    consumers_[consumer->key] = consumer;
    attach(consumer);
    stage_.schedule.after(draw(6s), [this, consumer, group] {
      consumers_.erase(consumer->key);
      if (draw_chance(random_, 0.2)) {
        stage_.seen(Seen::cancelled);
        call(group, of(queue::Cancel{.consumer = consumer->key}));
      }
      stage_.seen(Seen::session_down);
      call(group, of(queue::Down{.session = consumer->key.session}), 30);
      consume_for_ever(group);
    });
  });
}

void Workload::attach(const ConsumerPtr& consumer) {
  call(consumer->group, of(queue::Attach{.consumer = consumer->key,
                                         .no_ack = consumer->no_ack,
                                         .priority = static_cast<std::int32_t>(random_.below(2)),
                                         .prefetch = static_cast<std::uint32_t>(random_.below(12)),
                                         .window = consumer->needs_credit ? 500u : 1u << 30}));
}

void Workload::on_delivery(GroupId group, NodeId node, const queue::effect::Deliver& delivery, const Bytes& body) {
  const Process* process = process_of_(node);
  checkers_.on_delivery(group, delivery, publication_of(body.view()),
                        process != nullptr && process->may_be_ahead(group, delivery.message.position.index()));
  stage_.seen(delivery.message.redelivered ? Seen::redelivered : Seen::delivered);
  const auto known = consumers_.find(delivery.consumer);
  if (delivery.consumer.link == queue::kGetLink) {
    if (!delivery.settled) {
      auto getter = std::make_shared<Consumer>(Consumer{.group = group, .key = delivery.consumer});
      stage_.schedule.after(draw(50ms), [this, getter, id = delivery.id] { answer(getter, id); });
    }
    return;
  }
  if (known == consumers_.end()) return;
  const ConsumerPtr consumer = known->second;
  stage_.schedule.after(draw(50ms), [this, consumer, id = delivery.id, size = body.size()] {
    if (consumer->needs_credit) {
      call(consumer->group, of(queue::Credit{.consumer = consumer->key, .bytes = size + 64}));
    }
    if (!consumer->no_ack) answer(consumer, id);
  });
}

void Workload::answer(const ConsumerPtr& consumer, std::uint64_t id) {
  const std::vector<queue::IdRange> ids = {{.first = draw_chance(random_, 0.1) ? 1 : id, .last = id}};
  const double what = draw_unit(random_);
  if (what < 0.75) {
    stage_.seen(Seen::settled);
    call(consumer->group, of(queue::Settle{.consumer = consumer->key, .ids = ids}));
  } else if (what < 0.88) {
    stage_.seen(Seen::returned);
    const auto reason = draw_chance(random_, 0.5) ? queue::ReturnReason::requeued : queue::ReturnReason::unseen;
    call(consumer->group, of(queue::Return{.consumer = consumer->key, .reason = reason, .ids = ids}));
  } else if (what < 0.95) {
    stage_.seen(Seen::discarded);
    call(consumer->group, of(queue::Discard{.consumer = consumer->key, .ids = ids}));
  }
}

void Workload::on_effect(GroupId, NodeId, const queue::Effect& effect) {
  if (std::holds_alternative<queue::effect::Purged>(effect)) stage_.seen(Seen::purged);
  if (std::holds_alternative<queue::effect::GetOk>(effect)) stage_.seen(Seen::got);
}

// --- the others ---

void Workload::do_odd_jobs(GroupId group) {
  stage_.schedule.after(draw(2s), [this, group] {
    if (stopped_) return;
    const double what = draw_unit(random_);
    if (what < 0.45 || is_quiet()) {
      read(group);
    } else if (what < 0.8) {
      call(group, of(queue::Get{.session = new_session(), .no_ack = draw_chance(random_, 0.3)}));
    } else if (what < 0.9) {
      call(group, of(queue::Purge{.session = new_session()}));
    } else {
      const auto client = static_cast<std::uint32_t>(kFirstClientNode + random_.below(kClientNodes));
      const Epoch epoch(++client_epochs_[client]);
      stage_.seen(Seen::node_up);
      call(group, of(queue::NodeUp{.node = NodeId(client), .epoch = epoch, .after_crash = draw_chance(random_, 0.5)}));
    }
    do_odd_jobs(group);
  });
}

void Workload::read(GroupId group) {
  Process* process = process_of_(draw_one(random_, nodes_));
  if (process == nullptr || is_quiet()) return;
  process->post([this, group, process] {
    if (process->is_dying() || process->core(group) == nullptr) return;
    const LogIndex floor = checkers_.ghost(group).commit();
    process->host().read_index(group, [this, group, floor, process](std::optional<LogIndex> index) {
      stage_.seen(index ? Seen::read_answered : Seen::read_refused);
      if (index && !process->is_dying()) checkers_.on_read(group, floor, *index);
    });
  });
}

}  // namespace quorate::sim
