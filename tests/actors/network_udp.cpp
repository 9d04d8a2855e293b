// NETWORK over UDP, with a real socket at the other end.
#define CAF_SUITE actors.network_udp
#include "tests/support/network_fixture.hpp"
#include "tests/support/throwing_actor.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#  define UDP_SEGMENT 103
#endif

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

struct fixture : network_fixture {
  unique_fd peer;
  const char* address = "127.0.0.1";

  /// The peer and NETWORK know each other.
  void connect() {
    peer = bound_socket(address, SOCK_DGRAM);
    // Everything of a test fits.
    int size = 8 << 20;
    setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    network_config net;
    net.remote = local_endpoint(peer.get());
    open(net);
    expect_up();
    auto sa = to_socket_address(local);
    CAF_REQUIRE_EQUAL(::connect(peer.get(), sa.get(), sa.size), 0);
  }

  void peer_sends(const bytes& x) {
    CAF_REQUIRE_EQUAL(::send(peer.get(), x.data(), x.size(), 0),
                      static_cast<ssize_t>(x.size()));
  }

  /// One system call for many datagrams.
  void peer_sends_joined(const std::vector<bytes>& xs) {
    bytes all;
    for (auto& x : xs)
      all.insert(all.end(), x.begin(), x.end());
    iovec part{all.data(), all.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
    msghdr h{};
    h.msg_iov = &part;
    h.msg_iovlen = 1;
    h.msg_control = control;
    h.msg_controllen = sizeof(control);
    auto* c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    auto stride = static_cast<uint16_t>(xs.front().size());
    std::memcpy(CMSG_DATA(c), &stride, sizeof(stride));
    CAF_REQUIRE_EQUAL(sendmsg(peer.get(), &h, 0),
                      static_cast<ssize_t>(all.size()));
  }

  bytes peer_receives() {
    wait_until(peer, POLLIN);
    bytes result(65536);
    auto n = recv(peer.get(), result.data(), result.size(), MSG_DONTWAIT);
    CAF_REQUIRE(n >= 0);
    result.resize(static_cast<size_t>(n));
    return result;
  }

  bool peer_has_nothing() {
    pollfd x{peer.get(), POLLIN, 0};
    return poll(&x, 1, 0) == 0;
  }

  void expect_above(const std::vector<bytes>& xs) {
    for (auto& x : xs)
      CAF_CHECK(network_fixture::expect_above() == x);
    finish_round();
    CAF_CHECK(!above.take_now());
  }

  void expect_at_peer(const std::vector<bytes>& xs) {
    for (auto& x : xs)
      CAF_CHECK(peer_receives() == x);
    finish_round();
    CAF_CHECK(peer_has_nothing());
  }
};

std::vector<bytes> with_shorter_last(std::vector<bytes> xs, size_t size) {
  xs.back().resize(size);
  return xs;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_udp_tests, fixture)

CAF_TEST(datagrams pass both ways over both families) {
  for (auto x : {"127.0.0.1", "::1"}) {
    address = x;
    connect();
    CAF_CHECK(to_string(local.address) == address);
    auto one = data_packet(100, 1), two = data_packet(1400, 2);
    peer_sends(one);
    peer_sends(two);
    expect_above({one, two});
    auto pool = make_pool(1, 65536, 16);
    auto batch = pool->get();
    add_run(*batch, {two});
    add_run(*batch, {one});
    send_down(std::move(batch));
    expect_at_peer({two, one});
    // The batch has come back.
    CAF_CHECK_EQUAL(pool->available(), 1u);
    CAF_CHECK_EQUAL(received->available(), received->capacity());
  }
}

CAF_TEST(the smallest and the largest datagrams pass) {
  connect();
  auto small = control_packet(9, 1);
  small.resize(1);
  auto large = data_packet(65507, 2);
  // An empty one is nothing to anybody.
  peer_sends({});
  peer_sends(small);
  peer_sends(large);
  expect_above({small, large});
  auto pool = make_pool(1, 1 << 17, 4);
  auto batch = pool->get();
  add_run(*batch, {small});
  add_run(*batch, {large});
  send_down(std::move(batch));
  expect_at_peer({small, large});
}

CAF_TEST(joined datagrams come up as they were sent) {
  for (auto x : {"127.0.0.1", "::1"}) {
    address = x;
    connect();
    for (size_t last : {1000u, 999u, 9u, 1u}) {
      auto xs = with_shorter_last(some_data(40, 1000), last);
      peer_sends_joined(xs);
      expect_above(xs);
    }
  }
}

CAF_TEST(joined and single datagrams mix and keep their order) {
  connect();
  std::vector<bytes> all;
  for (uint32_t i = 0; i < 20; ++i) {
    auto xs = some_data(1 + i % 7, 200 + 10 * i, 100 * i);
    if (xs.size() > 1)
      peer_sends_joined(xs);
    else
      peer_sends(xs.front());
    all.insert(all.end(), xs.begin(), xs.end());
  }
  expect_above(all);
}

CAF_TEST(more datagrams than one call takes come in order) {
  connect();
  auto xs = some_data(500, 60);
  for (auto& x : xs)
    peer_sends(x);
  expect_above(xs);
}

CAF_TEST(runs leave as the datagrams they stand for) {
  for (auto x : {"127.0.0.1", "::1"}) {
    address = x;
    connect();
    auto pool = make_pool(1, 1 << 20, 64);
    for (size_t last : {1400u, 1399u, 20u, 1u}) {
      auto batch = pool->get();
      auto one = with_shorter_last(some_data(44, 1400), last);
      auto two = with_shorter_last(some_data(3, 500, 50), last % 500 + 1);
      auto all = one;
      add_run(*batch, one);
      auto single = data_packet(77, 99);
      add_run(*batch, {single});
      all.push_back(single);
      add_run(*batch, two);
      all.insert(all.end(), two.begin(), two.end());
      send_down(std::move(batch));
      expect_at_peer(all);
    }
    CAF_CHECK(status_has("send errors 0"));
  }
}

CAF_TEST(more runs than one call takes leave in order) {
  connect();
  auto pool = make_pool(4, 1 << 20, 300);
  std::vector<bytes> all;
  on_loop([&] {
    for (uint32_t i = 0; i < 3; ++i) {
      auto batch = pool->get();
      for (uint32_t k = 0; k < 200; ++k) {
        auto xs = some_data(1 + k % 3, 50 + k, 1000 * i + 4 * k);
        add_run(*batch, xs);
        all.insert(all.end(), xs.begin(), xs.end());
      }
      send_down(std::move(batch));
    }
  });
  expect_at_peer(all);
}

CAF_TEST(a run the kernel cannot cut leaves datagram by datagram) {
  connect();
  auto pool = make_pool(1, 1 << 20, 8);
  // More segments than any kernel takes in one call.
  auto xs = some_data(200, 100);
  auto batch = pool->get();
  add_run(*batch, xs);
  auto after = some_data(5, 300, 500);
  add_run(*batch, after);
  send_down(std::move(batch));
  auto all = xs;
  all.insert(all.end(), after.begin(), after.end());
  expect_at_peer(all);
  CAF_CHECK(status_has("send errors 0"));
  CAF_CHECK(status_has("no GSO"));
}

CAF_TEST(control leaves before data that waits) {
  connect();
  auto pool = make_pool(1, 65536, 8);
  auto data = some_data(3, 100);
  auto control = control_packet(50, 7);
  // Both messages come before the end of the same round.
  on_loop([&] {
    auto batch = pool->get();
    add_run(*batch, data);
    send_down(std::move(batch));
    caf::anon_send(network, control_datagram{control});
  });
  CAF_CHECK(peer_receives() == control);
  for (auto& x : data)
    CAF_CHECK(peer_receives() == x);
}

CAF_TEST(control that comes too fast is dropped and counted) {
  connect();
  on_loop([&] {
    for (uint32_t i = 0; i < 100; ++i)
      caf::anon_send(network, control_datagram{control_packet(50, i)});
  });
  std::vector<bytes> wanted;
  for (uint32_t i = 0; i < 64; ++i)
    wanted.push_back(control_packet(50, i));
  expect_at_peer(wanted);
  CAF_CHECK(status_has("dropped 36"));
}

CAF_TEST(control passes and data is dropped when no batch is left) {
  connect();
  std::vector<batch_ptr> held;
  while (auto x = received->get())
    held.push_back(std::move(x));
  auto control = control_packet(60, 1);
  peer_sends(data_packet(1000, 2));
  peer_sends(control);
  peer_sends_joined(some_data(10, 800, 10));
  auto last = control_packet(70, 3);
  peer_sends(last);
  expect_above({control, last});
  CAF_CHECK(status_has("dropped 11"));
  held.pop_back();
  auto data = data_packet(500, 4);
  peer_sends(data);
  expect_above({data});
  CAF_CHECK_EQUAL(received->available(), 1u);
}

CAF_TEST(a peer that is not there yet does not end the socket) {
  peer = bound_socket(address, SOCK_DGRAM);
  auto remote = local_endpoint(peer.get());
  peer.reset();
  network_config net;
  net.remote = remote;
  open(net);
  expect_up();
  // The kernel answers these with "connection refused".
  for (uint32_t i = 0; i < 5; ++i) {
    caf::anon_send(network, control_datagram{control_packet(50, i)});
    finish_round();
  }
  peer = unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(remote);
  CAF_REQUIRE_EQUAL(bind(peer.get(), sa.get(), sa.size), 0);
  sa = to_socket_address(local);
  CAF_REQUIRE_EQUAL(::connect(peer.get(), sa.get(), sa.size), 0);
  auto control = control_packet(60, 9);
  peer_sends(control);
  CAF_CHECK(network_fixture::expect_above() == control);
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(strangers are not heard) {
  connect();
  auto stranger = bound_socket(address, SOCK_DGRAM);
  auto sa = to_socket_address(local);
  auto x = control_packet(60, 1);
  CAF_REQUIRE_EQUAL(
    sendto(stranger.get(), x.data(), x.size(), 0, sa.get(), sa.size), 60);
  auto y = control_packet(60, 2);
  peer_sends(y);
  expect_above({y});
}

CAF_TEST(the socket is bound to what the user says) {
  auto other = bound_socket(address, SOCK_DGRAM);
  auto port = local_endpoint(other.get()).port;
  other.reset();
  peer = bound_socket(address, SOCK_DGRAM);
  network_config net;
  net.remote = local_endpoint(peer.get());
  net.local_address = *parse_ip("127.0.0.9");
  net.local_port = port;
  open(net);
  expect_up();
  CAF_CHECK_EQUAL(to_string(local), "127.0.0.9:" + std::to_string(port));
}

CAF_TEST(an address that is not ours fails with its reason) {
  network_config net;
  net.remote = {*parse_ip("127.0.0.1"), 9, 0};
  net.local_address = *parse_ip("192.0.2.77");
  open(net);
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::transport_failed);
  CAF_CHECK(x.what.text.find("192.0.2.77") != std::string::npos);
  // What comes now is in nobody's way.
  auto pool = make_pool(1, 4096, 8);
  auto batch = pool->get();
  add_run(*batch, some_data(2, 100));
  self->send(network, atom::down_v, std::move(batch));
  CAF_CHECK(status_has("out 0 by"));
  CAF_CHECK_EQUAL(pool->available(), 1u);
}

CAF_TEST(a shutdown sends what is left and the layer lives on) {
  connect();
  auto pool = make_pool(1, 65536, 8);
  auto data = some_data(3, 100);
  auto batch = pool->get();
  add_run(*batch, data);
  // Same sender, so the request comes second.
  self->send(network, atom::down_v, std::move(batch));
  auto x = ask<layer_status>(network, atom::shutdown_v);
  CAF_CHECK_EQUAL(x.layer, "network");
  CAF_CHECK(x.text.find("out 3 by") != std::string::npos);
  expect_at_peer(data);
  peer_sends(data.front());
  expect_above({data.front()});
}

CAF_TEST(an exception while it receives ends the layer and not the loop) {
  connect();
  self->monitor(network);
  caf::anon_send(network, atom::attach_v, make_throwing<batch_up_actor>(sys));
  status(); // it has heard of it
  peer_sends(data_packet(100, 1));
  expect_exception(self, network.address());
  finish_round();
  CAF_CHECK_EQUAL(received->available(), received->capacity());
  // The next one has the loop for itself.
  connect();
  peer_sends(data_packet(100, 2));
  expect_above({data_packet(100, 2)});
}

CAF_TEST(a killed layer closes its socket) {
  connect();
  // It holds the duplicate for the next one until it has let go of the message.
  caf::anon_send_exit(owned.front(), caf::exit_reason::kill);
  self->wait_for(owned.front());
  caf::anon_send_exit(network, caf::exit_reason::kill);
  self->wait_for(network);
  finish_round();
  // The port is free again.
  unique_fd again{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(local);
  CAF_CHECK_EQUAL(bind(again.get(), sa.get(), sa.size), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
