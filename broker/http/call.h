// One request on its way to an endpoint: who asks, for what, and how to answer. Made by Api; an endpoint moves it into
// whatever it waits for.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/broker_view.h"
#include "broker/http/message.h"
#include "broker/http/router.h"

namespace quorate::http {

/// The user of a request, whose name and password were right. Without a name: nobody, on an endpoint for anyone.
struct Caller {
  std::string name;
  std::vector<std::string> tags;

  /// A higher tag has what a lower one has (management.md §1.5).
  bool has(Access access) const;
  /// Whose objects it is shown: every vhost to an administrator, else those it has permissions in.
  bool sees_vhost(const cluster::Topology& topology, std::string_view vhost) const;
  /// Who is no monitor sees its own.
  bool sees(const ConnectionRow& connection) const { return has(Access::monitoring) || connection.user == name; }
};

struct Call {
  BrokerView& view;
  Caller caller;
  PathValues path;
  Query query;
  Request request;
  Reply reply;

  const cluster::Topology& topology() const { return *view.topology(); }
  bool sees_vhost(std::string_view vhost) const { return caller.sees_vhost(topology(), vhost); }
};

/// The object that the request brings, or nothing after it has been answered with 400.
std::optional<boost::json::object> read_body(Call& call);
/// 200 with one object, pruned by `columns`.
void answer(Call& call, boost::json::value body);
/// 200 with a list, as the query wants it (list_query.h).
Response list_response(boost::json::array rows, const Query& query);
void answer_list(Call& call, boost::json::array rows);
/// 201.
void answer_created(Call& call);
/// 204.
void answer_done(Call& call);
/// {"error": …, "reason": …}
void answer_error(Call& call, unsigned status, std::string_view error, std::string_view reason);
/// 404 as RabbitMQ says it of any object that is not there.
void answer_not_found(Call& call);
/// 401 of a user without the rights.
void answer_refused(Call& call, std::string_view reason);
/// 200 {"status":"ok", …}, or 503 {"status":"failed", …}.
enum class Health : std::uint8_t { ok, failed };
void answer_health(Call& call, Health health, boost::json::object details = {});

Response error_response(unsigned status, std::string_view error, std::string_view reason);

}  // namespace quorate::http
