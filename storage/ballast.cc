#include "storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "storage/files.h"
#include "storage/volume.h"

namespace quorate::storage {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kBlockBytes = 512;  // of st_blocks, whatever the file system

bool is_whole(const std::string& path, std::uint64_t bytes) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return false;
  return static_cast<std::uint64_t>(facts.st_blocks) * kBlockBytes >= bytes;
}

}  // namespace

std::uint64_t Ballast::bytes_for(std::uint64_t volume_bytes) {
  return std::min(kBytesMax, volume_bytes / kVolumeShare);
}

Ballast::Ballast(const std::string& directory, std::uint64_t bytes)
    : directory_(directory),
      path_(directory + "/ballast"),
      bytes_(bytes),
      state_(is_whole(path_, bytes) ? State::held : State::away) {
  if (state_ == State::away) static_cast<void>(throw_away());  // a part of it helps nobody
}

Ballast::~Ballast() { CHECK(stopped_); }

void Ballast::stop() {
  worker_.stop();
  stopped_ = true;
}

Result<std::uint64_t> Ballast::free_bytes() {
  const State before = state_;  // first: what is free then belongs to this state, or to one that has just begun
  if (before == State::changing) return last_free_;
  const auto volume = volume_of(directory_);
  if (!volume) return std::unexpected(volume.error());
  last_free_ = without_reserve(before, volume->free_bytes);
  if (is_due(before, volume->free_bytes, 0)) {
    state_ = State::changing;
    worker_.post([this, before] { change(before); });
  }
  return last_free_;
}

Result<std::uint64_t> Ballast::settle(std::uint64_t needed) {
  const auto before = volume_of(directory_);
  if (!before) return std::unexpected(before.error());
  if (is_due(state_, before->free_bytes, needed)) change(state_);
  const auto after = volume_of(directory_);
  if (!after) return std::unexpected(after.error());
  return without_reserve(state_, after->free_bytes);
}

/// However small the volume and what is held on it: what is flushed is as large as elsewhere.
bool Ballast::is_due(State state, std::uint64_t free, std::uint64_t needed) const {
  return state == State::held ? free < std::max(kLow, needed) : free >= bytes_ + std::max(2 * kLow, needed);
}

std::uint64_t Ballast::without_reserve(State state, std::uint64_t free) const {
  return state == State::held ? free : free - std::min(free, bytes_);
}

void Ballast::change(State from) { from == State::held ? change_to_away() : change_to_held(); }

void Ballast::change_to_away() {
  const auto thrown = throw_away();
  note(thrown, "its room cannot be used");
  state_ = thrown ? State::away : State::held;
  if (!thrown) return;
  log::warn(log::Category::storage,
            "storage.ballast_released path={} bytes={} reason=\"the volume is nearly full\" effect=\"room for what "
            "must still be written; publishers do not get it\"",
            path_, bytes_);
}

void Ballast::change_to_held() {
  const auto taken = take_in();
  note(taken, "no reserve for a full disk, and its size counts as used");
  state_ = taken ? State::held : State::away;
  if (taken) log::info(log::Category::storage, "storage.ballast_held path={} size={}MiB", path_, bytes_ / kMiB);
}

/// It is tried again and again; what is the same each time is logged once.
void Ballast::note(const Result<void>& result, std::string_view effect) {
  const std::string fault = result ? "" : result.error().text;
  if (std::exchange(fault_, fault) == fault || fault.empty()) return;
  log::error(log::Category::storage, "storage.ballast_stuck reason=\"{}\" effect=\"{}\"", fault, effect);
}

Result<void> Ballast::take_in() const {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return refused_by_system("create", path_);
  errno = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_));
  Result<void> taken;
  if (errno != 0) taken = refused_by_system("take room for", path_);
  ::close(fd);
  if (!taken) static_cast<void>(throw_away());
  return taken;
}

Result<void> Ballast::throw_away() const {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return refused_by_system("remove", path_);
  return {};
}

}  // namespace quorate::storage
