// Keeps one complaint from filling the log: each key at most once per interval.
#pragma once
#include <chrono>
#include <cstddef>
#include <map>
#include <string>

#include "base/time.h"

namespace quorate::cluster {

class LogLimit {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(10);

  explicit LogLimit(const Clock& clock) : clock_(clock) {}

  bool allows(const std::string& key) {
    const Instant now = clock_.now();
    if (written_at_.size() >= kKeysMax)
      std::erase_if(written_at_, [&](const auto& e) { return e.second + kInterval <= now; });
    if (written_at_.size() >= kKeysMax) return false;
    const auto [found, is_new] = written_at_.try_emplace(key, now);
    if (!is_new && found->second + kInterval > now) return false;
    found->second = now;
    return true;
  }

 private:
  static constexpr std::size_t kKeysMax = 256;  // strangers choose them
  const Clock& clock_;
  std::map<std::string, Instant> written_at_;
};

}  // namespace quorate::cluster
