// Aside: a thread of the node for what takes long and belongs to no shard, such as the text of ten thousand rows. The
// shard that asks for it gives beats and serves clients meanwhile.
//
// Threads: made, used and destroyed by one shard's owner; what is under way at its end is waited for, the rest dropped.
#pragma once
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <utility>

#include "cluster/shard.h"

namespace quorate {

class Aside {
 public:
  using Task = std::move_only_function<void()>;

  explicit Aside(cluster::Shard& home) : home_(home) {}

  /// `work` runs on that thread, after everything asked for before; then `then` on the shard.
  void run(Task work, Task then) {
    boost::asio::post(thread_, [&home = home_, work = std::move(work), then = std::move(then)]() mutable {
      work();
      work = nullptr;  // what it held goes here as well
      home.post_from_outside(std::move(then));
    });
  }

 private:
  cluster::Shard& home_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace quorate
