// What the AMQP codec costs on a message's way: nanoseconds, and allocations per operation (none but the message's
// own).
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "broker/amqp/content.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/table_codec.h"
#include "tests/bench/allocations.h"

namespace quorate::amqp {
namespace {

constexpr std::uint32_t kFrameMaxBytes = 131'072;

/// Reports the allocations between its birth and its death as a mean per iteration.
class AllocationMeter {
 public:
  explicit AllocationMeter(benchmark::State& state) : state_(state), before_(allocation_count()) {}
  ~AllocationMeter() {
    state_.counters["allocations"] =
        benchmark::Counter(static_cast<double>(allocation_count() - before_), benchmark::Counter::kAvgIterations);
  }

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

std::vector<std::byte> payload_of(const Method& method) {
  std::vector<std::byte> payload;
  encode_method(method, payload);
  return payload;
}

const Method kPublish = BasicPublish{.exchange = "amq.topic", .routing_key = "orders.eu.created", .mandatory = true};

Table sample_table() {
  return {.fields = {{"x-queue-type", std::string("quorum")},
                     {"x-max-length", std::int32_t{100'000}},
                     {"x-message-ttl", std::int64_t{60'000}},
                     {"x-single-active-consumer", true},
                     {"x-dead-letter-exchange", std::string("dead.letters")}}};
}

std::vector<std::byte> sample_properties() {
  return encode_properties(Properties{.content_type = "application/json",
                                      .headers = Table{.fields = {{"tenant", std::string("eu-west")}}},
                                      .delivery_mode = std::uint8_t{2},
                                      .message_id = "0d3c9e1a"});
}

std::vector<std::byte> publish_frames(std::size_t body_size) {
  std::vector<std::byte> stream;
  append_method_frame(stream, ChannelId{1}, kPublish);
  append_content_header(stream, ChannelId{1}, 60, body_size, sample_properties());
  append_body_frames(stream, ChannelId{1}, std::vector<std::byte>(body_size), kFrameMaxBytes);
  return stream;
}

void FrameNext(benchmark::State& state) {
  const auto stream = publish_frames(256);
  const FrameDecoder decoder(kFrameMaxBytes);
  const AllocationMeter meter(state);
  ByteView input = stream;
  for (auto _ : state) {
    if (input.empty()) input = stream;
    benchmark::DoNotOptimize(decoder.next(input));
  }
}
BENCHMARK(FrameNext);

void DecodePublish(benchmark::State& state) {
  const auto payload = payload_of(kPublish);
  const AllocationMeter meter(state);
  for (auto _ : state) benchmark::DoNotOptimize(decode_method(payload));
}
BENCHMARK(DecodePublish);

void DecodeAck(benchmark::State& state) {
  const auto payload = payload_of(BasicAck{.delivery_tag = 7, .multiple = true});
  const AllocationMeter meter(state);
  for (auto _ : state) benchmark::DoNotOptimize(decode_method(payload));
}
BENCHMARK(DecodeAck);

void EncodeDeliverFrame(benchmark::State& state) {
  const BasicDeliver deliver{
      .consumer_tag = "ctag1", .delivery_tag = 7, .exchange = "amq.topic", .routing_key = "orders.eu.created"};
  std::vector<std::byte> out;
  out.reserve(1024);
  const AllocationMeter meter(state);
  for (auto _ : state) {
    out.clear();
    append_method_frame(out, ChannelId{1}, deliver);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(EncodeDeliverFrame);

void DecodeTable(benchmark::State& state) {
  const auto encoded = encode_table(sample_table());
  const AllocationMeter meter(state);
  for (auto _ : state) benchmark::DoNotOptimize(decode_table(encoded));
}
BENCHMARK(DecodeTable);

void FindField(benchmark::State& state) {
  const auto encoded = encode_table(sample_table());
  const AllocationMeter meter(state);
  for (auto _ : state) benchmark::DoNotOptimize(find_field(encoded, "x-single-active-consumer"));
}
BENCHMARK(FindField);

void ParseProperties(benchmark::State& state) {
  const auto encoded = sample_properties();
  const AllocationMeter meter(state);
  for (auto _ : state) benchmark::DoNotOptimize(PropertiesView::parse(encoded));
}
BENCHMARK(ParseProperties);

/// Three frames to one message: everything between the socket and the channel.
void PublishToMessage(benchmark::State& state) {
  const auto stream = publish_frames(static_cast<std::size_t>(state.range(0)));
  const FrameDecoder decoder(kFrameMaxBytes);
  ContentAssembler assembler;
  const AllocationMeter meter(state);
  for (auto _ : state) {
    ByteView input = stream;
    while (!input.empty()) {
      const Frame frame = std::get<Frame>(decoder.next(input));
      if (assembler.is_idle()) {
        assembler.begin(std::get<BasicPublish>(*decode_method(frame.payload)));
      } else {
        benchmark::DoNotOptimize(assembler.on(frame));
      }
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(PublishToMessage)->Arg(16)->Arg(1024)->Arg(100 << 10)->Arg(4 << 20);

}  // namespace
}  // namespace quorate::amqp
