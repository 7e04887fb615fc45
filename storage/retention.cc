#include "storage/retention.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "storage/database.h"
#include "storage/log_format.h"

namespace quorate::storage {
namespace {

/// One compaction's or flush's question. It runs on one thread and sees the keys in order, so a group is looked up
/// once.
class RetentionFilter final : public rocksdb::CompactionFilter {
 public:
  explicit RetentionFilter(std::shared_ptr<const Retention::Groups> groups) : groups_(std::move(groups)) {}

  const char* Name() const override { return "quorate.RetentionFilter"; }

  Decision FilterV2(int /*level*/, const rocksdb::Slice& key, ValueType /*type*/, const rocksdb::Slice& /*value*/,
                    std::string* /*new_value*/, std::string* /*skip_until*/) const override {
    return decide(key);
  }
  Decision FilterBlobByKey(int /*level*/, const rocksdb::Slice& key, std::string* /*new_value*/,
                           std::string* /*skip_until*/) const override {
    return decide(key);
  }

 private:
  Decision decide(const rocksdb::Slice& slice) const {
    const auto key = decode_log_key(view_of(slice));
    if (!key) return Decision::kKeep;
    if (group_ != key->group) {
      group_ = key->group;
      const auto* found = groups_->find(key->group.value());
      is_known_ = found != nullptr;
      live_ = found != nullptr ? found->get() : nullptr;
    }
    const bool is_needed = is_known_ && (live_ == nullptr || live_->contains(key->index));
    return is_needed ? Decision::kKeep : Decision::kRemove;
  }

  std::shared_ptr<const Retention::Groups> groups_;
  mutable std::optional<GroupId> group_;  // of the last key; the next two say what holds for it
  mutable bool is_known_ = false;
  mutable const LiveSet* live_ = nullptr;
};

}  // namespace

template <class Change>
void Retention::change(Change&& change) {
  std::shared_ptr<const Groups> before = groups_.load();
  std::shared_ptr<const Groups> after;
  do {
    after = std::make_shared<const Groups>(change(*before));
  } while (!groups_.compare_exchange_weak(before, after));
}

void Retention::add(GroupId group) {
  change([&](const Groups& groups) {
    return groups.find(group.value()) != nullptr ? groups : groups.with(group.value(), nullptr);
  });
}

void Retention::remove(GroupId group) {
  change([&](const Groups& groups) { return groups.without(group.value()); });
}

void Retention::retain(GroupId group, std::shared_ptr<const LiveSet> live) {
  change([&](const Groups& groups) {
    return groups.find(group.value()) == nullptr ? groups : groups.with(group.value(), live);
  });
}

bool Retention::has(GroupId group) const { return groups_.load()->find(group.value()) != nullptr; }

std::vector<GroupId> Retention::groups() const {
  std::vector<GroupId> out;
  groups_.load()->for_each([&](std::uint64_t group, const auto&) { out.emplace_back(group); });
  std::ranges::sort(out);
  return out;
}

bool Retention::ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const {
  const bool asks =
      reason == rocksdb::TableFileCreationReason::kFlush || reason == rocksdb::TableFileCreationReason::kCompaction;
  return asks && armed_.load(std::memory_order_acquire);
}

std::unique_ptr<rocksdb::CompactionFilter> Retention::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  return std::make_unique<RetentionFilter>(groups_.load());
}

}  // namespace quorate::storage
