// Producers, consumers and churners by hand: what they append when they are asked, without a socket and with a time
// that the test moves.
#include <gtest/gtest.h>

#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"
#include "broker/perf/churner.h"
#include "broker/perf/consumer.h"
#include "broker/perf/message_template.h"
#include "broker/perf/producer.h"

namespace quorate::perf {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Instant kBegin{std::chrono::seconds(100)};
constexpr ChannelId kChannel{1};
constexpr std::uint32_t kFrameMax = 4096;
constexpr std::size_t kEnough = 1u << 20;

Plan one_queue() {
  Plan plan;
  plan.id = "t";
  plan.queues = {"q"};
  plan.size = {.min = 16, .max = 16};
  plan.run_base = 1000;
  return plan;
}

/// Frames as text: methods as logs print them, `header N` and `body N` with their sizes.
std::vector<std::string> print_frames(const std::vector<std::byte>& bytes) {
  std::vector<std::string> lines;
  amqp::FrameDecoder decoder(kFrameMax);
  ByteView input(bytes);
  while (!input.empty()) {
    const amqp::FrameResult result = decoder.next(input);
    const auto* frame = std::get_if<amqp::Frame>(&result);
    if (frame == nullptr) return {"no frame"};
    if (frame->type == amqp::FrameType::method) {
      lines.push_back(amqp::print(*amqp::decode_method(frame->payload)));
    } else if (frame->type == amqp::FrameType::header) {
      lines.push_back("header " + std::to_string(amqp::decode_content_header(frame->payload).body_size));
    } else {
      lines.push_back("body " + std::to_string(frame->payload.size()));
    }
  }
  return lines;
}

using Lines = std::vector<std::string>;

/// Whole messages among the frames, with their stamps.
std::vector<ReadStamp> read_stamps(const std::vector<std::byte>& bytes) {
  std::vector<ReadStamp> stamps;
  IncomingReader reader;
  amqp::FrameDecoder decoder(kFrameMax);
  ByteView input(bytes);
  while (!input.empty()) {
    const amqp::Frame frame = std::get<amqp::Frame>(decoder.next(input));
    if (frame.type == amqp::FrameType::method) {
      reader.begin(amqp::BasicDeliver{});
    } else if (reader.on(frame) == IncomingReader::Outcome::whole) {
      EXPECT_TRUE(read_stamp(reader.message().stamp_bytes(), stamps.emplace_back()));
    }
  }
  return stamps;
}

Incoming delivery(std::uint64_t tag, std::uint32_t producer, std::uint64_t sequence, Instant sent) {
  Incoming message{.delivery_tag = tag, .body_size = 16, .prefix_size = 16};
  write_stamp(message.prefix.data(), 16, {.sent = sent, .producer = producer, .sequence = sequence});
  return message;
}

struct ProducerWorld {
  explicit ProducerWorld(Plan of) : plan(std::move(of)), producer(plan, 0, kChannel, kFrameMax, stats) {}

  /// What the producer appends at that time, as stamps.
  std::vector<ReadStamp> pump(Duration since_begin, std::size_t enough = kEnough) {
    out.clear();
    next = producer.pump(out, enough, kBegin + since_begin);
    return read_stamps(out);
  }
  bool hear(const amqp::Method& method, Duration since_begin) {
    return producer.on_method(method, kBegin + since_begin);
  }

  Plan plan;
  Stats stats;
  Producer producer;
  std::vector<std::byte> out;
  Instant next{};
};

}  // namespace

TEST(MessageTemplate, IsAPublicationWithAHeaderAndFramesOfTheSizeNegotiated) {
  const Envelope envelope{.exchange = "x", .routing_key = "k", .mandatory = true, .persistent = true};
  const MessageTemplate messages(kChannel, envelope, {.min = 12, .max = 10'000}, kFrameMax);
  std::vector<std::byte> out;
  messages.append(out, 10'000, {});
  messages.append(out, 12, {});
  EXPECT_LE(out.size(), 2 * messages.bytes_max());
  const std::string publish = "basic.publish exchange=x routing_key=k mandatory=true";
  EXPECT_EQ(print_frames(out),
            (Lines{publish, "header 10000", "body 4088", "body 4088", "body 1824", publish, "header 12", "body 12"}));
}

TEST(MessageTemplate, IsPersistentOnlyIfAsked) {
  for (const bool persistent : {true, false}) {
    std::vector<std::byte> out;
    MessageTemplate(kChannel, {.routing_key = "k", .persistent = persistent}, {16, 16}, 0).append(out, 16, {});
    amqp::FrameDecoder decoder(0);
    ByteView input(out);
    decoder.next(input);
    const auto header = amqp::decode_content_header(std::get<amqp::Frame>(decoder.next(input)).payload);
    EXPECT_EQ(amqp::PropertiesView::parse(header.properties)->is_persistent(), persistent);
  }
}

TEST(IncomingReader, KeepsTheStampOfABodyInSmallPieces) {
  IncomingReader reader;
  reader.begin(amqp::BasicDeliver{.delivery_tag = 9, .redelivered = true});
  std::vector<std::byte> frames;
  amqp::append_content_header(frames, kChannel, 60, 20, std::vector<std::byte>(2));
  std::vector<std::byte> body(20);
  write_stamp(body.data(), 20, {.sent = kBegin, .producer = 3, .sequence = 4});
  amqp::append_body_frames(frames, kChannel, body, 8 + 7);  // seven octets each
  amqp::FrameDecoder decoder(0);
  ByteView input(frames);
  for (const auto wanted : {IncomingReader::Outcome::more, IncomingReader::Outcome::more, IncomingReader::Outcome::more,
                            IncomingReader::Outcome::whole}) {
    EXPECT_EQ(reader.on(std::get<amqp::Frame>(decoder.next(input))), wanted);
  }
  EXPECT_EQ(reader.message().delivery_tag, 9u);
  EXPECT_TRUE(reader.message().redelivered);
  EXPECT_EQ(reader.message().body_size, 20u);
  EXPECT_EQ(print_frames(frames).size(), 4u);
  ReadStamp stamp;
  ASSERT_TRUE(read_stamp(reader.message().stamp_bytes(), stamp));
  EXPECT_EQ(stamp.sequence, 4u);
}

TEST(IncomingReader, RefusesWhatDoesNotBelong) {
  const amqp::Frame body{.type = amqp::FrameType::body, .channel = kChannel, .payload = {}};
  IncomingReader idle;
  EXPECT_EQ(idle.on(body), IncomingReader::Outcome::misplaced);
  IncomingReader wants_header;
  wants_header.begin(amqp::BasicReturn{});
  EXPECT_EQ(wants_header.on(body), IncomingReader::Outcome::misplaced);
}

TEST(Producer, SaysNothingBeforeItStartsAndAfterItStops) {
  ProducerWorld world(one_queue());
  EXPECT_TRUE(world.pump(Duration(0)).empty());
  world.producer.start(kBegin);
  EXPECT_FALSE(world.pump(Duration(0), 1).empty());
  world.producer.stop();
  EXPECT_TRUE(world.pump(Duration(0)).empty());
}

TEST(Producer, FillsABatchAndNoMore) {
  ProducerWorld world(one_queue());
  world.producer.start(kBegin);
  const auto stamps = world.pump(microseconds(5), 1000);
  EXPECT_GE(world.out.size(), 1000u);
  EXPECT_LT(world.out.size(), 1100u);
  EXPECT_EQ(world.stats.counters.sent, stamps.size());
  EXPECT_EQ(stamps[3].sequence, 3u);
  EXPECT_EQ(stamps[3].producer, 1000u);
  EXPECT_EQ(stamps[3].sent, kBegin + microseconds(5));
}

TEST(Producer, KeepsItsWindowAndMeasuresConfirms) {
  Plan plan = one_queue();
  plan.confirm_window = 2;
  ProducerWorld world(plan);
  world.producer.start(kBegin);
  EXPECT_EQ(world.pump(Duration(0)).size(), 2u);
  EXPECT_EQ(world.next, Instant::max());  // only a confirm helps
  EXPECT_TRUE(world.hear(amqp::BasicAck{.delivery_tag = 2, .multiple = true}, milliseconds(3)));
  EXPECT_EQ(world.stats.counters.confirmed, 2u);
  EXPECT_EQ(world.stats.confirm_latency.max(), milliseconds(3));
  EXPECT_EQ(world.pump(milliseconds(3)).size(), 2u);
  EXPECT_TRUE(world.hear(amqp::BasicNack{.delivery_tag = 3}, milliseconds(4)));
  EXPECT_EQ(world.stats.counters.nacked, 1u);
  EXPECT_EQ(world.producer.excused(), (std::vector<std::uint64_t>{2, 3}));  // refused, and not answered
  EXPECT_FALSE(world.hear(amqp::BasicAck{.delivery_tag = 9}, milliseconds(4)));
  EXPECT_FALSE(world.hear(amqp::ChannelFlow{}, milliseconds(4)));
}

TEST(Producer, CountsFromTheTimeThatWasMeantWhenTheBrokerIsLate) {
  Plan plan = one_queue();
  plan.confirm_window = 1;
  plan.publish_rate = 1000;
  ProducerWorld world(plan);
  world.producer.start(kBegin);
  ASSERT_EQ(world.pump(Duration(0)).size(), 1u);
  world.hear(amqp::BasicAck{.delivery_tag = 1}, milliseconds(5));  // four more were meant to be under way
  const auto stamps = world.pump(milliseconds(5));
  ASSERT_EQ(stamps.size(), 1u);
  EXPECT_EQ(stamps[0].sent, kBegin + milliseconds(1));
  world.hear(amqp::BasicAck{.delivery_tag = 2}, milliseconds(6));
  EXPECT_EQ(world.stats.confirm_latency.max(), milliseconds(5));
}

TEST(Producer, WaitsForTheTimeOfItsNextMessage) {
  Plan plan = one_queue();
  plan.publish_rate = 1000;
  ProducerWorld world(plan);
  world.producer.start(kBegin);
  EXPECT_EQ(world.pump(microseconds(2500)).size(), 3u);
  EXPECT_EQ(world.next, kBegin + milliseconds(3));
}

TEST(Producer, StartsInTurnWithTheOthers) {
  Plan plan = one_queue();
  plan.publish_rate = 1;
  plan.producers = 4;
  Stats stats;
  Producer third(plan, 2, kChannel, kFrameMax, stats);
  third.start(kBegin);
  std::vector<std::byte> out;
  EXPECT_EQ(third.pump(out, kEnough, kBegin), kBegin + milliseconds(500));
}

TEST(Producer, EndsWithItsCount) {
  Plan plan = one_queue();
  plan.publish_count = 3;
  plan.confirm_window = 10;
  ProducerWorld world(plan);
  world.producer.start(kBegin);
  EXPECT_FALSE(world.producer.is_finished());
  EXPECT_EQ(world.pump(Duration(0)).size(), 3u);
  EXPECT_TRUE(world.producer.is_finished());
  EXPECT_TRUE(world.pump(Duration(0)).empty());
  EXPECT_EQ(world.producer.outstanding(), 3u);
}

TEST(Producer, ExcusesWhatCameBack) {
  ProducerWorld world(one_queue());
  world.producer.start(kBegin);
  world.pump(Duration(0), 1000);
  Incoming returned = delivery(0, 1000, 1, kBegin);
  returned.returned = true;
  EXPECT_TRUE(world.producer.on_message(returned, kBegin));
  EXPECT_EQ(world.stats.counters.returned, 1u);
  EXPECT_EQ(world.producer.excused(), std::vector<std::uint64_t>{1});
}

TEST(Producer, DrawsSizesFromTheWholeRange) {
  Plan plan = one_queue();
  plan.size = {.min = 12, .max = 14};
  plan.publish_count = 100;
  ProducerWorld world(plan);
  world.producer.start(kBegin);
  world.pump(Duration(0));
  const Lines lines = print_frames(world.out);
  EXPECT_EQ(lines.size(), 300u);
  for (const char* body : {"body 12", "body 13", "body 14"}) EXPECT_GT(std::ranges::count(lines, body), 10) << body;
}

namespace {

struct ConsumerWorld {
  explicit ConsumerWorld(Plan of) : plan(std::move(of)), consumer(plan, 0, kChannel, kBegin, stats, flows) {}

  void deliver(std::uint64_t tag, std::uint64_t sequence, Duration since_begin = milliseconds(1)) {
    EXPECT_TRUE(consumer.on_message(delivery(tag, 1000, sequence, kBegin), kBegin + since_begin));
  }
  Lines pump() {
    std::vector<std::byte> out;
    consumer.pump(out, kEnough, kBegin);
    return print_frames(out);
  }

  Plan plan;
  Stats stats;
  SeenFlows flows;
  Consumer consumer;
};

}  // namespace

TEST(Consumer, AcknowledgesEachMessage) {
  ConsumerWorld world(one_queue());
  world.deliver(1, 0);
  world.deliver(2, 1);
  EXPECT_EQ(world.pump(), (Lines{"basic.ack delivery_tag=1", "basic.ack delivery_tag=2"}));
  EXPECT_TRUE(world.pump().empty());
}

TEST(Consumer, AcknowledgesSeveralAtOnceAndTheRestAtTheEnd) {
  Plan plan = one_queue();
  plan.multi_ack_every = 3;
  ConsumerWorld world(plan);
  for (std::uint64_t tag = 1; tag <= 7; ++tag) world.deliver(tag, tag - 1);
  EXPECT_EQ(world.pump(), Lines{"basic.ack delivery_tag=6 multiple=true"});
  world.consumer.finish();
  EXPECT_EQ(world.pump(),
            (Lines{"basic.ack delivery_tag=7 multiple=true", "basic.cancel consumer_tag=t-0 no_wait=true"}));
}

TEST(Consumer, AcknowledgesNothingWithAutoAck) {
  Plan plan = one_queue();
  plan.auto_ack = true;
  ConsumerWorld world(plan);
  world.deliver(1, 0);
  EXPECT_TRUE(world.pump().empty());
  world.consumer.finish();
  EXPECT_EQ(world.pump(), Lines{"basic.cancel consumer_tag=t-0 no_wait=true"});
}

TEST(Consumer, JudgesItsOwnRunOnly) {
  ConsumerWorld world(one_queue());
  world.deliver(1, 0, milliseconds(2));
  world.consumer.on_message(delivery(2, 999, 0, kBegin), kBegin + milliseconds(9));                  // another run's
  world.consumer.on_message(delivery(3, 1000, 1, kBegin - milliseconds(1)), kBegin);                 // an earlier one's
  world.consumer.on_message(Incoming{.delivery_tag = 4, .body_size = 0}, kBegin + milliseconds(9));  // nobody's
  EXPECT_EQ(world.stats.counters.received, 4u);
  EXPECT_EQ(world.stats.flows.unique, 1u);
  EXPECT_EQ(world.stats.delivery_latency.count(), 1u);
  EXPECT_EQ(world.stats.delivery_latency.max(), milliseconds(2));
  EXPECT_EQ(world.flows.size(), 1u);
}

TEST(Consumer, GivesBackWhatComesAfterItsCount) {
  Plan plan = one_queue();
  plan.consume_count = 2;
  plan.multi_ack_every = 5;
  ConsumerWorld world(plan);
  for (std::uint64_t tag = 1; tag <= 4; ++tag) world.deliver(tag, tag - 1);
  EXPECT_TRUE(world.consumer.is_finished());
  EXPECT_EQ(world.stats.counters.received, 2u);
  EXPECT_EQ(world.pump(), (Lines{"basic.ack delivery_tag=2 multiple=true", "basic.cancel consumer_tag=t-0 no_wait=true",
                                 "basic.nack delivery_tag=4 multiple=true requeue=true"}));
  EXPECT_TRUE(world.pump().empty());
}

TEST(Consumer, KeepsItsRateAndDoesNotCatchUpAfterIdleTime) {
  Plan plan = one_queue();
  plan.consume_rate = 1000;
  ConsumerWorld world(plan);
  EXPECT_LE(world.consumer.resume_at(), kBegin);
  world.deliver(1, 0, milliseconds(0));
  EXPECT_EQ(world.consumer.resume_at(), kBegin + milliseconds(1));
  world.deliver(2, 1, microseconds(1500));  // we were late, and make up for it
  EXPECT_EQ(world.consumer.resume_at(), kBegin + milliseconds(2));
  world.deliver(3, 2, std::chrono::seconds(5));
  EXPECT_EQ(world.consumer.resume_at(), kBegin + std::chrono::seconds(5) + milliseconds(1));
}

TEST(Churner, DeclaresAndDeletesUpToItsWindow) {
  Plan plan = one_queue();
  plan.churn = Churn::queues;
  plan.churn_outstanding = 2;
  Stats stats;
  DeclarationChurner churner(plan, 4, kChannel, stats);
  std::vector<std::byte> out;
  churner.pump(out, kEnough, kBegin);
  EXPECT_TRUE(out.empty());
  churner.start();
  churner.pump(out, kEnough, kBegin);
  EXPECT_EQ(print_frames(out), (Lines{"queue.declare queue=q-churn-4-0", "queue.delete queue=q-churn-4-0",
                                      "queue.declare queue=q-churn-4-1", "queue.delete queue=q-churn-4-1"}));
  EXPECT_TRUE(churner.on_method(amqp::QueueDeclareOk{}, kBegin));
  EXPECT_EQ(stats.counters.operations, 0u);
  EXPECT_TRUE(churner.on_method(amqp::QueueDeleteOk{}, kBegin));
  EXPECT_EQ(stats.counters.operations, 1u);
  churner.stop();
  EXPECT_FALSE(churner.is_idle());
  EXPECT_TRUE(churner.on_method(amqp::QueueDeleteOk{}, kBegin));
  EXPECT_TRUE(churner.is_idle());
  EXPECT_FALSE(churner.on_method(amqp::QueueDeleteOk{}, kBegin));  // nobody asked
}

TEST(Churner, BindsAndUnbinds) {
  Plan plan = one_queue();
  plan.churn = Churn::bindings;
  Stats stats;
  DeclarationChurner churner(plan, 0, kChannel, stats);
  churner.start();
  std::vector<std::byte> out;
  churner.pump(out, kEnough, kBegin);
  EXPECT_EQ(print_frames(out), (Lines{"queue.bind queue=q-churn-0 exchange=amq.direct routing_key=q-churn-0-0",
                                      "queue.unbind queue=q-churn-0 exchange=amq.direct routing_key=q-churn-0-0"}));
}

TEST(Churner, OpensAndClosesItsChannelInTurn) {
  Stats stats;
  ChannelChurner churner(kChannel, stats);
  const auto pump = [&] {
    std::vector<std::byte> out;
    churner.pump(out, kEnough, kBegin);
    return print_frames(out);
  };
  churner.start();
  EXPECT_EQ(pump(), Lines{"channel.open"});
  EXPECT_TRUE(pump().empty());
  EXPECT_TRUE(churner.on_method(amqp::ChannelOpenOk{}, kBegin));
  EXPECT_EQ(pump(), Lines{"channel.close reply_code=200 reply_text=Goodbye class_id=0 method_id=0"});
  EXPECT_TRUE(churner.on_method(amqp::ChannelCloseOk{}, kBegin));
  EXPECT_EQ(stats.counters.operations, 1u);
  EXPECT_EQ(pump(), Lines{"channel.open"});
}

}  // namespace quorate::perf
