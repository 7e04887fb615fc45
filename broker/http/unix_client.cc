#include "broker/http/unix_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

#include "broker/http/unix_path.h"

namespace quorate::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Local = asio::local::stream_protocol;
using boost::system::error_code;

constexpr unsigned kHttp11 = 11;

class Exchange {
 public:
  explicit Exchange(const Request& request) : socket_(io_) {
    message_.version(kHttp11);
    message_.method_string(request.method);
    message_.target(request.target);
    message_.set(beast::http::field::host, "localhost");
    for (const auto& [name, value] : request.headers) message_.set(name, value);
    message_.keep_alive(false);
    message_.body() = request.body;
    message_.prepare_payload();
    parser_.body_limit(kAnswerMaxBytes);
  }

  std::expected<Response, ClientFault> run(const std::string& path, std::chrono::milliseconds timeout) {
    socket_.async_connect(Local::endpoint(path), [this](error_code error) {
      if (error) return end(ClientFault::Kind::unreachable, error);
      write();
    });
    io_.run_for(timeout);
    if (fault_) return std::unexpected(*fault_);
    if (!parser_.is_done())
      return std::unexpected(ClientFault{.kind = ClientFault::Kind::timeout, .text = "no answer"});
    auto answer = parser_.release();
    return Response{.status = answer.result_int(), .body = std::move(answer.body()), .headers = {}};
  }

 private:
  void write() {
    beast::http::async_write(socket_, message_, [this](error_code error, std::size_t) {
      if (error) return end(ClientFault::Kind::broken, error);
      read();
    });
  }
  void read() {
    beast::http::async_read(socket_, buffer_, parser_, [this](error_code error, std::size_t) {
      if (error) end(ClientFault::Kind::broken, error);
    });
  }
  void end(ClientFault::Kind kind, error_code error) { fault_ = ClientFault{.kind = kind, .text = error.message()}; }

  asio::io_context io_{1};
  Local::socket socket_;
  beast::http::request<beast::http::string_body> message_;
  beast::flat_buffer buffer_;
  beast::http::response_parser<beast::http::string_body> parser_;
  std::optional<ClientFault> fault_;
};

}  // namespace

std::expected<Response, ClientFault> ask(const std::string& socket, const Request& request,
                                         std::chrono::milliseconds timeout) {
  const UnixPath place(socket);
  if (!place.fits()) {
    return std::unexpected(ClientFault{.kind = ClientFault::Kind::unreachable, .text = "no such folder"});
  }
  Exchange exchange(request);
  return exchange.run(place.name(), timeout);
}

}  // namespace quorate::http
