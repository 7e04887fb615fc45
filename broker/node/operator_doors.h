// The operator's ways into a node: the HTTP API on its TCP port, and the control commands on a unix socket in the data
// directory. Both see the node through one NodeView and live on shard 0.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/ctl/control.h"
#include "broker/http/api.h"
#include "broker/http/server.h"
#include "broker/node/config.h"
#include "broker/node/node_view.h"

namespace quorate {

class OperatorDoors {
 public:
  /// All borrowed: the node outlives its doors.
  explicit OperatorDoors(NodeView::Parts parts);

  /// Opens both listeners, before any shard runs; `listeners` are those of the clients.
  Result<void> open(std::vector<http::ListenerRow> listeners);
  /// "[::]:15672 (http)"
  std::vector<std::string> names() const;

  // On shard 0:
  /// From here on operators are answered, whether or not clients are served.
  void start();
  void stop();
  NodeView& view() { return view_; }

 private:
  const Config& config_;
  NodeView view_;
  http::Api api_;
  ctl::Control control_;
  http::Server api_server_;
  http::Server control_server_;
  std::vector<std::string> names_;
};

}  // namespace quorate
