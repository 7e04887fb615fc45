#include "broker/queue/body_cache.h"

#include <utility>

#include "base/check.h"

namespace quorate::queue {
namespace {
const Bytes kAbsent;
}

void BodyCache::put(LogIndex index, Bytes payload) {
  CHECK(!payload.empty());
  if (slots_.empty()) first_ = index;
  while (index < first_) {
    slots_.emplace_front();
    first_ = LogIndex(first_.value() - 1);
  }
  const std::size_t at = index.value() - first_.value();
  if (at >= slots_.size()) slots_.resize(at + 1);
  if (!slots_[at].empty()) return;
  bytes_ += payload.size();
  budget_.used += payload.size();
  slots_[at] = std::move(payload);
}

const Bytes& BodyCache::find(LogIndex index) const {
  if (index < first_ || index.value() - first_.value() >= slots_.size()) return kAbsent;
  return slots_[index.value() - first_.value()];
}

void BodyCache::erase(LogIndex index) {
  if (index < first_ || index.value() - first_.value() >= slots_.size()) return;
  release(slots_[index.value() - first_.value()]);
  while (!slots_.empty() && slots_.front().empty()) {
    slots_.pop_front();
    ++first_;
  }
  while (!slots_.empty() && slots_.back().empty()) slots_.pop_back();
}

void BodyCache::trim_below(LogIndex below, std::size_t bytes) {
  while (bytes_ > bytes && !slots_.empty() && first_ < below) erase(first_);
}

void BodyCache::clear() {
  for (Bytes& slot : slots_) release(slot);
  slots_.clear();
}

void BodyCache::release(Bytes& slot) {
  if (slot.empty()) return;
  CHECK_GE(bytes_, slot.size());
  bytes_ -= slot.size();
  budget_.used -= slot.size();
  slot = {};
}

}  // namespace quorate::queue
