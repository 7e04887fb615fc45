// A broker that keeps nothing: it shakes hands, reads whatever is published and forgets it, and to a consumer it writes
// the same deliveries for ever. What a load generator reaches against it is what the generator can do at most.
// One connection after the other, on a thread of its own, with plain blocking calls.
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/overloaded.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"

namespace quorate::bench {

class AmqpSink {
 public:
  /// Deliveries have bodies of `body_size` octets.
  explicit AmqpSink(std::size_t body_size) : body_(body_size) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    CHECK_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    CHECK_EQ(::listen(listener_, 16), 0);
    CHECK_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~AmqpSink() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string port() const { return std::to_string(port_); }
  /// What its thread has used.
  double cpu_us() {
    clockid_t clock{};
    timespec time{};
    CHECK_EQ(::pthread_getcpuclockid(thread_.native_handle(), &clock), 0);
    CHECK_EQ(::clock_gettime(clock, &time), 0);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  }

 private:
  void serve() {
    for (int client = ::accept(listener_, nullptr, nullptr); client >= 0;
         client = ::accept(listener_, nullptr, nullptr)) {
      const int yes = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
      delivering_ = closed_ = false;
      talk(client);
      ::close(client);
    }
  }

  void talk(int client) {
    std::vector<std::byte> slab(1u << 20);
    std::size_t held = 0;
    amqp::FrameDecoder decoder(0);
    bool greeted = false;
    while (!closed_) {
      if (delivering_ && !is_readable(client)) {
        if (::send(client, deliveries_.data(), deliveries_.size(), MSG_NOSIGNAL) < 0) return;
        continue;
      }
      const ssize_t size = ::recv(client, slab.data() + held, slab.size() - held, 0);
      if (size <= 0) return;
      ByteView input(slab.data(), held + static_cast<std::size_t>(size));
      if (!greeted && input.size() >= amqp::kProtocolHeaderBytes) {
        greeted = true;
        input = input.subspan(amqp::kProtocolHeaderBytes);
        answer(amqp::ConnectionStart{.version_minor = 9, .mechanisms = "PLAIN", .locales = "en_US"}, ChannelId{0});
      }
      for (auto frame = decoder.next(input); std::holds_alternative<amqp::Frame>(frame); frame = decoder.next(input)) {
        on_frame(std::get<amqp::Frame>(frame));
      }
      held = input.size();
      std::copy(input.begin(), input.end(), slab.begin());
      if (!out_.empty() && ::send(client, out_.data(), out_.size(), MSG_NOSIGNAL) < 0) return;
      out_.clear();
    }
  }

  static bool is_readable(int client) {
    pollfd look{.fd = client, .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) > 0;
  }

  void on_frame(const amqp::Frame& frame) {
    if (frame.type != amqp::FrameType::method) return;
    constexpr std::byte kPublish[] = {std::byte{0}, std::byte{60}, std::byte{0}, std::byte{40}};
    if (std::equal(std::begin(kPublish), std::end(kPublish), frame.payload.begin())) return;
    const auto method = amqp::decode_method(frame.payload);
    CHECK(method.has_value());
    std::visit(Overloaded{[&](const amqp::ConnectionStartOk&) {
                            answer(amqp::ConnectionTune{.channel_max = 2047, .frame_max = 131'072}, frame.channel);
                          },
                          [&](const amqp::ConnectionOpen&) { answer(amqp::ConnectionOpenOk{}, frame.channel); },
                          [&](const amqp::ChannelOpen&) { answer(amqp::ChannelOpenOk{}, frame.channel); },
                          [&](const amqp::BasicConsume&) {
                            answer(amqp::BasicConsumeOk{.consumer_tag = "c"}, frame.channel);
                            begin_to_deliver(frame.channel);
                          },
                          [&](const amqp::ConnectionClose&) {
                            answer(amqp::ConnectionCloseOk{}, frame.channel);
                            closed_ = true;
                          },
                          [](const auto&) {}},
               *method);
  }

  void answer(const amqp::Method& method, ChannelId channel) { amqp::append_method_frame(out_, channel, method); }

  void begin_to_deliver(ChannelId channel) {
    constexpr std::size_t kBatchBytes = 256u << 10;
    const std::vector<std::byte> no_properties(sizeof(std::uint16_t));
    deliveries_.clear();
    while (deliveries_.size() < kBatchBytes) {
      amqp::append_method_frame(deliveries_, channel,
                                amqp::BasicDeliver{.consumer_tag = "c", .delivery_tag = 1, .routing_key = "sink"});
      amqp::append_content_header(deliveries_, channel, 60, body_.size(), no_properties);
      amqp::append_body_frames(deliveries_, channel, body_, 131'072);
    }
    delivering_ = true;
  }

  std::vector<std::byte> body_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<std::byte> out_;
  std::vector<std::byte> deliveries_;
  bool delivering_ = false;
  bool closed_ = false;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace quorate::bench
