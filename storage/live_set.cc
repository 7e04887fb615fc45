#include "storage/live_set.h"

#include <algorithm>

namespace quorate::storage {

bool LiveSet::contains(LogIndex index) const {
  if (index > snapshot) return true;
  const auto after = std::ranges::upper_bound(live, index, {}, [](const auto& range) { return range.first; });
  return after != live.begin() && index <= std::prev(after)->second;
}

}  // namespace quorate::storage
