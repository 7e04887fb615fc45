// Any bytes as what a client sends. The first byte chooses: bit 0 = after a login, bit 1 = answers come late, the rest
// = how the bytes are cut into reads. Nothing a client sends may fail a CHECK, and the session always gets to its end.
#include <algorithm>
#include <vector>

#include "tests/fuzz/plain_surroundings.h"

using namespace quorate;
using namespace quorate::amqp;

namespace {

class Client {
 public:
  explicit Client(bool is_answered_late) : is_answered_late_(is_answered_late) {}

  void send(ByteView bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    const std::size_t taken = session_.on_bytes(pending_, now_);
    CHECK_LE(taken, pending_.size());
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!is_answered_late_) settle();
  }
  void settle() {
    for (int i = 0; i < 8; ++i) {
      const bool worked = surroundings_.answer(session_);
      session_.flush();
      session_.outbox().take(batch_);
      session_.on_written(now_);
      if (!worked) return;
    }
  }
  void leave() {
    settle();
    send({});
    now_ += std::chrono::minutes(1);
    session_.on_deadline(now_);
    session_.on_disconnected();
    CHECK(session_.state() == Session::State::closed);
    CHECK(session_.wants_close());
    settle();
    CHECK_EQ(session_.channel_count(), 0u);
  }
  bool is_running() const { return session_.state() == Session::State::running; }

 private:
  const bool is_answered_late_;
  Instant now_{};
  SessionOptions options_{.frame_max_bytes = 8192, .channel_max = 10};
  PlainSurroundings surroundings_;
  Session session_{options_, Peer{.name = "fuzzer", .is_loopback = true}, surroundings_, now_};
  OutboxBatch batch_;
  std::vector<std::byte> pending_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const std::vector<std::byte> login = login_bytes();
  Client client((data[0] & 2) != 0);
  if ((data[0] & 1) != 0) {
    client.send(login);
    CHECK(client.is_running());
  }
  ByteView rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const std::size_t step = data[0] >> 2 == 0 ? rest.size() : static_cast<std::size_t>(data[0] >> 2) * 7;
  while (!rest.empty()) {
    const std::size_t part = std::min(step, rest.size());
    client.send(rest.first(part));
    rest = rest.subspan(part);
  }
  client.leave();
  return 0;
}
