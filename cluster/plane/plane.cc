#include "cluster/plane/plane.h"

#include <utility>

#include "base/check.h"
#include "cluster/plane/dialer.h"
#include "cluster/plane/inquiries.h"
#include "cluster/plane/loop.h"
#include "cluster/plane/outbound.h"
#include "cluster/plane/reception.h"

namespace quorate::cluster {
Plane::Plane(PlaneOptions options, const Clock& clock, PlaneClient& client)
    : options_(std::move(options)),
      loop_(std::make_shared<Loop>()),
      dialer_(std::make_unique<Dialer>(options_)),
      reception_(std::make_unique<Reception>(loop_, *dialer_, options_, clock, client)),
      outbound_(std::make_unique<Outbound>(*loop_, *dialer_, clock, client)),
      inquiries_(std::make_unique<Inquiries>(*loop_, *dialer_)) {}

Plane::~Plane() { CHECK(!is_running_); }

Result<void> Plane::start() {
  if (auto allowed = check(options_); !allowed) return allowed;
  if (auto loaded = dialer_->load(); !loaded) return loaded;
  if (auto listening = reception_->start(); !listening) return listening;
  is_running_ = true;
  return {};
}

void Plane::stop() {
  if (!std::exchange(is_running_, false)) return;
  loop_->post([this] {
    outbound_->close();
    inquiries_->close();
    reception_->close();
  });
  reception_->shut_down();
  loop_->stop();
}

std::uint16_t Plane::port() const { return reception_->port(); }

void Plane::set_identity(Identity identity) {
  loop_->post([this, identity = std::move(identity)] {
    reception_->set_identity(identity);
    outbound_->set_identity(identity);
  });
}

void Plane::set_peers(std::vector<PeerAddress> peers) {
  loop_->post([this, peers = std::move(peers)] { outbound_->set_peers(peers); });
}

bool Plane::send(NodeId to, Lane lane, std::vector<std::byte>&& batch) {
  return outbound_->send(to, lane, std::move(batch));
}

void Plane::ask(const std::string& host, std::uint16_t port, std::string kind, Bytes question, Duration timeout,
                AnswerFunction done) {
  auto shared = std::make_shared<AnswerFunction>(std::move(done));  // to be had back if the loop takes nothing
  const bool posted = loop_->post(
      [this, host, port, kind = std::move(kind), question = std::move(question), timeout, shared]() mutable {
        inquiries_->ask(host, port, std::move(kind), question, timeout, std::move(*shared));
      });
  if (!posted) (*shared)(plane_stops());
}

}  // namespace quorate::cluster
