// A client's connection to a broker: the handshake, requests and their answers, then two loops that read and write in
// large pieces. While nothing is being written, agents are asked for more (pump), so a write holds whatever a batch of
// incoming frames, a confirm or a due time has made possible.
// Belongs to one io_context and its one thread. Frames are read where they arrived; nothing is allocated per message.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "broker/perf/agent.h"
#include "broker/perf/uri.h"

namespace quorate::perf {

class Connection {
 public:
  using OnFailure = std::function<void(const std::string&)>;

  /// `name` is for error texts. `on_failure` is called once, when the loops run and the broker closes a channel or the
  /// connection, or says what it may not. Must outlive all that runs on `io`.
  Connection(boost::asio::io_context& io, const Clock& clock, std::string name, OnFailure on_failure);

  /// Connects and shakes hands.
  boost::asio::awaitable<Result<void>> open(Uri uri);
  /// Leaves with the next write; borrows only during the call.
  void send(ChannelId channel, const amqp::Method& method) { amqp::append_method_frame(out_, channel, method); }
  /// The next method of that id on that channel; whatever comes before goes to its agent. Before start() only.
  boost::asio::awaitable<Result<amqp::OwnedMethod>> answer(ChannelId channel, std::uint32_t id);
  /// send() and answer(); borrows only during the call.
  boost::asio::awaitable<Result<amqp::OwnedMethod>> call(ChannelId channel, const amqp::Method& method,
                                                         std::uint32_t answer_id) {
    send(channel, method);
    return answer(channel, answer_id);
  }
  boost::asio::awaitable<Result<void>> open_channel(ChannelId channel);

  /// `agent` gets what comes on `channel`; it outlives the loops.
  void attach(ChannelId channel, Agent& agent);
  /// From now on the loops run, until close() or a failure.
  void start();
  /// Agents may have more to say.
  void pump();
  /// Says connection.close after what agents still have to say, of which there should be little; the loops end with its
  /// answer.
  void close();
  /// Closes the socket without a word.
  void drop();

  bool is_over() const { return !socket_.is_open(); }
  /// Nothing is being written: before start(), a connection that is over and quiet may be destroyed.
  bool is_quiet() const { return sending_.empty(); }
  std::uint32_t frame_max_bytes() const { return frame_max_bytes_; }

 private:
  struct Slot {
    Agent* agent = nullptr;
    IncomingReader reader;
  };

  boost::asio::awaitable<Result<void>> shake_hands(Uri uri);
  boost::asio::awaitable<void> read_loop();
  boost::asio::awaitable<bool> read_some();
  boost::asio::awaitable<void> pause();
  bool is_paused(Instant now) const { return started_ && !closing_ && resume_at_ > now; }
  void process(Instant now);
  void on_frame(const amqp::Frame& frame, Instant now);
  void on_method(const amqp::Frame& frame, Instant now);
  void on_content(const amqp::Frame& frame, Slot& slot, Instant now);
  bool dispatch(const amqp::Method& method, ChannelId channel, Instant now);
  bool is_awaited(const amqp::Frame& frame) const;
  /// What agents have to say goes into out_; returns the earliest time at which one of them wants to be asked again.
  Instant gather();
  void write();
  void arm(Instant next);
  void fail(std::string text);

  const Clock& clock_;
  std::string name_;
  OnFailure on_failure_;
  boost::asio::io_context& io_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;   // for agents' due times
  boost::asio::steady_timer resume_;  // for a consumer that wants to read on later
  std::uint32_t frame_max_bytes_ = 0;
  amqp::FrameDecoder decoder_;

  std::vector<std::byte> slab_;  // Invariant: [begin_, end_) of it was read and not processed
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::vector<std::byte> out_;      // to be written next
  std::vector<std::byte> sending_;  // being written; empty = nothing is
  std::vector<Slot> slots_;         // by channel
  std::vector<ChannelId> pumped_;   // channels with an agent
  std::size_t first_pumped_ = 0;    // whose turn it is to go first
  Instant armed_at_ = Instant::max();
  Instant resume_at_ = Instant::min();  // nothing is processed before
  bool is_held_back_ = false;           // frames may be left in the slab for that reason

  struct Awaited {
    ChannelId channel;
    std::uint32_t id = 0;  // 0 = nothing is awaited
  };
  Awaited awaited_;
  std::optional<amqp::OwnedMethod> answer_;
  std::string failure_;  // "" = none
  bool started_ = false;
  bool closing_ = false;
};

}  // namespace quorate::perf
