// What this process has used of the machine.
#pragma once
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace quorate {

/// `who` as getrusage(2) takes it.
inline double cpu_us_of(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

/// By all threads, in user and kernel mode, since the process began.
inline double process_cpu_us() { return cpu_us_of(RUSAGE_SELF); }
/// By the calling thread, since it began.
inline double thread_cpu_us() { return cpu_us_of(RUSAGE_THREAD); }

/// Main memory held now.
inline double resident_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace quorate
