// QueueRows: rows of queues out of what the metadata and their leaders say. It knows the nodes as they are at one
// moment, so it may be taken to another thread.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "broker/http/broker_view.h"
#include "broker/node/cluster_link.h"
#include "broker/node/row_json.h"
#include "cluster/metadata/topology.h"

namespace quorate {

class QueueRows {
 public:
  struct Member {
    std::string name;
    bool live = false;
  };
  /// `link` knows the names of those that were members once; it outlives the rows' maker.
  QueueRows(std::map<NodeId, Member> members, const ClusterLink& link) : members_(std::move(members)), link_(link) {}

  /// `counts`: by the leader's node; nothing when that does not answer.
  http::QueueRow row(const cluster::QueuePtr& definition, std::optional<NodeId> leader, const LedQueue* counts) const;

 private:
  std::string name_of(NodeId node) const;
  bool is_live(NodeId node) const;

  std::map<NodeId, Member> members_;
  const ClusterLink& link_;
};

}  // namespace quorate
