// TakeOvers: how many queues this node leads in the place of another one that fell silent. The elections are many and
// the operator wants one number: it is told once they have come to rest. A machine: news and time in, lines out.
#pragma once
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace quorate {

class TakeOvers {
 public:
  /// Without another election, for the number to be told.
  static constexpr Duration kRest = std::chrono::seconds(3);

  /// A queue has its leader here now; before it was on that node. An election may come before the silence is noticed.
  void on_taken(NodeId from, Instant now);
  void on_silent(NodeId node, std::string name, Instant now);
  /// Lines for the log, at any interval.
  void on_beat(Instant now, std::vector<std::string>& out);

 private:
  struct Loss {
    std::string name;  // empty: it is not silent, its leaders were transferred
    std::size_t taken = 0;
    Instant last;
  };
  std::map<NodeId, Loss> losses_;
};

}  // namespace quorate
