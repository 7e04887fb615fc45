#include "broker/node/early_doors.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorate {

EarlyDoors::EarlyDoors(EarlyView::Parts parts, ClusterLink* link)
    : link_(link), thread_(ShardId(0), parts.clock), view_(parts, thread_), doors_(parts.config, view_, thread_.io()) {
  thread_.connect({&thread_});
}

EarlyDoors::~EarlyDoors() {
  if (!is_open_) return;
  if (link_ != nullptr) link_->set_on_control(nullptr);
  thread_.stop();
  thread_.join();
  doors_.stop();
}

Result<void> EarlyDoors::open() {
  if (auto opened = doors_.open(); !opened) return opened;
  std::vector<http::ListenerRow> rows = doors_.rows();
  if (link_ != nullptr) std::ranges::copy(link_->listeners(), std::back_inserter(rows));
  view_.set_listeners(std::move(rows));
  doors_.start();
  thread_.start();
  is_open_ = true;
  if (link_ != nullptr) link_->set_on_control(answer_on(thread_, doors_));
  return {};
}

}  // namespace quorate
