// PlaneWorld: planes on loopback in one process, with clients that write down what they hear. A test waits for what it
// expects; it never waits for time to pass.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/cursor.h"
#include "cluster/plane/plane.h"

namespace quorate::cluster {

inline std::vector<std::byte> batch_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

/// A client that remembers, and the plane it listens to.
class PlaneNode final : public PlaneClient {
 public:
  struct Frame {
    NodeId from;
    Lane lane;
    Bytes bytes;
  };
  using Kept = std::pair<std::string, AnswerFunction>;

  PlaneNode(NodeId id, PlaneOptions options = {}) : id_(id), options_(std::move(options)) {}
  ~PlaneNode() override { stop(); }

  Result<void> start(Epoch epoch) {
    plane_ = std::make_unique<Plane>(options_, clock_, *this);
    if (auto started = plane_->start(); !started) {
      plane_.reset();
      return started;
    }
    options_.port = plane_->port();  // the same after a restart
    identity_ = {.cluster_id = 7, .node = id_, .node_name = "n" + std::to_string(id_.value()), .epoch = epoch};
    return {};
  }
  void join() { plane_->set_identity(identity_); }
  void stop() {
    open_gate();
    if (plane_ != nullptr) plane_->stop();
    plane_.reset();
    up_.clear();
  }

  Plane& plane() { return *plane_; }
  NodeId id() const { return id_; }
  PeerAddress address() const {
    return {.node = id_, .name = identity_.node_name, .host = "127.0.0.1", .port = options_.port};
  }

  /// `condition` is looked at under mutex_, after every upcall.
  bool eventually(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), condition);
  }
  bool is_up(NodeId peer, Lane lane) const { return up_.contains({peer, lane}); }
  bool wait_up(NodeId peer) {
    return eventually([&] { return is_up(peer, Lane::control) && is_up(peer, Lane::data) && is_up(peer, Lane::bulk); });
  }
  bool wait_down(NodeId peer, Lane lane) {
    return eventually([&] { return !is_up(peer, lane); });
  }
  bool wait_frames(std::size_t count) {
    return eventually([&] { return frames_.size() >= count; });
  }
  bool wait_text(std::string_view text) {
    return eventually([&] { return all_text().find(text) != std::string::npos; });
  }
  /// What came on all lanes so far, one after the other. Under the lock: within eventually(), or when all is quiet.
  std::string all_text() const {
    std::string text;
    for (const Frame& frame : frames_) text += frame.bytes.text();
    return text;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return all_text();
  }

  /// on_frame() waits at it.
  void close_gate() {
    const std::lock_guard lock(mutex_);
    is_gate_open_ = false;
  }
  void open_gate() {
    const std::lock_guard lock(mutex_);
    is_gate_open_ = true;
    changed_.notify_all();
  }

  /// A question and its answer, seen from the asker.
  Result<Bytes> ask(const PeerAddress& to, std::string kind, std::string_view question,
                    Duration timeout = std::chrono::seconds(20)) {
    std::optional<Result<Bytes>> answer;
    plane_->ask(to.host, to.port, std::move(kind), Bytes::copy_of(question), timeout, [&](Result<Bytes> got) {
      const std::lock_guard lock(mutex_);
      answer = std::move(got);
      changed_.notify_all();
    });
    if (!eventually([&] { return answer.has_value(); })) return failure(ErrorCode::unavailable, "never answered");
    return *answer;
  }

  /// Answers the first question that was kept, once there is one.
  bool answer_kept(std::string_view words) {
    if (!eventually([&] { return !kept_.empty(); })) return false;
    std::unique_lock lock(mutex_);
    auto answer = std::move(kept_.front().second);
    kept_.pop_front();
    lock.unlock();
    answer(Bytes::copy_of(words));
    return true;
  }

  // PlaneClient
  Result<void> judge(const Identity& peer) override {
    const std::lock_guard lock(mutex_);
    ++judged_;
    changed_.notify_all();
    if (!refusal_.empty()) return failure(refusal_code_, refusal_);
    if (peer.cluster_id != identity_.cluster_id) return failure(ErrorCode::invalid_argument, "another cluster");
    return {};
  }
  void on_frame(NodeId from, Lane lane, Bytes frame) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_gate_open_; });
    frames_.push_back({from, lane, std::move(frame)});
    changed_.notify_all();
  }
  void on_connection(NodeId peer, Lane lane, bool up) override {
    const std::lock_guard lock(mutex_);
    if (up) {
      EXPECT_TRUE(up_.insert({peer, lane}).second) << "up twice";
    } else {
      EXPECT_EQ(up_.erase({peer, lane}), 1u) << "down without up";
      ++downs_;
    }
    changed_.notify_all();
  }
  void on_trouble(NodeId peer, const Error& why) override {
    const std::lock_guard lock(mutex_);
    troubles_[peer] = why;
    changed_.notify_all();
  }
  void on_question(std::string_view kind, Bytes question, const std::string& from, AnswerFunction answer) override {
    if (kind == "echo") return answer(std::move(question));
    if (kind == "who") return answer(Bytes::copy_of(from));
    if (kind == "fail") return answer(failure(ErrorCode::not_found, "no such thing"));
    const std::lock_guard lock(mutex_);
    if (kind == "keep") kept_.emplace_back(question.text(), std::move(answer));
    changed_.notify_all();
  }

  // Under mutex_, as all that upcalls change.
  std::vector<Frame> frames_;
  std::set<std::pair<NodeId, Lane>> up_;
  std::deque<Kept> kept_;
  std::string refusal_;
  ErrorCode refusal_code_ = ErrorCode::invalid_argument;
  std::map<NodeId, Error> troubles_;  // the last one with each
  int judged_ = 0;
  int downs_ = 0;
  bool is_gate_open_ = true;
  Identity identity_;
  std::mutex mutex_;
  std::condition_variable changed_;

 private:
  const NodeId id_;
  PlaneOptions options_;
  SystemClock clock_;
  std::unique_ptr<Plane> plane_;
};

/// Everybody knows everybody, and waits until all is connected.
inline void connect_all(const std::vector<PlaneNode*>& nodes) {
  for (PlaneNode* node : nodes) {
    std::vector<PeerAddress> peers;
    for (const PlaneNode* other : nodes) {
      if (other != node) peers.push_back(other->address());
    }
    node->join();
    node->plane().set_peers(std::move(peers));
  }
  for (PlaneNode* node : nodes) {
    for (const PlaneNode* other : nodes) {
      ASSERT_TRUE(other == node || node->wait_up(other->id())) << node->id().value() << " to " << other->id().value();
    }
  }
}

}  // namespace quorate::cluster
