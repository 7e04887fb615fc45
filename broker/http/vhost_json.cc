#include "broker/http/vhost_json.h"

#include <boost/json/array.hpp>

#include "broker/http/json_fields.h"
#include "broker/http/queue_json.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

json::object metadata_json(const cluster::VhostMetadata& metadata, const BrokerView& view) {
  return {{"description", json_text(metadata.description)},
          {"tags", json_strings(metadata.tags)},
          {"default_queue_type",
           metadata.default_queue_type ? queue_type(*metadata.default_queue_type) : view.default_queue_type()},
          {"relaxed_checks_on_redeclaration", metadata.relaxed_redeclaration}};
}

}  // namespace

json::object vhost_json(const cluster::Vhost& vhost, const BrokerView& view) {
  json::object row = metadata_json(vhost.metadata, view);
  row["metadata"] = json::object(row);
  row["name"] = json_text(vhost.name);
  row["protected_from_deletion"] = false;
  row["tracing"] = false;
  row["cluster_state"] = json::object{{view.node_name(), "running"}};
  return row;
}

json::object permission_json(const std::string& user, const std::string& vhost,
                             const cluster::PermissionPatterns& patterns) {
  return {{"user", json_text(user)},
          {"vhost", json_text(vhost)},
          {"configure", json_text(patterns.configure)},
          {"write", json_text(patterns.write)},
          {"read", json_text(patterns.read)}};
}

}  // namespace quorate::http
