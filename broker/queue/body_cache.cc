#include "broker/queue/body_cache.h"

#include <utility>

#include "base/check.h"

namespace quorate::queue {
namespace {
const Bytes kAbsent;
}

void BodyCache::put(LogIndex index, Bytes payload) {
  CHECK(!payload.empty());
  const std::size_t size = payload.size();
  if (!entries_.insert(index.value(), std::move(payload))) return;
  bytes_ += size;
  budget_.used += size;
}

const Bytes& BodyCache::find(LogIndex index) const {
  const Bytes* found = entries_.find(index.value());
  return found != nullptr ? *found : kAbsent;
}

void BodyCache::erase(LogIndex index) {
  entries_.take_range(index.value(), index.value(), [this](std::uint64_t, Bytes&& payload) {
    CHECK_GE(bytes_, payload.size());
    bytes_ -= payload.size();
    budget_.used -= payload.size();
  });
}

void BodyCache::trim_below(LogIndex below, std::size_t bytes) {
  while (bytes_ > bytes && !entries_.empty() && LogIndex(entries_.first()) < below) erase(LogIndex(entries_.first()));
}

void BodyCache::clear() {
  entries_.clear();
  budget_.used -= std::exchange(bytes_, 0);
}

}  // namespace quorate::queue
