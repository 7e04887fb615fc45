#include "broker/http/vhost_json.h"

#include <boost/json/array.hpp>

#include "broker/http/json_fields.h"
#include "broker/http/queue_json.h"

namespace quorate::http {

boost::json::object vhost_metadata_json(const cluster::Vhost& vhost, const BrokerView& view) {
  const cluster::VhostMetadata& metadata = vhost.metadata;
  return {{"description", json_text(metadata.description)},
          {"tags", json_strings(metadata.tags)},
          {"default_queue_type",
           metadata.default_queue_type ? queue_type(*metadata.default_queue_type) : view.default_queue_type()},
          {"relaxed_checks_on_redeclaration", metadata.relaxed_redeclaration}};
}

}  // namespace quorate::http
