// NETWORK over TCP: framing, back-pressure, and the ways a connection ends.
#define CAF_SUITE actors.network_tcp
#include "vpn/protocol/tcp_framing.hpp"

#include "tests/support/network_fixture.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include "actors/transport.hpp"
#include <netinet/tcp.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

bytes framed(const std::vector<bytes>& xs) {
  bytes result;
  byte_writer out{result};
  for (auto& x : xs) {
    out.u16(static_cast<uint16_t>(x.size()));
    out.append(x);
  }
  return result;
}

void write_all(const unique_fd& fd, byte_view xs) {
  while (!xs.empty()) {
    wait_until(fd, POLLOUT);
    auto n = ::send(fd.get(), xs.data(), xs.size(), MSG_NOSIGNAL);
    CAF_REQUIRE(n > 0);
    xs = xs.from(static_cast<size_t>(n));
  }
}

/// The next frame of a stream.
bytes read_frame(const unique_fd& fd) {
  auto read_exactly = [&](uint8_t* to, size_t size) {
    while (size > 0) {
      wait_until(fd, POLLIN);
      auto n = recv(fd.get(), to, size, MSG_DONTWAIT);
      CAF_REQUIRE(n > 0);
      to += n;
      size -= static_cast<size_t>(n);
    }
  };
  std::array<uint8_t, 2> prefix;
  read_exactly(prefix.data(), prefix.size());
  bytes result(load_u16(prefix.data()));
  read_exactly(result.data(), result.size());
  return result;
}

unique_fd listener(const std::string& address) {
  auto result = bound_socket(address, SOCK_STREAM);
  // Small, so that the sender soon feels that nobody reads.
  int size = 4096;
  setsockopt(result.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  CAF_REQUIRE_EQUAL(listen(result.get(), 4), 0);
  return result;
}

unique_fd accept_on(const unique_fd& x) {
  wait_until(x, POLLIN);
  unique_fd result{accept4(x.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  CAF_REQUIRE(result);
  int one = 1;
  setsockopt(result.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return result;
}

network_config config_for(const unique_fd& x) {
  network_config result;
  result.tcp = true;
  result.remote = local_endpoint(x.get());
  return result;
}

struct fixture : network_fixture {
  unique_fd door;
  unique_fd peer;
  const char* address = "127.0.0.1";

  void connect(uint32_t sndbuf = 0) {
    door = listener(address);
    auto net = config_for(door);
    net.sndbuf = sndbuf;
    open(net);
    expect_up();
    peer = accept_on(door);
  }

  void expect_frames(const std::vector<bytes>& xs) {
    for (auto& x : xs)
      CAF_CHECK(expect_above() == x);
    finish_round();
    CAF_CHECK(!above.take_now());
  }
};

/// The transport alone: each step when the test says so.
struct bare_transport {
  pool_ptr pool = caf::make_counted<batch_pool>(pool_config{1, 1 << 18, 4096});
  unique_fd door = listener("127.0.0.1");
  std::unique_ptr<transport> tcp = make_tcp_transport(config_for(door));
  unique_fd peer;
  transport::outcome last = transport::outcome::done;

  bare_transport() {
    if (tcp->open() == transport::outcome::blocked)
      CAF_CHECK(tcp->handle_connect() == transport::outcome::done);
    peer = accept_on(door);
  }

  /// Feeds bytes and returns the packets one call makes of them.
  std::vector<bytes> feed(byte_view xs) {
    write_all(peer, xs);
    pollfd x{tcp->fd(), POLLIN, 0};
    CAF_REQUIRE_EQUAL(poll(&x, 1, 30000), 1);
    auto batch = pool->get();
    CAF_REQUIRE(batch);
    last = tcp->receive(*batch);
    std::vector<bytes> result;
    for (auto& run : *batch)
      result.push_back(batch->view(run).copy());
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_tcp_tests, fixture)

CAF_TEST(packets pass both ways over both families) {
  for (auto x : {"127.0.0.1", "::1"}) {
    address = x;
    connect();
    auto xs = some_data(3, 100);
    xs.push_back(control_packet(50, 7));
    xs.push_back(data_packet(protocol::max_frame_size, 8));
    write_all(peer, framed(xs));
    expect_frames(xs);
    auto pool = make_pool(1, 65536, 16);
    auto batch = pool->get();
    // A run of equal datagrams, a shorter one at its end, and a single one.
    auto run = some_data(10, 1000, 20);
    run.back().resize(10);
    add_run(*batch, run);
    add_run(*batch, {data_packet(77, 99)});
    send_down(std::move(batch));
    for (auto& y : run)
      CAF_CHECK(read_frame(peer) == y);
    CAF_CHECK(read_frame(peer) == data_packet(77, 99));
    auto control = control_packet(60, 5);
    caf::anon_send(network, control_datagram{control});
    CAF_CHECK(read_frame(peer) == control);
    finish_round();
    CAF_CHECK_EQUAL(pool->available(), 1u);
  }
}

CAF_TEST(a stream may be cut at every byte) {
  std::vector<bytes> xs{data_packet(9, 1), control_packet(14, 2),
                        data_packet(300, 3), data_packet(10, 4)};
  xs[1].resize(1);
  auto stream = framed(xs);
  bare_transport x;
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    auto got = x.feed(byte_view{stream}.first(cut));
    CAF_REQUIRE(x.last == transport::outcome::done);
    for (auto& y : x.feed(byte_view{stream}.from(cut)))
      got.push_back(y);
    CAF_REQUIRE(x.last == transport::outcome::done);
    CAF_REQUIRE(got == xs);
  }
}

CAF_TEST(a stream may come byte by byte) {
  std::vector<bytes> xs{data_packet(9, 1), control_packet(40, 2),
                        data_packet(257, 3)};
  auto stream = framed(xs);
  bare_transport x;
  std::vector<bytes> got;
  for (size_t i = 0; i < stream.size(); ++i)
    for (auto& y : x.feed(byte_view{stream}.from(i).first(1)))
      got.push_back(y);
  CAF_CHECK(got == xs);
}

CAF_TEST(a stream may be cut anywhere at random) {
  seeded random{7};
  std::vector<bytes> xs;
  for (uint32_t i = 0; i < 400; ++i)
    xs.push_back(data_packet(9 + random.below(1500), i));
  xs.push_back(data_packet(protocol::max_frame_size, 1));
  auto stream = framed(xs);
  bare_transport x;
  std::vector<bytes> got;
  for (size_t i = 0; i < stream.size();) {
    auto n = 1 + random.below(3000);
    for (auto& y : x.feed(byte_view{stream}.from(i).first(n)))
      got.push_back(y);
    i += n;
  }
  // The kernel may have handed over the last bytes in two parts.
  pollfd left{x.tcp->fd(), POLLIN, 0};
  while (poll(&left, 1, 0) == 1) {
    auto batch = x.pool->get();
    CAF_REQUIRE(x.tcp->receive(*batch) == transport::outcome::done);
    for (auto& run : *batch)
      got.push_back(batch->view(run).copy());
  }
  CAF_CHECK(got == xs);
}

CAF_TEST(many small frames of one read all come up) {
  connect();
  // The smallest control packets there are: acks.
  std::vector<bytes> xs;
  for (uint32_t i = 0; i < 500; ++i)
    xs.push_back(data_packet(22, i));
  write_all(peer, framed(xs));
  expect_frames(xs);
}

CAF_TEST(a bad frame length ends the connection after what came before it) {
  for (size_t bad : {size_t{0}, protocol::max_frame_size + 1, size_t{65535}}) {
    connect();
    auto good = control_packet(30, 1);
    auto stream = framed({good});
    byte_writer{stream}.u16(static_cast<uint16_t>(bad));
    write_all(peer, stream);
    CAF_CHECK(expect_above() == good);
    auto x = expect_failure();
    CAF_CHECK(x.what.why == reason::transport_failed);
    CAF_CHECK(x.what.text.find("frame length") != std::string::npos);
    // It is said once, and nothing is read any more.
    bytes more(100, 1);
    ::send(peer.get(), more.data(), more.size(), MSG_NOSIGNAL);
    finish_round();
    CAF_CHECK(!facts.take_now());
  }
}

CAF_TEST(random bytes never do more than end the connection) {
  seeded random{3};
  for (int i = 0; i < 200; ++i) {
    bare_transport x;
    for (int k = 0; k < 20 && x.last == transport::outcome::done; ++k) {
      auto junk = random.some_bytes(2000);
      junk.push_back(0);
      for (auto& y : x.feed(junk))
        CAF_CHECK(y.size() <= protocol::max_frame_size);
    }
    CAF_CHECK(x.last == transport::outcome::dead
              || x.last == transport::outcome::done);
  }
}

CAF_TEST(a refused connection is a failure) {
  auto x = bound_socket(address, SOCK_STREAM);
  auto net = config_for(x); // bound, but nobody listens
  open(net);
  auto failed = expect_failure();
  CAF_CHECK(failed.what.why == reason::transport_failed);
  CAF_CHECK(failed.what.text.find(to_string(net.remote)) != std::string::npos);
  CAF_CHECK(failed.what.text.find("refused") != std::string::npos);
}

CAF_TEST(a connection that nobody takes fails when its time is over) {
  // A listener whose queue is full leaves further connections unanswered.
  auto busy = bound_socket(address, SOCK_STREAM);
  CAF_REQUIRE_EQUAL(listen(busy.get(), 0), 0);
  auto remote = local_endpoint(busy.get());
  auto sa = to_socket_address(remote);
  std::vector<unique_fd> queue;
  for (int i = 0; i < 4; ++i) {
    unique_fd x{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ::connect(x.get(), sa.get(), sa.size);
    queue.push_back(std::move(x));
  }
  auto net = config_for(busy);
  net.connect_timeout = std::chrono::milliseconds{1};
  open(net);
  auto failed = expect_failure();
  CAF_CHECK(failed.what.why == reason::no_answer);
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(a connection that the peer closes is a failure) {
  connect();
  auto last = control_packet(30, 1);
  write_all(peer, framed({last}));
  peer.reset();
  CAF_CHECK(expect_above() == last);
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::transport_failed);
  CAF_CHECK(x.what.text.find("closed") != std::string::npos);
  finish_round();
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(a connection that the peer resets is a failure) {
  connect();
  linger now{1, 0};
  setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  peer.reset();
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::transport_failed);
}

CAF_TEST(what the peer does not read waits in its batches) {
  connect(4096);
  constexpr size_t batches = 32;
  auto pool = make_pool(batches, 1 << 17, 128);
  std::vector<bytes> all;
  on_loop([&] {
    for (size_t i = 0; i < batches; ++i) {
      auto batch = pool->get();
      auto xs = some_data(100, 1001, static_cast<uint32_t>(1000 * i));
      // Single packets and runs in turn.
      if (i % 2 == 0)
        add_run(*batch, xs);
      else
        for (auto& x : xs)
          add_run(*batch, {x});
      all.insert(all.end(), xs.begin(), xs.end());
      send_down(std::move(batch));
    }
  });
  finish_round();
  // Far more than the kernel takes: most batches are still out.
  CAF_CHECK(pool->available() < batches / 2);
  CAF_CHECK(!facts.take_now());
  // Control goes before all data that waits, at the next frame.
  auto control = control_packet(50, 7);
  self->send(network, control_datagram{control});
  status();
  size_t next = 0, control_at = 0;
  for (size_t i = 0; i <= all.size(); ++i) {
    auto x = read_frame(peer);
    if (x == control) {
      CAF_CHECK_EQUAL(control_at, 0u);
      control_at = i + 1;
    } else {
      CAF_REQUIRE(next < all.size());
      CAF_REQUIRE(x == all[next]);
      ++next;
    }
  }
  CAF_CHECK_EQUAL(next, all.size());
  CAF_CHECK(control_at > 0);
  CAF_CHECK(control_at < all.size() / 2);
  finish_round();
  CAF_CHECK_EQUAL(pool->available(), batches);
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(a peer that goes while data waits is a failure) {
  connect(4096);
  auto pool = make_pool(32, 1 << 17, 128);
  on_loop([&] {
    while (auto batch = pool->get()) {
      add_run(*batch, some_data(100, 1000));
      send_down(std::move(batch));
    }
  });
  finish_round();
  peer.reset();
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::transport_failed);
  finish_round();
  CAF_CHECK(!facts.take_now());
  caf::anon_send_exit(network, caf::exit_reason::user_shutdown);
  self->wait_for(network);
  finish_round();
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(control passes and data is dropped when no batch is left) {
  connect();
  std::vector<batch_ptr> held;
  while (auto x = received->get())
    held.push_back(std::move(x));
  auto one = control_packet(30, 1), two = control_packet(40, 2);
  auto stream = framed({data_packet(1400, 3), one, data_packet(9000, 4),
                        data_packet(100, 5), two, data_packet(50, 6)});
  // The last frame is not complete when the batches come back.
  stream.resize(stream.size() - 10);
  write_all(peer, stream);
  expect_frames({one, two});
  CAF_CHECK(status_has("dropped 3"));
  held.clear();
  write_all(peer, bytes(10, 6));
  expect_frames({data_packet(50, 6)});
  CAF_CHECK(status_has("dropped 3"));
}

CAF_TEST(many control packets pass when no batch is left) {
  connect();
  std::vector<batch_ptr> held;
  while (auto x = received->get())
    held.push_back(std::move(x));
  std::vector<bytes> xs;
  for (uint32_t i = 0; i < 500; ++i)
    xs.push_back(control_packet(22, i));
  write_all(peer, framed(xs));
  expect_frames(xs);
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(control that comes before the connection is sent after it) {
  door = listener(address);
  auto observer = own(sys.spawn(transport_observer, &facts));
  network
    = own(spawn_network(sys, &loop, received, config_for(door), observer));
  auto control = control_packet(50, 1);
  on_loop([&] {
    caf::anon_send(network, atom::start_v);
    caf::anon_send(network, control_datagram{control});
  });
  expect_up();
  peer = accept_on(door);
  CAF_CHECK(read_frame(peer) == control);
}

CAF_TEST(a killed layer closes its connection) {
  connect();
  caf::anon_send_exit(network, caf::exit_reason::kill);
  wait_until(peer, POLLIN);
  uint8_t x = 0;
  CAF_CHECK_EQUAL(recv(peer.get(), &x, 1, 0), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
