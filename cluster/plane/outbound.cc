#include "cluster/plane/outbound.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include "base/log.h"
#include "cluster/plane/outgoing_lane.h"
#include "cluster/plane/packets.h"

namespace quorate::cluster {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetryFirst = 50ms;
constexpr Duration kUnreachableRetryMax = 250ms;  // costs nothing while gRPC itself waits to dial
constexpr Duration kRefusedRetryMax = 1s;

}  // namespace

/// One other node: three lanes over two connections.
class Outbound::Peer final : public LaneOwner {
 public:
  Peer(Outbound& outbound, NodeId node) : outbound_(outbound), node_(node) {
    for (std::size_t i = 0; i < kLaneCount; ++i) {
      lanes_[i] = std::make_unique<OutgoingLane>(static_cast<Lane>(i), outbound.loop_, outbound.dialer_, *this);
    }
  }

  OutgoingLane& lane(Lane lane) { return *lanes_[static_cast<std::size_t>(lane)]; }
  bool has_address() const { return address_.has_value(); }

  void set_address(std::optional<PeerAddress> address) {
    if (address_ == address) return;
    address_ = std::move(address);
    if (address_) name_ = address_->name;
    shared_channel_.reset();
    bulk_channel_.reset();
    begin_anew();
  }
  /// Ends what is there and opens what should be.
  void begin_anew() {
    retry_after_.fill(kRetryFirst);
    for (const auto& lane : lanes_) {
      lane->cancel();
      open(*lane);
    }
  }

  void on_lane_up(OutgoingLane& lane) override {
    retry_after_[static_cast<std::size_t>(lane.lane())] = kRetryFirst;
    ++lanes_up_;
    trouble_.clear();
    if (outbound_.is_closed_) return;
    outbound_.client_.on_connection(node_, lane.lane(), true);
    if (lanes_up_ < kLaneCount) return;
    is_announced_ = true;
    last_complaint_.clear();
    log::info(log::Category::cluster, "peer.connected node={} address={}", name_, print_address());
  }

  void on_lane_end(OutgoingLane& lane, const grpc::Status& status, bool was_up) override {
    if (was_up) --lanes_up_;
    if (outbound_.is_closed_) return;
    if (was_up) outbound_.client_.on_connection(node_, lane.lane(), false);
    if (!outbound_.is_wanted(*this)) return forget();
    tell(status, was_up);
    complain(status, was_up);
    open_later(lane, status);
  }

 private:
  void open(OutgoingLane& lane) {
    if (lane.has_stream() || !outbound_.is_wanted(*this)) return;
    auto& channel = lane.lane() == Lane::bulk ? bulk_channel_ : shared_channel_;
    if (channel == nullptr) channel = outbound_.dialer_.dial(address_->host, address_->port);
    lane.open(channel, outbound_.next_hello(node_, lane.lane()));
  }

  void open_later(OutgoingLane& lane, const grpc::Status& status) {
    Duration& delay = retry_after_[static_cast<std::size_t>(lane.lane())];
    const Duration jittered = delay / 2 + Duration(outbound_.random_.below(static_cast<std::uint64_t>(delay.count())));
    const bool is_unreachable = status.error_code() == grpc::StatusCode::UNAVAILABLE;
    delay = std::min(delay * 2, is_unreachable ? kUnreachableRetryMax : kRefusedRetryMax);
    outbound_.loop_.after(jittered, [this, &lane] { open(lane); });
  }

  void tell(const grpc::Status& status, bool was_up) {
    std::string reason = was_up ? reason_of(status) : refusal_of(status);
    if (reason == trouble_) return;
    trouble_ = std::move(reason);
    const bool was_forgotten = status.error_code() == grpc::StatusCode::NOT_FOUND;
    outbound_.client_.on_trouble(
        node_, {.code = was_forgotten ? ErrorCode::not_found : ErrorCode::unavailable, .text = trouble_});
  }

  void complain(const grpc::Status& status, bool was_up) {
    const std::string reason = was_up ? reason_of(status) : refusal_of(status);
    if (was_up) {
      if (std::exchange(is_announced_, false)) {
        log::event(log::Category::cluster, is_farewell(status) ? log::Level::info : log::Level::warning,
                   "peer.disconnected node={} address={} reason=\"{}\"", name_, print_address(), reason);
      }
      return;
    }
    const bool is_unreachable = status.error_code() == grpc::StatusCode::UNAVAILABLE;
    if (is_unreachable && last_complaint_ == reason) return;
    if (!outbound_.log_limit_.allows(std::to_string(node_.value()))) return;
    last_complaint_ = reason;
    log::warn(log::Category::cluster, "{} node={} address={} reason=\"{}\"",
              is_unreachable ? "peer.unreachable" : "peer.refuses", name_, print_address(), reason);
  }

  void forget() {
    if (std::exchange(is_announced_, false)) {
      log::info(log::Category::cluster, "peer.disconnected node={} reason=\"it is no longer in the cluster\"", name_);
    }
  }

  std::string print_address() const {
    return address_ ? cluster::print_address(address_->host, address_->port) : std::string("none");
  }

  Outbound& outbound_;
  const NodeId node_;
  std::string name_;                    // the last one known
  std::optional<PeerAddress> address_;  // nothing: not to be reached
  std::shared_ptr<grpc::Channel> shared_channel_;
  std::shared_ptr<grpc::Channel> bulk_channel_;
  std::array<std::unique_ptr<OutgoingLane>, kLaneCount> lanes_;
  std::array<Duration, kLaneCount> retry_after_{kRetryFirst, kRetryFirst, kRetryFirst};
  std::size_t lanes_up_ = 0;
  bool is_announced_ = false;   // in the log, as connected
  std::string last_complaint_;  // of not reaching it, since it was connected
  std::string trouble_;         // that the client was told of, since a lane came up
};

Outbound::Outbound(Loop& loop, const Dialer& dialer, const Clock& clock, PlaneClient& client)
    : loop_(loop), dialer_(dialer), client_(client), log_limit_(clock) {}

Outbound::~Outbound() = default;

bool Outbound::send(NodeId to, Lane lane, std::vector<std::byte>&& batch) {
  const std::shared_lock lock(mutex_);
  const auto found = peers_.find(to);
  return found != peers_.end() && found->second->lane(lane).send(std::move(batch));
}

void Outbound::set_identity(const Identity& identity) {
  if (is_closed_ || identity_ == identity) return;
  identity_ = identity;
  for (const auto& [node, peer] : peers_) peer->begin_anew();
}

void Outbound::set_peers(const std::vector<PeerAddress>& peers) {
  if (is_closed_) return;
  for (const PeerAddress& address : peers) {
    const std::lock_guard lock(mutex_);
    auto& peer = peers_[address.node];
    if (peer == nullptr) peer = std::make_unique<Peer>(*this, address.node);
  }
  for (const auto& [node, peer] : peers_) {
    const auto found = std::ranges::find(peers, node, &PeerAddress::node);
    peer->set_address(found != peers.end() ? std::optional(*found) : std::nullopt);
  }
}

void Outbound::close() {
  is_closed_ = true;
  for (const auto& [node, peer] : peers_) peer->begin_anew();
}

proto::Hello Outbound::next_hello(NodeId to, Lane lane) { return hello_of(*identity_, to, lane, ++streams_); }

bool Outbound::is_wanted(const Peer& peer) const { return !is_closed_ && identity_ && peer.has_address(); }

}  // namespace quorate::cluster
