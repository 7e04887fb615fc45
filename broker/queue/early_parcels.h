// EarlyParcels: what has come for a queue before it can take it, in order and within kEarlyParcelsMaxBytes. Couriers
// send again what was not answered for a second: whatever finds no room comes again, and what waits may come several
// times.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "broker/queue/mail.h"

namespace quorate::queue {

class EarlyParcels {
 public:
  void keep(Parcel parcel) {
    const std::size_t bytes = weight(parcel);
    if (bytes_ + bytes > limits::kEarlyParcelsMaxBytes) {
      has_dropped_ = true;
      return;
    }
    bytes_ += bytes;
    parcels_.push_back(std::move(parcel));
  }
  /// Something has found no room since the last take(). Nobody answers a Resume, so none is sent again by itself.
  bool has_dropped() const { return has_dropped_; }
  /// All that are here; none is left.
  std::vector<Parcel> take() {
    bytes_ = 0;
    has_dropped_ = false;
    return std::exchange(parcels_, {});
  }

 private:
  std::vector<Parcel> parcels_;
  std::size_t bytes_ = 0;  // Invariant: the weights of parcels_.
  bool has_dropped_ = false;
};

}  // namespace quorate::queue
