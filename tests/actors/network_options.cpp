// What the profile and the server may ask of a socket, and what a person hears
// when it cannot be had. All inside a network namespace of the test's own.
#define CAF_SUITE actors.network_options
#include "tests/support/fresh_network.hpp"
#include "tests/support/network_fixture.hpp"

#include "caf/test/unit_test.hpp"

#include "actors/socket_options.hpp"
#include "actors/transport.hpp"
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

using outcome = transport::outcome;

/// Takes capabilities from this thread for a while.
class without_capabilities {
public:
  explicit without_capabilities(std::initializer_list<int> xs) {
    CAF_REQUIRE_EQUAL(syscall(SYS_capget, &head_, before_), 0);
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    for (auto x : xs)
      now[x / 32].effective &= ~(1u << (x % 32));
    CAF_REQUIRE_EQUAL(syscall(SYS_capset, &head_, now), 0);
  }
  ~without_capabilities() { syscall(SYS_capset, &head_, before_); }

private:
  __user_cap_header_struct head_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2];
};

int option(int fd, int level, int name) {
  int result = -1;
  socklen_t size = sizeof(result);
  CAF_REQUIRE_EQUAL(getsockopt(fd, level, name, &result, &size), 0);
  return result;
}

/// Made before the threads of the fixture, which live in it, too.
struct in_network {
  fresh_network space;
};

struct fixture : in_network, network_fixture {
  unique_fd udp_peer = bound_socket("127.0.0.1", SOCK_DGRAM);
  unique_fd tcp_peer = bound_socket("127.0.0.1", SOCK_STREAM);

  fixture() { CAF_REQUIRE_EQUAL(listen(tcp_peer.get(), 8), 0); }

  network_config config(bool tcp) {
    network_config result;
    result.tcp = tcp;
    result.remote = local_endpoint((tcp ? tcp_peer : udp_peer).get());
    return result;
  }

  network_config config6(bool tcp) {
    auto result = config(tcp);
    result.remote = {ip("::1"), 9, 0};
    return result;
  }

  std::unique_ptr<transport> opened(const network_config& net) {
    auto result = make_transport(net);
    if (result->open() == outcome::dead)
      CAF_FAIL(result->error().text);
    return result;
  }

  /// The text of a failure, which must have all these parts.
  void refused(const network_config& net,
               const std::vector<std::string>& parts) {
    auto x = make_transport(net);
    CAF_CHECK(x->open() == outcome::dead);
    CAF_CHECK(x->error().why == reason::transport_failed);
    for (auto& part : parts)
      if (x->error().text.find(part) == std::string::npos)
        CAF_ERROR(part << " is not in: " << x->error().text);
  }

  /// The descriptor of NETWORK, found by its address.
  int descriptor_at(const endpoint& address) {
    for (int fd = 3; fd < 1024; ++fd)
      if (local_endpoint(fd) == address)
        return fd;
    CAF_FAIL("no socket at " << to_string(address));
    return -1;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_options_tests, fixture)

// -- bind --

CAF_TEST(sockets are bound to the address and port of the user) {
  for (auto tcp : {false, true}) {
    auto net = config(tcp);
    net.local_address = ip("127.0.0.9");
    net.local_port = 5001;
    CAF_CHECK_EQUAL(to_string(local_endpoint(opened(net)->fd())),
                    "127.0.0.9:5001");
    net.local_address = {};
    auto only_port = opened(net);
    CAF_CHECK_EQUAL(local_endpoint(only_port->fd()).port, 5001);
    net.local_address = ip("127.0.0.9");
    net.local_port = 0;
    CAF_CHECK(local_endpoint(opened(net)->fd()).address == ip("127.0.0.9"));
  }
  auto net = config6(false);
  net.local_address = ip("::1");
  net.local_port = 5001;
  CAF_CHECK_EQUAL(to_string(local_endpoint(opened(net)->fd())), "[::1]:5001");
}

CAF_TEST(a port for IPv6 only leaves that of IPv4 free) {
  for (auto tcp : {false, true}) {
    auto net = config6(tcp);
    net.local_port = 5001;
    CAF_CHECK_EQUAL(option(opened(net)->fd(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
    net.ipv6_only = true;
    auto x = opened(net);
    CAF_CHECK_EQUAL(option(x->fd(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
    auto v4 = config(tcp);
    v4.local_port = 5001;
    v4.ipv6_only = true; // says nothing about IPv4
    opened(v4);
  }
}

CAF_TEST(an address of the other family is refused with advice) {
  auto net = config(false);
  net.local_address = ip("2001:db8:1::10");
  refused(net, {"2001:db8:1::10", "IPv4", "IPv6", "'local'"});
  net = config6(true);
  net.local_address = ip("127.0.0.1");
  refused(net, {"127.0.0.1", "'proto'"});
}

CAF_TEST(a port that is taken is refused with advice) {
  for (auto tcp : {false, true}) {
    auto net = config(tcp);
    net.local_port = net.remote.port;
    net.local_address = ip("127.0.0.1");
    refused(net, {"cannot bind to 127.0.0.1:", "in use", "'lport'"});
  }
}

CAF_TEST(a low port needs a capability) {
  auto net = config(false);
  net.local_port = 53;
  opened(net);
  without_capabilities here{CAP_NET_BIND_SERVICE};
  refused(net, {"0.0.0.0:53", "denied", "CAP_NET_BIND_SERVICE"});
}

CAF_TEST(an address that is not ours is refused with advice) {
  auto net = config(true);
  net.local_address = ip("192.0.2.77");
  refused(net, {"192.0.2.77", "no device of this host"});
}

// -- the way out --

CAF_TEST(sockets carry the mark) {
  for (auto tcp : {false, true}) {
    auto net = config(tcp);
    CAF_CHECK_EQUAL(option(opened(net)->fd(), SOL_SOCKET, SO_MARK), 0);
    net.mark = 0xfedcba98;
    CAF_CHECK_EQUAL(
      static_cast<uint32_t>(option(opened(net)->fd(), SOL_SOCKET, SO_MARK)),
      0xfedcba98);
  }
}

CAF_TEST(a mark needs a capability) {
  without_capabilities here{CAP_NET_ADMIN, CAP_NET_RAW};
  auto net = config(false);
  net.mark = 7;
  refused(net, {"option 'mark 7'", "not permitted", "CAP_NET_ADMIN"});
  // Buffers above the limit are no reason to fail.
  net.mark = 0;
  net.sndbuf = net.rcvbuf = 100 << 20;
  opened(net);
}

CAF_TEST(sockets are bound to the device) {
  for (auto tcp : {false, true}) {
    auto net = config(tcp);
    net.bind_device = "lo";
    auto x = opened(net);
    char name[IFNAMSIZ] = {};
    socklen_t size = sizeof(name);
    getsockopt(x->fd(), SOL_SOCKET, SO_BINDTODEVICE, name, &size);
    CAF_CHECK_EQUAL(std::string{name}, "lo");
  }
}

CAF_TEST(a device that is not there is refused with advice) {
  auto net = config(false);
  for (auto name : {"nodev0", "lo-and-much-too-long"}) {
    net.bind_device = name;
    refused(net, {"'bind-dev " + std::string{name} + "'", "No such device",
                  "'ip link'"});
  }
}

// -- buffers and delays --

CAF_TEST(buffers are what the profile says) {
  for (auto tcp : {false, true}) {
    auto net = config(tcp);
    net.sndbuf = 100000;
    net.rcvbuf = 200000;
    auto x = opened(net);
    // The kernel doubles them for its own use.
    CAF_CHECK_EQUAL(option(x->fd(), SOL_SOCKET, SO_SNDBUF), 200000);
    CAF_CHECK_EQUAL(option(x->fd(), SOL_SOCKET, SO_RCVBUF), 400000);
    net.sndbuf = net.rcvbuf = 0xffffffff;
    opened(net);
  }
}

CAF_TEST(TCP delays unless told otherwise) {
  auto net = config(true);
  CAF_CHECK_EQUAL(option(opened(net)->fd(), IPPROTO_TCP, TCP_NODELAY), 0);
  net.tcp_nodelay = true;
  CAF_CHECK_EQUAL(option(opened(net)->fd(), IPPROTO_TCP, TCP_NODELAY), 1);
}

CAF_TEST(the server may change the socket later) {
  for (auto tcp : {false, true}) {
    open(config(tcp));
    expect_up();
    auto fd = descriptor_at(local);
    auto tell = [&](const protocol::configure_socket& x) {
      self->send(network, x);
      status();
    };
    tell({100000, 200000, true});
    CAF_CHECK_EQUAL(option(fd, SOL_SOCKET, SO_SNDBUF), 200000);
    CAF_CHECK_EQUAL(option(fd, SOL_SOCKET, SO_RCVBUF), 400000);
    // Nothing, zero and what stock refuses change nothing.
    tell({std::nullopt, 0, false});
    tell({1000001, 0xffffffff, false});
    CAF_CHECK_EQUAL(option(fd, SOL_SOCKET, SO_SNDBUF), 200000);
    CAF_CHECK_EQUAL(option(fd, SOL_SOCKET, SO_RCVBUF), 400000);
    if (tcp)
      CAF_CHECK_EQUAL(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    end_of(network);
  }
}

CAF_TEST(a socket that is not there yet has nothing to change) {
  auto observer = own(sys.spawn(transport_observer, &facts));
  network = own(spawn_network(sys, &loop, received, config(false), observer));
  self->send(network, protocol::configure_socket{100000, 100000, true});
  CAF_CHECK_EQUAL(status(), "closed");
}

// -- float --

CAF_TEST(with float strangers are heard and the remote is answered) {
  for (auto v6 : {false, true}) {
    auto where = v6 ? "::1" : "127.0.0.1";
    auto peer = bound_socket(where, SOCK_DGRAM);
    auto net = config(false);
    net.remote = local_endpoint(peer.get());
    net.floats = true;
    open(net);
    expect_up();
    // Not "any": scripts and routes want to know it.
    CAF_CHECK_EQUAL(to_string(local.address), where);
    auto sa = to_socket_address(local);
    auto stranger = bound_socket(where, SOCK_DGRAM);
    for (auto* from : {&stranger, &peer}) {
      auto x = data_packet(60, 1);
      CAF_REQUIRE_EQUAL(
        sendto(from->get(), x.data(), x.size(), 0, sa.get(), sa.size), 60);
      CAF_CHECK(expect_above() == x);
    }
    // Control, a run and single packets.
    auto control = control_packet(50, 1);
    caf::anon_send(network, control_datagram{control});
    auto pool = make_pool(1, 65536, 8);
    auto batch = pool->get();
    auto data = some_data(3, 1000);
    add_run(*batch, data);
    send_down(std::move(batch));
    data.insert(data.begin(), control);
    for (auto& x : data) {
      wait_until(peer, POLLIN);
      bytes got(2000);
      auto n = recv(peer.get(), got.data(), got.size(), 0);
      got.resize(static_cast<size_t>(n));
      CAF_CHECK(got == x);
    }
    pollfd x{stranger.get(), POLLIN, 0};
    CAF_CHECK_EQUAL(poll(&x, 1, 0), 0);
    end_of(network);
  }
}

CAF_TEST(with float ours follow a remote that has moved) {
  for (auto floats : {false, true}) {
    auto peer = bound_socket("127.0.0.1", SOCK_DGRAM);
    auto moved = bound_socket("127.0.0.1", SOCK_DGRAM);
    auto net = config(false);
    net.remote = local_endpoint(peer.get());
    net.floats = floats;
    open(net);
    expect_up();
    protocol::configure_socket there;
    there.remote = local_endpoint(moved.get());
    self->send(network, there);
    auto control = control_packet(50, 1);
    self->send(network, control_datagram{control});
    auto& there_now = floats ? moved : peer;
    wait_until(there_now, POLLIN);
    bytes got(2000);
    auto n = recv(there_now.get(), got.data(), got.size(), 0);
    got.resize(static_cast<size_t>(n));
    CAF_CHECK(got == control);
    end_of(network);
  }
}

CAF_TEST(with float the address of the user stays bound) {
  auto net = config(false);
  net.floats = true;
  net.local_address = ip("127.0.0.9");
  net.local_port = 5001;
  CAF_CHECK_EQUAL(to_string(opened(net)->local()), "127.0.0.9:5001");
  net.local_port = 0;
  auto x = opened(net)->local();
  CAF_CHECK(x.address == ip("127.0.0.9"));
  CAF_CHECK(x.port != 0);
}

// -- counters --

CAF_TEST(counters tell bytes of packets without their framing) {
  for (auto tcp : {false, true}) {
    open(config(tcp));
    expect_up();
    unique_fd peer;
    if (tcp) {
      wait_until(tcp_peer, POLLIN);
      peer = unique_fd{accept4(tcp_peer.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    } else {
      peer = udp_peer.dup();
      auto sa = to_socket_address(local);
      ::connect(peer.get(), sa.get(), sa.size);
    }
    self->send(network, control_datagram{control_packet(60, 1)});
    auto pool = make_pool(1, 65536, 8);
    auto batch = pool->get();
    add_run(*batch, some_data(3, 1000));
    add_run(*batch, some_data(1, 77));
    self->send(network, atom::down_v, std::move(batch));
    auto x = data_packet(100, 2);
    if (tcp)
      x.insert(x.begin(), {0, 100});
    CAF_REQUIRE(::send(peer.get(), x.data(), x.size(), 0) > 0);
    expect_above();
    finish_round();
    auto counters = ask<layer_status>(network, atom::status_v).counters;
    auto value = [&](const std::string& name) {
      for (auto& x : counters)
        if (x.name == name)
          return x.value;
      CAF_FAIL("no counter " << name);
      return uint64_t{0};
    };
    CAF_CHECK_EQUAL(value("link_read_bytes"), 100u);
    CAF_CHECK_EQUAL(value("link_write_bytes"), 60u + 3000u + 77u);
    CAF_CHECK_EQUAL(value("link_dropped"), 0u);
    end_of(network);
  }
}

CAF_TEST(a closed layer counts nothing) {
  auto observer = own(sys.spawn(transport_observer, &facts));
  network = own(spawn_network(sys, &loop, received, config(false), observer));
  CAF_CHECK(ask<layer_status>(network, atom::status_v).counters.empty());
}

CAF_TEST(a refusal by ICMP is counted and costs no packet) {
  auto address = local_endpoint(udp_peer.get());
  auto net = config(false);
  udp_peer.reset();
  auto udp = opened(net);
  auto send_control = [&](uint32_t mark) {
    udp->queue(control_packet(50, mark));
    CAF_CHECK(udp->flush() == outcome::done);
  };
  send_control(1);
  // The answer to the first one is told to whoever sends next.
  udp_peer = unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(address);
  CAF_REQUIRE_EQUAL(bind(udp_peer.get(), sa.get(), sa.size), 0);
  send_control(2);
  wait_until(udp_peer, POLLIN);
  bytes got(100);
  CAF_REQUIRE_EQUAL(recv(udp_peer.get(), got.data(), got.size(), 0), 50);
  got.resize(50);
  CAF_CHECK(got == control_packet(50, 2));
  // The same for data, and for who reads.
  udp_peer.reset();
  send_control(3);
  udp_peer = unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  CAF_REQUIRE_EQUAL(bind(udp_peer.get(), sa.get(), sa.size), 0);
  auto pool = make_pool(1, 65536, 8);
  auto batch = pool->get();
  add_run(*batch, some_data(3, 1000));
  udp->queue(std::move(batch));
  CAF_CHECK(udp->flush() == outcome::done);
  for (int i = 0; i < 3; ++i) {
    wait_until(udp_peer, POLLIN);
    bytes x(2000);
    CAF_CHECK_EQUAL(recv(udp_peer.get(), x.data(), x.size(), 0), 1000);
  }
  udp_peer.reset();
  send_control(4);
  batch = pool->get();
  CAF_CHECK(udp->receive(*batch) == outcome::blocked);
  CAF_CHECK_EQUAL(batch->count, 0u);
  for (auto& x : udp->counters()) {
    if (x.name == "link_refusals")
      CAF_CHECK_EQUAL(x.value, 3u);
    if (x.name == "link_write_errors" || x.name == "link_read_errors")
      CAF_CHECK_EQUAL(x.value, 0u);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
