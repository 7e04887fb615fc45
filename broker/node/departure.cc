#include "broker/node/departure.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "base/log.h"
#include "broker/node/cluster_link.h"
#include "broker/node/node_view.h"
#include "broker/node/reset.h"
#include "cluster/formation.h"
#include "cluster/plane/ask_once.h"
#include "storage/directory_lock.h"
#include "storage/snapshot_store.h"

namespace quorate {
namespace {

/// It waits until this node seems dead to it, and for a majority.
constexpr Duration kForgetTimeout = std::chrono::seconds(15);

Result<std::optional<cluster::FormationRecord>> read_record(const Config& config) {
  auto facts = storage::SnapshotStore::open({.path = config.data_dir + "/state"});
  if (!facts) return std::unexpected(facts.error());
  cluster::Formation formation({.node_name = config.node_name}, **facts, nullptr);
  if (auto loaded = formation.load(); !loaded) return std::unexpected(loaded.error());
  return formation.remembered();
}

/// Nothing to do for a node that is alone.
Result<void> leave_cluster(const Config& config, bool force) {
  const auto record = read_record(config);
  if (!record) return std::unexpected(record.error());
  if (!*record) return {};
  const std::string words = boost::json::serialize(
      boost::json::object{{"what", "forget"}, {"node", (*record)->self.value()}, {"force", force}});
  std::string refusals;
  for (const cluster::ClusterNode& node : (*record)->nodes) {
    if (node.id == (*record)->self) continue;
    const std::string question = ClusterLink::question_head((*record)->cluster_id, node.id) + words;
    const auto answer =
        cluster::ask_once(plane_options(config.cluster), {.name = node.name, .host = node.host, .port = node.port},
                          std::string(NodeView::kQuestion), Bytes::copy_of(question), kForgetTimeout);
    if (answer) {
      log::info(log::Category::general, "cluster.left forgotten_by={}", node.name);
      return {};
    }
    refusals += (refusals.empty() ? "" : "; ") + node.name + ": " + answer.error().text;
  }
  if (refusals.empty()) return {};
  return failure(ErrorCode::unavailable, std::move(refusals));
}

}  // namespace

Result<void> reset_node(const Config& config, const http::Order& order, const Situation& situation) {
  const auto lock = storage::DirectoryLock::acquire(config.data_dir);
  if (!lock) return std::unexpected(lock.error());
  if (auto left = situation.was_forgotten ? Result<void>() : leave_cluster(config, order.force); !left) {
    if (!order.force) {
      return failure(
          ErrorCode::unavailable,
          "the cluster could not be told, so nothing was removed (--force goes without that): " + left.error().text);
    }
    log::warn(log::Category::general, "cluster.not_told reason=\"{}\"; run forget_cluster_node {} there",
              left.error().text, config.node_name);
  }
  const bool joins = order.kind == http::Order::Kind::join_cluster;
  auto announced = announce_reset(config.data_dir, joins ? std::optional(order.join) : std::nullopt);
  return announced ? carry_out_reset(config.data_dir) : announced;
}

}  // namespace quorate
