// Random entries of a queue's log: every kind of command, many that fit what the machine did and some that no broker
// would send. Equal seeds give equal entries with every compiler, as long as the machine does the same.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/random.h"
#include "broker/queue/queue_machine.h"
#include "tests/base/environment.h"

namespace quorate::queue {

struct LogEntry {
  LogIndex index;
  WallTime ts{};
  std::vector<std::byte> payload;
};

class RandomCommands {
 public:
  /// The queue fills to about `backlog` messages; a deeper one is emptied less often.
  explicit RandomCommands(std::uint64_t seed, std::uint64_t backlog = kShallow) : random_(seed), backlog_(backlog) {}

  /// What comes next in the log of `machine`.
  LogEntry next(const QueueMachine& machine) {
    index_ = index_.plus(1 + below(2));  // other groups' business and noops lie between
    if (!one_in(4)) ts_ += std::chrono::milliseconds(one_in(50) ? below(1'000) : below(20));
    LogEntry entry{.index = index_, .ts = one_in(50) ? ts_ - std::chrono::seconds(1) : ts_};
    if (one_in(3)) begin_run(entry);
    for (std::uint64_t count = 1 + below(5); count > 0; --count) {
      add(command(machine), entry);
      if (one_in(20)) begin_run(entry);
    }
    if (one_in(60)) all_leave(machine, entry);
    return entry;
  }
  /// What the machine did with it: later commands are about the messages that were handed out lately.
  void note(const Effects& effects) {
    for (const Effect& effect : effects) {
      if (const auto* delivery = std::get_if<effect::Deliver>(&effect)) note(*delivery);
      if (const auto* reply = std::get_if<effect::GetOk>(&effect)) note(reply->delivery);
      if (const auto* heard = std::get_if<effect::Through>(&effect)) through_[heard->session] = heard->number;
      if (const auto* lost = std::get_if<effect::Forgotten>(&effect)) through_.erase(lost->session);
    }
  }

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  /// In all entries so far.
  std::uint64_t commands() const { return commands_; }

 private:
  static constexpr std::uint64_t kShallow = 40;
  static constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  static constexpr char kBody[5'000] = {};

  struct HandedOut {
    ConsumerKey consumer;
    std::uint64_t id = 0;
  };

  void add(const Command& command, LogEntry& entry) {
    encode_command(command, entry.payload);
    ++commands_;
  }
  void note(const effect::Deliver& delivery) {
    lately_[deliveries_++ % lately_.size()] = {.consumer = delivery.consumer, .id = delivery.id};
  }
  bool one_in(std::uint64_t count) { return below(count) == 0; }

  // --- who ---
  std::size_t node() { return static_cast<std::size_t>(below(epochs_.size())); }
  static NodeId id_of(std::size_t node) { return NodeId(1 + static_cast<std::uint32_t>(node)); }
  Epoch epoch_of(std::size_t node) {
    const Epoch epoch = epochs_[node];
    return one_in(16) ? Epoch(epoch.value() - 1) : epoch;  // late: the node has started again since
  }
  SessionId session() {
    const std::size_t at = node();
    return {.node = id_of(at), .epoch = epoch_of(at), .serial = one_in(64) ? kMost : 1 + below(3)};
  }
  ConsumerKey consumer() {
    return {.session = session(), .link = one_in(64) ? UINT32_MAX : 1 + static_cast<std::uint32_t>(below(3))};
  }
  /// Known or unknown, attached or a getter.
  ConsumerKey anybody() { return {.session = session(), .link = static_cast<std::uint32_t>(below(4))}; }
  HandedOut one_handed_out() {
    if (one_in(4)) return {.consumer = anybody(), .id = below(60)};
    return lately_[below(lately_.size())];
  }

  // --- what ---
  /// Mostly what the queue waits for, at times an echo or a gap.
  void begin_run(LogEntry& entry) {
    const SessionId sender = session();
    const auto at = through_.find(sender);
    const std::uint64_t heard = at == through_.end() ? 0 : at->second;
    std::uint64_t first = heard + 1;
    if (one_in(5)) first -= std::min(first, below(6));
    if (one_in(12)) first += below(3);
    if (one_in(40)) first = one_in(2) ? kNumberMax : 1;
    add(From{.session = sender, .first = first, .heard = heard - std::min(heard, below(3))}, entry);
  }
  IdRange range_around(std::uint64_t id) {
    switch (below(16)) {
      case 0:
        return {.first = 0, .last = one_in(2) ? kMost : 0};
      case 1:
        return {.first = kMost - below(2), .last = kMost};
      case 2:
        return {.first = id + 1'000'000, .last = id + 2'000'000};
      case 3:
        return {.first = id - std::min(id, below(40)), .last = id + below(40)};
      default:
        return {.first = id, .last = id + below(3)};
    }
  }
  /// None to three of them, which may overlap or repeat each other.
  std::vector<IdRange> ids_around(std::uint64_t id) {
    std::vector<IdRange> ranges;
    for (std::uint64_t count = one_in(16) ? 0 : 1 + below(3); count > 0; --count) {
      ranges.push_back(range_around(id));
      if (!one_in(4)) id += below(6);
    }
    return ranges;
  }
  template <class AboutMessages>
  AboutMessages about_messages() {
    const HandedOut one = one_handed_out();
    AboutMessages command;
    command.consumer = one.consumer;
    command.ids = ids_around(one.id);
    return command;
  }
  Command returned() {
    auto command = about_messages<Return>();
    command.reason = static_cast<ReturnReason>(below(4));
    return command;
  }
  std::optional<std::uint64_t> ttl() {
    if (!one_in(3)) return std::nullopt;
    if (one_in(20)) return kMost;
    return one_in(10) ? 0 : below(300);
  }
  Command enqueue() {
    const std::uint64_t size = one_in(50) ? sizeof(kBody) : below(50);
    return Enqueue{.persistent = !one_in(3),
                   .has_priority = one_in(2),
                   .priority = static_cast<std::uint8_t>(one_in(50) ? 255 : below(4)),
                   .ttl_ms = ttl(),
                   .body_size = static_cast<std::uint32_t>(below(size + 1)),
                   .message = as_bytes({kBody, static_cast<std::size_t>(size)})};
  }
  std::int32_t priority() {
    if (one_in(20)) return one_in(2) ? INT32_MIN : INT32_MAX;
    return static_cast<std::int32_t>(below(3)) - 1;
  }
  Command attach() {
    return Attach{.consumer = consumer(),
                  .no_ack = one_in(4),
                  .exclusive = one_in(10),
                  .priority = priority(),
                  .prefetch = one_in(10) ? UINT32_MAX : static_cast<std::uint32_t>(below(5)),
                  .window = one_in(20) ? kMost - below(2) : below(2'000)};
  }
  Command node_up() {
    const std::size_t at = node();
    if (!one_in(4)) ++epochs_[at];  // else it says so again
    return NodeUp{.node = id_of(at), .epoch = epoch_of(at), .after_crash = one_in(3), .keeps_transient = one_in(4)};
  }

  Command settings() {
    Configure command{.quorum = one_in(2), .holds_all = one_in(4)};
    if (one_in(2)) command.priority_max = command.quorum ? kQuorumPriorityMax : static_cast<std::uint8_t>(below(3));
    if (one_in(20)) command.priority_max = 255;
    if (one_in(2)) command.delivery_limit = static_cast<std::uint32_t>(below(4));
    command.single_active_consumer = one_in(3);
    if (one_in(4)) command.max_length = below(backlog_);
    if (one_in(4)) command.max_length_bytes = below(backlog_ * 20);
    if (one_in(2)) command.overflow = Overflow::reject_publish;
    if (one_in(3)) command.message_ttl_ms = ttl();
    if (one_in(3)) command.expires_ms = below(1'000);
    if (one_in(3)) {
      command.delayed_retry = {.failed = one_in(2), .returned = true, .min_ms = below(50), .max_ms = below(200)};
      if (command.delayed_retry.failed) command.delayed_retry.returned = one_in(2);
    }
    return command;
  }
  Command suspicion() {
    const std::size_t at = node();
    switch (below(8)) {
      case 0:
        return SessionsGone{.node = id_of(at), .below = epoch_of(at).plus(1), .expired = true};
      case 1:
        return SessionsGone{.node = id_of(at), .below = epoch_of(at), .expired = one_in(2)};
      case 2:
      case 3:
      case 4:
        return NodeSuspected{.node = id_of(at), .epoch = epoch_of(at)};
      default:
        return NodeTrusted{.node = id_of(at), .epoch = epoch_of(at)};
    }
  }

  /// So that the queue is unused at times, and free for an exclusive consumer.
  void all_leave(const QueueMachine& machine, LogEntry& entry) {
    for (const ConsumerKey& key : machine.consumers()) {
      if (one_in(2)) {
        add(Cancel{.consumer = key}, entry);
      } else {
        add(Down{.session = key.session}, entry);
      }
    }
  }
  Command command(const QueueMachine& machine) {
    const std::uint64_t backlog = machine.ready_count() + machine.unsettled_count();
    const std::uint64_t dice = below(1'000);
    if (dice < (backlog < backlog_ ? 480u : 200u)) return enqueue();
    if (dice < 700) return about_messages<Settle>();
    if (dice < 770) return returned();
    if (dice < 800) return about_messages<Discard>();
    if (dice < 880) return attach();
    if (dice < 930) return Credit{.consumer = anybody(), .bytes = one_in(20) ? kMost - below(2) : below(1'000)};
    if (dice < 960) return Get{.session = session(), .no_ack = one_in(2)};
    if (dice < 980) return Cancel{.consumer = anybody()};
    if (dice < 986) return suspicion();
    if (dice < 992) return Down{.session = session()};
    if (dice < 993) return Expire{};
    if (backlog_ > kShallow && !one_in(backlog_ / kShallow)) return enqueue();
    if (dice < 995) return settings();
    if (dice < 998) return Purge{.session = session()};
    return node_up();
  }

  Random random_;
  std::uint64_t backlog_;
  LogIndex index_;
  WallTime ts_{std::chrono::years(50)};
  std::uint64_t commands_ = 0;
  std::map<SessionId, std::uint64_t> through_;          // as the queue said last
  std::array<Epoch, 2> epochs_ = {Epoch(1), Epoch(1)};  // of the nodes
  std::array<HandedOut, 64> lately_;                    // a ring
  std::uint64_t deliveries_ = 0;
};

}  // namespace quorate::queue
