#include "broker/node/early_doors.h"

#include <utility>

namespace quorate {

EarlyDoors::EarlyDoors(const Config& config, const Clock& clock, EarlyView::Outlook outlook)
    : thread_(ShardId(0), clock), view_(config, clock, std::move(outlook)), doors_(config, view_, thread_.io()) {
  thread_.connect({&thread_});
}

EarlyDoors::~EarlyDoors() {
  if (!is_open_) return;
  thread_.stop();
  thread_.join();
  doors_.stop();
}

Result<void> EarlyDoors::open() {
  if (auto opened = doors_.open(); !opened) return opened;
  view_.set_listeners(doors_.rows());
  doors_.start();
  thread_.start();
  is_open_ = true;
  return {};
}

}  // namespace quorate
