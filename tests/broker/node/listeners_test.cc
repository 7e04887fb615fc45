// Where a node listens: on every address that a host name leads to and this machine has.
#include "broker/node/listeners.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/script/world.h"

namespace quorate {
namespace {

class ListenersTest : public testing::Test {
 protected:
  /// The addresses at which a listener on `host` is open, or why there is none.
  std::string open(const std::string& host, const std::vector<std::string>& behind, std::uint16_t port = 0) {
    config_.tcp_listeners = {{.name = "default", .host = host, .port = port}};
    Listeners listeners(config_, {&world_.node_shard()}, [&](const std::string& name) {
      EXPECT_EQ(name, host);
      return behind.empty() ? Result<std::vector<std::string>>(failure(ErrorCode::not_found, "no such name")) : behind;
    });
    if (auto opened = listeners.open(); !opened) return opened.error().text;
    std::string addresses;
    for (const http::ListenerRow& row : listeners.rows()) {
      EXPECT_NE(row.port, 0);
      addresses += (addresses.empty() ? "" : " ") + row.address;
    }
    return addresses;
  }

  /// Of the net 192.0.2.0/24, which nobody has (RFC 5737).
  const std::string nobodys_ = "192.0.2.1";
  Config config_;
  script::World world_;
};

TEST_F(ListenersTest, ANameMeansAllItsAddresses) {
  EXPECT_EQ(open("both", {"127.0.0.1", "127.0.0.2"}), "127.0.0.1 127.0.0.2");
  EXPECT_EQ(open("127.0.0.3", {}), "127.0.0.3") << "an address is not looked up";
  const std::string of_both_families = open("both", {"127.0.0.1", "::1"});
  EXPECT_EQ(of_both_families, open("::1", {}) == "::1" ? "127.0.0.1 ::1" : "127.0.0.1");
}

TEST_F(ListenersTest, AnAddressThatTheMachineDoesNotHaveIsLeftOutIfThereIsAnother) {
  EXPECT_EQ(open("one", {"127.0.0.1", nobodys_}), "127.0.0.1");
  const std::string refused = "cannot listen on 192.0.2.1:0: ";
  EXPECT_TRUE(open("none", {nobodys_}).starts_with(refused));
  EXPECT_TRUE(open(nobodys_, {}).starts_with(refused));
  EXPECT_EQ(open("nowhere", {}), "listener 'default': 'nowhere' is no address of this machine");
}

TEST_F(ListenersTest, AnAddressThatSomebodyHasEndsTheStart) {
  boost::asio::io_context io;
  const auto loopback = boost::asio::ip::address_v4::loopback();
  const boost::asio::ip::tcp::acceptor somebody(io, {loopback, 0});
  const std::string refused = open("both", {"127.0.0.2", "127.0.0.1"}, somebody.local_endpoint().port());
  EXPECT_TRUE(refused.starts_with("cannot listen on 127.0.0.1:")) << refused;
  EXPECT_TRUE(refused.ends_with("is another broker running?")) << refused;
}

}  // namespace
}  // namespace quorate
