#include "broker/node/operator_doors.h"

#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "broker/http/endpoints.h"

namespace quorate {
namespace {

std::string print(const boost::asio::ip::tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

}  // namespace

OperatorDoors::OperatorDoors(NodeView::Parts parts)
    : config_(parts.config),
      view_(parts),
      api_(view_, http::api_routes()),
      control_(view_, ctl::commands()),
      api_server_(
          parts.shards.front()->shard().io(),
          [this](http::Request request, http::Reply reply) { api_.serve(std::move(request), std::move(reply)); }),
      control_server_(parts.shards.front()->shard().io(), [this](const http::Request& request, http::Reply reply) {
        ctl::serve(control_, request, std::move(reply));
      }) {}

Result<void> OperatorDoors::open(std::vector<http::ListenerRow> listeners) {
  const std::filesystem::path folder = config_.data_dir;
  if (auto opened = control_server_.listen((folder / ctl::kSocketName).string()); !opened) return opened;
  if (config_.management_port != kNoPort) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(config_.management_ip, error);
    if (error) {
      return failure(ErrorCode::invalid_argument,
                     "management.tcp.ip: '" + config_.management_ip + "' is no IP address");
    }
    const auto port = static_cast<std::uint16_t>(config_.management_port);
    const auto endpoint = api_server_.listen({address, port});
    if (!endpoint) return std::unexpected(endpoint.error());
    listeners.push_back(
        {.protocol = "http", .address = endpoint->address().to_string(), .port = endpoint->port(), .is_tls = false});
    names_.push_back(print(*endpoint) + " (http)");
  }
  view_.set_listeners(std::move(listeners));
  return {};
}

std::vector<std::string> OperatorDoors::names() const { return names_; }

void OperatorDoors::start() {
  api_server_.start();
  control_server_.start();
}

void OperatorDoors::stop() {
  api_server_.stop();
  control_server_.stop();
}

}  // namespace quorate
