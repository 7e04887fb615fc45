// The physical floor of this machine: what no broker can go below. `./dev bench floor` runs it and prints the table;
// what it says itself is JSON. Three measurements, each with messages of the standard scenarios' sizes:
//   stream      the frames of basic.publish in one direction over loopback, in writes as large as a generator's
//   round_trip  the frames of one basic.publish there, those of basic.ack back
//   append      a batch of messages appended to a file and synced, one after the other
//
//   floor DIRECTORY [SECONDS [WRITER_CORE READER_CORE]]
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "broker/amqp/frame.h"
#include "broker/amqp/methods.h"
#include "broker/amqp/properties.h"
#include "tests/bench/append_floor.h"
#include "tests/bench/tcp_floor.h"

namespace quorate::amqp {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::size_t kBodySizes[] = {12, 16, 100, 1000, 1024, 5000};
constexpr std::size_t kBatchEntries[] = {1, 100, 3000};  // synchronous; many publishers; `-c 3000`
constexpr std::size_t kWriteBytes = 64 << 10;
constexpr std::uint32_t kFrameMaxBytes = 131'072;
constexpr ChannelId kChannel{1};

std::vector<std::byte> publish_of(std::size_t body_size) {
  std::vector<std::byte> out;
  append_method_frame(out, kChannel, BasicPublish{.exchange = "direct", .routing_key = "compare"});
  append_content_header(out, kChannel, 60, body_size, encode_properties(Properties{.delivery_mode = std::uint8_t{2}}));
  append_body_frames(out, kChannel, std::vector<std::byte>(body_size), kFrameMaxBytes);
  return out;
}

std::vector<std::byte> ack() {
  std::vector<std::byte> out;
  append_method_frame(out, kChannel, BasicAck{.delivery_tag = 1});
  return out;
}

double quantile(const std::vector<double>& sorted, double part) {
  CHECK(!sorted.empty());
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

std::string stream_row(std::size_t body_size, Cores cores, Seconds duration) {
  const std::vector<std::byte> message = publish_of(body_size);
  const StreamFloor floor = measure_stream(message, kWriteBytes, cores, duration);
  return fmt::format(
      R"({{"body_bytes": {}, "frame_bytes": {}, "rate": {:.0f}, "reader_cpu_us": {:.4f}, "writer_cpu_us": {:.4f}}})",
      body_size, message.size(), floor.messages_per_second, floor.reader_cpu_us, floor.writer_cpu_us);
}

std::string round_trip_row(std::size_t body_size, Cores cores, Seconds duration) {
  const std::vector<double> latencies = measure_round_trips(publish_of(body_size), ack(), cores, duration);
  return fmt::format(R"({{"body_bytes": {}, "p50_us": {:.1f}, "p99_us": {:.1f}}})", body_size, quantile(latencies, 0.5),
                     quantile(latencies, 0.99));
}

std::string append_row(const std::filesystem::path& directory, std::size_t body_size, std::size_t batch,
                       Seconds duration) {
  const std::filesystem::path path = directory / "floor";
  const Bytes payload = Bytes::copy_of(std::string(body_size, 'm'));
  const double cpu_us = process_cpu_us();
  std::vector<double> latencies;
  AppendFile file(path);
  const auto begin = std::chrono::steady_clock::now();
  for (auto now = begin; now - begin < duration;) {
    file.append(batch, payload);
    const auto then = std::exchange(now, std::chrono::steady_clock::now());
    latencies.push_back(std::chrono::duration<double, std::micro>(now - then).count());
  }
  const Seconds took = std::chrono::steady_clock::now() - begin;
  std::filesystem::remove(path);
  std::ranges::sort(latencies);
  const auto entries = static_cast<double>(file.entries());
  return fmt::format(
      R"({{"body_bytes": {}, "batch": {}, "rate": {:.0f}, "p50_us": {:.1f}, "p99_us": {:.1f}, "cpu_us": {:.4f}}})",
      body_size, batch, entries / took.count(), quantile(latencies, 0.5), quantile(latencies, 0.99),
      (process_cpu_us() - cpu_us) / entries);
}

int run(const std::filesystem::path& directory, Seconds duration, Cores cores) {
  std::filesystem::create_directories(directory);
  std::vector<std::string> streams;
  std::vector<std::string> round_trips;
  std::vector<std::string> appends;
  for (const std::size_t size : kBodySizes) {
    streams.push_back(stream_row(size, cores, duration));
    round_trips.push_back(round_trip_row(size, cores, duration));
    for (const std::size_t batch : kBatchEntries) appends.push_back(append_row(directory, size, batch, duration));
  }
  fmt::print("{{\"stream\": [\n  {}],\n\"round_trip\": [\n  {}],\n\"append\": [\n  {}]}}\n",
             fmt::join(streams, ",\n  "), fmt::join(round_trips, ",\n  "), fmt::join(appends, ",\n  "));
  return 0;
}

}  // namespace
}  // namespace quorate::amqp

int main(int count, char** words) {
  if (count < 2 || count == 4 || count > 5) {
    fmt::print(stderr, "usage: floor DIRECTORY [SECONDS [WRITER_CORE READER_CORE]]\n");
    return 2;
  }
  quorate::Cores cores;
  if (count == 5) cores = {.writer = std::atoi(words[3]), .reader = std::atoi(words[4])};
  return quorate::amqp::run(words[1], quorate::amqp::Seconds(count > 2 ? std::atof(words[2]) : 1.0), cores);
}
