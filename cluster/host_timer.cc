#include "cluster/host_timer.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

namespace quorate::cluster {

HostTimer::HostTimer(Shard& shard, const GroupHost& host, NextDeadline others)
    : shard_(shard), host_(host), others_(std::move(others)), timer_(shard.io()) {
  boost::asio::post(shard.io(), [] {});
}

bool HostTimer::on_turn_end() {
  if (host_.has_failed()) return false;  // nothing of it is ever done again, however long due
  const Instant now = shard_.now();
  if (armed_for_ && *armed_for_ <= now) armed_for_.reset();
  std::optional<Instant> due = host_.next_deadline();
  const std::optional<Instant> other = others_ ? others_() : std::nullopt;
  if (other && (!due || *other < *due)) due = other;
  if (!due || (armed_for_ && *armed_for_ <= *due)) return false;
  armed_for_ = due;
  timer_.expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(*due - now));
  timer_.async_wait([](const boost::system::error_code&) {});
  return false;
}

}  // namespace quorate::cluster
