// The floor under the group host: what the same batches cost in a file that somebody wrote by hand. Each replica is a
// thread with a file of its own; each entry a length, an index and a checksum in front of its payload; each batch one
// write and one fdatasync, one after the other.
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "tests/bench/process_usage.h"

namespace quorate {

class AppendFile {
 public:
  explicit AppendFile(const std::string& path) : file_(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600)) {
    CHECK_GE(file_, 0);
  }
  ~AppendFile() { ::close(file_); }
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::size_t entries, const Bytes& payload) {
    buffer_.resize(entries * (sizeof(Header) + payload.size()));
    std::byte* at = buffer_.data();
    for (std::size_t i = 0; i < entries; ++i) {
      const Header header{
          .index = ++index_, .size = static_cast<std::uint32_t>(payload.size()), .checksum = crc32c(0, payload.view())};
      std::memcpy(at, &header, sizeof header);
      std::memcpy(at + sizeof header, payload.view().data(), payload.size());
      at += sizeof header + payload.size();
    }
    for (std::size_t done = 0; done < buffer_.size();) {
      const ssize_t written = ::write(file_, buffer_.data() + done, buffer_.size() - done);
      CHECK_GT(written, 0);
      done += static_cast<std::size_t>(written);
    }
    CHECK_EQ(::fdatasync(file_), 0);
  }
  std::uint64_t entries() const { return index_; }

 private:
  struct Header {
    std::uint64_t index = 0;
    std::uint32_t size = 0;
    std::uint32_t checksum = 0;
  };

  int file_;
  std::uint64_t index_ = 0;
  std::vector<std::byte> buffer_;
};

/// Adds up over measurements.
class AppendFloor {
 public:
  void measure(const std::string& directory, std::size_t replicas, std::size_t batch_entries, const Bytes& payload,
               std::chrono::duration<double> duration) {
    using Seconds = std::chrono::duration<double>;
    const double cpu_us = process_cpu_us();
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::uint64_t> entries(replicas);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < replicas; ++i) {
      threads.emplace_back([&, i] {
        AppendFile file(directory + "/floor-" + std::to_string(i));
        while (Seconds(std::chrono::steady_clock::now() - begin) < duration) file.append(batch_entries, payload);
        entries[i] = file.entries();
      });
    }
    for (std::thread& thread : threads) thread.join();
    seconds_ += Seconds(std::chrono::steady_clock::now() - begin).count();
    cpu_us_ += process_cpu_us() - cpu_us;
    for (const std::uint64_t count : entries) entries_ += static_cast<double>(count) / static_cast<double>(replicas);
  }
  /// Of one file.
  double entries_per_second() const { return entries_ / seconds_; }
  /// Of the whole process for an entry in each file.
  double cpu_us_per_entry() const { return cpu_us_ / entries_; }

 private:
  double entries_ = 0;
  double seconds_ = 0;
  double cpu_us_ = 0;
};

}  // namespace quorate
