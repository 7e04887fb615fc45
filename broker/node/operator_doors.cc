#include "broker/node/operator_doors.h"

#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "broker/http/endpoints.h"
#include "cluster/plane/plane_options.h"

namespace quorate {

OperatorDoors::OperatorDoors(const Config& config, http::BrokerView& view, boost::asio::io_context& io)
    : config_(config),
      api_(view, http::api_routes()),
      control_(view, ctl::commands()),
      api_server_(
          io, [this](http::Request request, http::Reply reply) { api_.serve(std::move(request), std::move(reply)); }),
      control_server_(io, [this](const http::Request& request, http::Reply reply) {
        ctl::serve(control_, request, std::move(reply));
      }) {}

Result<void> OperatorDoors::open() {
  const std::filesystem::path folder = config_.data_dir;
  if (auto opened = control_server_.listen((folder / ctl::kSocketName).string()); !opened) return opened;
  if (config_.management_port != kNoPort) {
    const auto address = boost::asio::ip::make_address(config_.management_ip);
    const auto port = static_cast<std::uint16_t>(config_.management_port);
    const auto endpoint = api_server_.listen({address, port});
    if (!endpoint) return std::unexpected(endpoint.error());
    rows_.push_back(
        {.protocol = "http", .address = endpoint->address().to_string(), .port = endpoint->port(), .is_tls = false});
    names_.push_back(cluster::print_address(endpoint->address().to_string(), endpoint->port()) + " (http)");
  }
  return {};
}

void OperatorDoors::start() {
  api_server_.start();
  control_server_.start();
}

void OperatorDoors::stop() {
  api_server_.stop();
  control_server_.stop();
}

void OperatorDoors::answer(std::string_view words, const std::string& from,
                           std::move_only_function<void(std::string)> done) {
  ctl::answer(control_, words, from, std::move(done));
}

ClusterLink::OnControl answer_on(cluster::Shard& thread, OperatorDoors& doors) {
  return [&thread, &doors](Bytes words, const std::string& from, cluster::AnswerFunction answer) {
    thread.post_from_outside([&doors, words = std::move(words), from, answer = std::move(answer)]() mutable {
      doors.answer(words.text(), from,
                   [answer = std::move(answer)](const std::string& body) mutable { answer(Bytes::copy_of(body)); });
    });
  };
}

}  // namespace quorate
