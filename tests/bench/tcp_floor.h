// The floor under every client: what the bytes alone cost on loopback, with nobody who reads them as AMQP. One thread
// writes, another reads, each on a core of its own where there are two.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/bench/process_usage.h"

namespace quorate {

/// Two ends of a connection on 127.0.0.1, without Nagle's delay.
class Loopback {
 public:
  Loopback() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    CHECK_EQ(::bind(listener, raw, size), 0);
    CHECK_EQ(::listen(listener, 1), 0);
    CHECK_EQ(::getsockname(listener, raw, &size), 0);
    client_ = ::socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(::connect(client_, raw, size), 0);
    server_ = ::accept(listener, nullptr, nullptr);
    CHECK_GE(server_, 0);
    ::close(listener);
    const int on = 1;
    for (const int end : {client_, server_}) {
      CHECK_EQ(::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    }
  }
  ~Loopback() {
    ::close(client_);
    ::close(server_);
  }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  int client() const { return client_; }
  int server() const { return server_; }

 private:
  int client_ = -1;
  int server_ = -1;
};

/// False when the other end has finished.
inline bool write_all(int socket, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

inline bool read_all(int socket, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

/// Keeps the calling thread on one core; a machine that has no such core leaves it where it is.
inline void stay_on_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

struct Cores {
  int writer = 1;
  int reader = 0;
};

struct StreamFloor {
  double messages_per_second = 0;
  double reader_cpu_us = 0;  // per message
  double writer_cpu_us = 0;
};

/// Sends `message` again and again in one direction, as many in a write as fit `batch_bytes`, and at least one.
inline StreamFloor measure_stream(const std::vector<std::byte>& message, std::size_t batch_bytes, Cores cores,
                                  std::chrono::duration<double> duration) {
  const Loopback loopback;
  std::vector<std::byte> batch;
  do {
    batch.insert(batch.end(), message.begin(), message.end());
  } while (batch.size() + message.size() <= batch_bytes);

  StreamFloor floor;
  std::uint64_t received_bytes = 0;
  std::thread reader([&] {
    stay_on_core(cores.reader);
    std::vector<std::byte> buffer(batch_bytes);
    for (ssize_t got = 0; (got = ::recv(loopback.server(), buffer.data(), buffer.size(), 0)) > 0;) {
      received_bytes += static_cast<std::uint64_t>(got);
    }
    floor.reader_cpu_us = thread_cpu_us();
  });
  const auto begin = std::chrono::steady_clock::now();
  std::thread writer([&] {
    stay_on_core(cores.writer);
    while (std::chrono::steady_clock::now() - begin < duration && write_all(loopback.client(), batch)) continue;
    ::shutdown(loopback.client(), SHUT_WR);
    floor.writer_cpu_us = thread_cpu_us();
  });
  writer.join();
  reader.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double messages = static_cast<double>(received_bytes) / static_cast<double>(message.size());
  floor.messages_per_second = messages / took.count();
  floor.reader_cpu_us /= messages;
  floor.writer_cpu_us /= messages;
  return floor;
}

/// Microseconds from each request until its reply is here, one at a time, in ascending order.
inline std::vector<double> measure_round_trips(const std::vector<std::byte>& request,
                                               const std::vector<std::byte>& reply, Cores cores,
                                               std::chrono::duration<double> duration) {
  const Loopback loopback;
  std::thread server([&] {
    stay_on_core(cores.reader);
    std::vector<std::byte> buffer(request.size());
    while (read_all(loopback.server(), buffer) && write_all(loopback.server(), reply)) continue;
  });
  std::vector<double> latencies;
  std::thread client([&] {
    stay_on_core(cores.writer);
    std::vector<std::byte> buffer(reply.size());
    const auto begin = std::chrono::steady_clock::now();
    for (auto now = begin; now - begin < duration;) {
      CHECK(write_all(loopback.client(), request) && read_all(loopback.client(), buffer));
      const auto then = std::exchange(now, std::chrono::steady_clock::now());
      latencies.push_back(std::chrono::duration<double, std::micro>(now - then).count());
    }
    ::shutdown(loopback.client(), SHUT_WR);
  });
  client.join();
  server.join();
  std::ranges::sort(latencies);
  return latencies;
}

}  // namespace quorate
