// The operator's ways into a node: the HTTP API on its TCP port, and the control commands on a unix socket in the data
// directory. Both see the node through one view and live on the thread of one io_context, shard 0's as a rule.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/ctl/control.h"
#include "broker/http/api.h"
#include "broker/http/server.h"
#include "broker/node/cluster_link.h"
#include "broker/node/config.h"
#include "cluster/shard.h"

namespace quorate {

class OperatorDoors {
 public:
  /// All borrowed.
  OperatorDoors(const Config& config, http::BrokerView& view, boost::asio::io_context& io);

  /// Opens both listeners, before the thread of `io` runs.
  Result<void> open();
  /// "[::]:15672 (http)"
  const std::vector<std::string>& names() const { return names_; }
  /// The same for programs.
  const std::vector<http::ListenerRow>& rows() const { return rows_; }

  // On the thread of `io`:
  /// From here on operators are answered, whether or not clients are served.
  void start();
  void stop();
  /// A command from another machine, `from` there; `done` gets the body of the answer.
  void answer(std::string_view words, const std::string& from, std::move_only_function<void(std::string)> done);

 private:
  const Config& config_;
  http::Api api_;
  ctl::Control control_;
  http::Server api_server_;
  http::Server control_server_;
  std::vector<std::string> names_;
  std::vector<http::ListenerRow> rows_;
};

/// Commands of other threads that are to be answered by doors on this one; while both are there.
ClusterLink::OnControl answer_on(cluster::Shard& thread, OperatorDoors& doors);

}  // namespace quorate
