#include "storage/live_set.h"

#include <algorithm>

namespace quorate::storage {

bool LiveSet::contains(LogIndex index) const {
  if (index > snapshot) return true;
  const auto after = std::ranges::upper_bound(live, index, {}, [](const auto& range) { return range.first; });
  return after != live.begin() && index <= std::prev(after)->second;
}

void LiveSet::keep_from(LogIndex index) {
  if (index > snapshot) return;
  snapshot = LogIndex(index.value() - 1);
  std::erase_if(live, [&](const auto& range) { return range.first >= index; });
  if (!live.empty()) live.back().second = std::min(live.back().second, snapshot);
}

}  // namespace quorate::storage
