// Ballast: a file of nothing in the data directory. When the volume is nearly full it is thrown away, so that what must
// be written even then, a flush, a compaction, the end in order, still has room; when there is plenty again it is
// taken in anew. While it is away its size counts as used: publishers are not to fill the room that it has made.
// Throwing away and taking in happen on a thread of their own, as a disk may take its time.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/worker.h"

namespace quorate::storage {

class Ballast {
 public:
  /// `bytes` of ballast in `directory`. What lies there from an earlier start is taken over.
  Ballast(const std::string& directory, std::uint64_t bytes);
  ~Ballast();

  /// As much as the log's memtables may flush at once, or this share of a small volume.
  static constexpr std::uint64_t kBytesMax = 256ull << 20;
  static constexpr std::uint64_t kVolumeShare = 8;
  /// Thrown away when less is free besides; taken in where twice as much remains.
  static constexpr std::uint64_t kLow = kBytesMax / 2;
  /// What a volume of this size should have.
  static std::uint64_t bytes_for(std::uint64_t volume_bytes);

  /// One thread: what is free on the volume, without the room that only ballast may take. On the way ballast is thrown
  /// away or taken in, as it is due; that is not waited for.
  Result<std::uint64_t> free_bytes();
  /// Same thread: the same, waiting for the disk; for the start, which goes before ballast in what it has `needed`.
  Result<std::uint64_t> settle(std::uint64_t needed);
  /// Same thread: is it on board? For tests.
  bool is_held() const { return state_ == State::held; }

  /// Ends the thread. Nothing may be asked after it.
  void stop();

 private:
  enum class State : std::uint8_t { held, changing, away };

  bool is_due(State state, std::uint64_t free, std::uint64_t needed) const;
  std::uint64_t without_reserve(State state, std::uint64_t free) const;
  void change(State from);
  void change_to_away();
  void change_to_held();
  void note(const Result<void>& result, std::string_view effect);
  Result<void> take_in() const;
  Result<void> throw_away() const;

  const std::string directory_;
  const std::string path_;
  const std::uint64_t bytes_;
  std::atomic<State> state_;     // the worker's while it is `changing`
  std::uint64_t last_free_ = 0;  // what free_bytes() said before the change
  std::string fault_;            // the last one; belongs to who changes the state
  bool stopped_ = false;
  Worker worker_;
};

}  // namespace quorate::storage
