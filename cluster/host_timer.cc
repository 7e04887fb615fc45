#include "cluster/host_timer.h"

#include <boost/asio/post.hpp>
#include <chrono>

namespace quorate::cluster {

HostTimer::HostTimer(Shard& shard, const GroupHost& host) : shard_(shard), host_(host), timer_(shard.io()) {
  boost::asio::post(shard.io(), [] {});
}

bool HostTimer::on_turn_end() {
  if (host_.has_failed()) return false;  // nothing of it is ever done again, however long due
  const Instant now = shard_.now();
  if (armed_for_ && *armed_for_ <= now) armed_for_.reset();
  const std::optional<Instant> due = host_.next_deadline();
  if (!due || (armed_for_ && *armed_for_ <= *due)) return false;
  armed_for_ = due;
  timer_.expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(*due - now));
  timer_.async_wait([](const boost::system::error_code&) {});
  return false;
}

}  // namespace quorate::cluster
