#include "broker/node/wait_until.h"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace quorate {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(50);

/// Owned by what it has under way: its look and its timer.
class Wait : public std::enable_shared_from_this<Wait> {
 public:
  Wait(cluster::Shard& shard, Look look, Duration limit, http::BrokerView::Done<bool> done)
      : shard_(shard),
        look_(std::move(look)),
        until_(shard.now() + limit),
        done_(std::move(done)),
        timer_(shard.io()) {}

  void again() {
    look_([self = shared_from_this()](bool has_happened) {
      if (has_happened || self->shard_.now() >= self->until_) return self->done_(has_happened);
      self->timer_.expires_after(kLookAgain);
      self->timer_.async_wait([self](const boost::system::error_code& cancelled) {
        if (!cancelled) self->again();
      });
    });
  }

 private:
  cluster::Shard& shard_;
  const Look look_;
  const Instant until_;
  http::BrokerView::Done<bool> done_;
  boost::asio::steady_timer timer_;
};

}  // namespace

void wait_until(cluster::Shard& shard, Look look, Duration limit, http::BrokerView::Done<bool> done) {
  std::make_shared<Wait>(shard, std::move(look), limit, std::move(done))->again();
}

}  // namespace quorate
