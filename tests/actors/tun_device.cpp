// The TUN device of a real kernel, in a network namespace of the test's own.
#define CAF_SUITE actors.tun_device
#include "actors/tun_device.hpp"

#include "tests/support/fresh_network.hpp"

#include "caf/test/unit_test.hpp"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace vpn;
using namespace vpn::actors;
using vpn::test::ip;
using vpn::test::net;

namespace {

struct fixture : test::fresh_network {
  opened_tun open(const tun_device_config& config = {}) {
    auto result = open_tun(config);
    if (!result)
      CAF_FAIL(result.error().text);
    return std::move(*result);
  }

  std::string fail(const std::string& name) {
    auto result = open_tun({name, true});
    if (result)
      CAF_FAIL("opened what cannot be: " << name);
    return result.error().text;
  }

  /// Gives the device a network and sends one datagram into it.
  void send_into(const opened_tun& tun) {
    CAF_REQUIRE(kernel.set_link(
      index(tun.name),
      {std::nullopt, std::nullopt, std::nullopt, address_generation_none}));
    set_up(tun.name, true);
    CAF_REQUIRE(kernel.add_address({index(tun.name), net("10.8.0.2/24"), {}}));
    unique_fd s{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    to.sin_addr.s_addr = htonl(0x0a080001);
    CAF_REQUIRE_EQUAL(::sendto(s.get(), "hello", 5, 0,
                               reinterpret_cast<sockaddr*>(&to), sizeof(to)),
                      5);
  }
};

constexpr ssize_t datagram_size = 20 + 8 + 5;

} // namespace

CAF_TEST_FIXTURE_SCOPE(tun_device_tests, fixture)

CAF_TEST(the next free device is taken and named) {
  auto first = open();
  auto second = open();
  CAF_CHECK_EQUAL(first.name, "tun0");
  CAF_CHECK_EQUAL(second.name, "tun1");
  auto third = open({"my-vpn", true});
  CAF_CHECK_EQUAL(third.name, "my-vpn");
  CAF_CHECK(index("my-vpn") != 0);
}

CAF_TEST(the descriptor does not block and does not survive exec) {
  auto tun = open();
  CAF_CHECK(::fcntl(tun.fd.get(), F_GETFL) & O_NONBLOCK);
  CAF_CHECK(::fcntl(tun.fd.get(), F_GETFD) & FD_CLOEXEC);
  auto second = tun.fd.dup();
  CAF_REQUIRE(second);
  CAF_CHECK(::fcntl(second.get(), F_GETFD) & FD_CLOEXEC);
  // One descriptor is enough to keep the device.
  tun.fd.reset();
  CAF_CHECK(index(tun.name) != 0);
  second.reset();
  CAF_CHECK(index(tun.name) == 0);
}

CAF_TEST(with offload each packet has a header before it) {
  auto tun = open();
  CAF_REQUIRE(tun.vnet_hdr);
  CAF_CHECK(tun.tso);
  send_into(tun);
  std::array<uint8_t, 2048> buffer{};
  CAF_CHECK_EQUAL(::read(tun.fd.get(), buffer.data(), buffer.size()),
                  10 + datagram_size);
  // The kernel leaves the checksum to us: it took our word for that.
  CAF_CHECK_EQUAL(buffer[0], 1);
  CAF_CHECK_EQUAL(buffer[10] >> 4, 4);
  CAF_CHECK_EQUAL(::read(tun.fd.get(), buffer.data(), buffer.size()), -1);
  CAF_CHECK_EQUAL(errno, EAGAIN);
}

CAF_TEST(without offload packets come alone) {
  auto tun = open({"tun", false});
  CAF_CHECK(!tun.vnet_hdr);
  CAF_CHECK(!tun.tso);
  CAF_CHECK(!tun.uso);
  send_into(tun);
  std::array<uint8_t, 2048> buffer{};
  CAF_CHECK_EQUAL(::read(tun.fd.get(), buffer.data(), buffer.size()),
                  datagram_size);
  CAF_CHECK_EQUAL(buffer[0] >> 4, 4);
}

CAF_TEST(what cannot be opened is refused with advice) {
  auto tun = open();
  CAF_CHECK_EQUAL(fail("tun0"),
                  "cannot set up device tun0: Device or resource busy; another "
                  "process uses it, choose another name with dev");
  CAF_CHECK_EQUAL(fail("up0"),
                  "cannot set up device up0: Invalid argument; a device of "
                  "another kind has this name, choose another one with dev");
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  auto text = open_tun({}).error().text;
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  CAF_CHECK(text.find("; run as root or with CAP_NET_ADMIN")
            != std::string::npos);
}

CAF_TEST(a name that the kernel would change is refused) {
  for (auto name : {"", ".", "..", "a b", "a/b", "a:b", "tun%d", "a\nb",
                    "sixteen-bytes-xx", "caf\xc3\xa9"}) {
    auto result = open_tun({name, true});
    CAF_REQUIRE(!result);
    CAF_CHECK(result.error().why == reason::bad_config);
  }
  CAF_CHECK_EQUAL(open({"fifteen-bytes-x", true}).name, "fifteen-bytes-x");
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a descriptor has one owner) {
  unique_fd none;
  CAF_CHECK(!none);
  CAF_CHECK(!none.dup());
  unique_fd first{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  auto number = first.get();
  CAF_REQUIRE(first);
  auto second = std::move(first);
  CAF_CHECK(!first.valid());
  CAF_CHECK_EQUAL(second.get(), number);
  second.reset(second.get());
  CAF_CHECK(::fcntl(number, F_GETFD) >= 0);
  auto shared = share(std::move(second));
  auto copy = shared->dup();
  shared.reset();
  CAF_CHECK_EQUAL(::fcntl(number, F_GETFD), -1);
  CAF_CHECK(::fcntl(copy.get(), F_GETFD) >= 0);
}
