// NETWORK over UDP that goes on with the socket of the one before it, and that
// sits out a time without a way to the peer.
// spec: design 6
#define CAF_SUITE actors.network_kept
#include "tests/support/fresh_network.hpp"
#include "tests/support/network_fixture.hpp"

#include "caf/test/unit_test.hpp"

#include <fstream>
#include <sstream>

#include "actors/socket_options.hpp"
#include "actors/transport.hpp"
#include <dirent.h>
#include <sys/stat.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

using outcome = transport::outcome;

struct fixture : network_fixture {
  network_config net;
  unique_fd peer;

  /// The peer hears everybody: who it hears is what a test may ask.
  void listen_at(const std::string& address) {
    peer = bound_socket(address, SOCK_DGRAM);
    net.remote = local_endpoint(peer.get());
  }

  /// Opens NETWORK and keeps what it hands on.
  void open_and_keep() {
    open(net);
    net.kept = expect_socket();
  }

  shared_fd expect_socket() {
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    if (auto x = std::get_if<layer_failed>(&*fact))
      CAF_FAIL(x->what.text);
    auto& up = std::get<transport_up>(*fact);
    local = up.local;
    CAF_CHECK(up.remote == net.remote);
    return up.socket;
  }

  void kill_network() {
    caf::anon_send_exit(network, caf::exit_reason::kill);
    self->wait_for(network);
    finish_round();
  }

  void peer_sends(const bytes& x, const unique_fd& from) {
    auto sa = to_socket_address(local);
    CAF_REQUIRE_EQUAL(
      ::sendto(from.get(), x.data(), x.size(), 0, sa.get(), sa.size),
      static_cast<ssize_t>(x.size()));
  }
  void peer_sends(const bytes& x) { peer_sends(x, peer); }

  /// The next datagram at the peer, which must come from our address.
  bytes peer_receives() {
    wait_until(peer, POLLIN);
    bytes result(65536);
    socket_address from;
    auto n = recvfrom(peer.get(), result.data(), result.size(), MSG_DONTWAIT,
                      from.get(), &from.size);
    CAF_REQUIRE(n >= 0);
    result.resize(static_cast<size_t>(n));
    CAF_CHECK(to_endpoint(from) == local);
    return result;
  }

  bool peer_has_nothing() {
    pollfd x{peer.get(), POLLIN, 0};
    return poll(&x, 1, 0) == 0;
  }

  void send_run(const std::vector<bytes>& xs) {
    auto pool = make_pool(1, 1 << 18, 16);
    auto batch = pool->get();
    add_run(*batch, xs);
    send_down(std::move(batch));
  }

  /// Control, a run and a datagram for us arrive.
  void expect_traffic(uint32_t mark) {
    auto control = control_packet(50, mark);
    caf::anon_send(network, control_datagram{control});
    finish_round();
    auto data = some_data(5, 1000, mark);
    send_run(data);
    CAF_CHECK(peer_receives() == control);
    for (auto& x : data)
      CAF_CHECK(peer_receives() == x);
    auto up = data_packet(200, mark);
    peer_sends(up);
    CAF_CHECK(expect_above() == up);
  }
};

std::vector<std::string> open_descriptors() {
  auto* dir = opendir("/proc/self/fd");
  CAF_REQUIRE(dir != nullptr);
  std::vector<std::string> result;
  while (auto* x = readdir(dir))
    result.push_back(x->d_name);
  closedir(dir);
  return result;
}

ino_t socket_number(const unique_fd& fd) {
  struct stat x {};
  CAF_REQUIRE_EQUAL(fstat(fd.get(), &x), 0);
  return x.st_ino;
}

/// How often the loops of this process watch the socket, by any descriptor.
size_t watches_of(const unique_fd& fd) {
  std::ostringstream wanted;
  wanted << " ino:" << std::hex << socket_number(fd) << ' ';
  size_t result = 0;
  for (auto& name : open_descriptors()) {
    std::ifstream in{"/proc/self/fdinfo/" + name};
    for (std::string line; std::getline(in, line);)
      if (line.compare(0, 4, "tfd:") == 0
          && line.find(wanted.str()) != line.npos)
        ++result;
  }
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_kept_tests, fixture)

// -- the same socket --

CAF_TEST(the next one goes on with the same socket) {
  for (auto address : {"127.0.0.1", "::1"})
    for (auto floats : {false, true}) {
      listen_at(address);
      net.floats = floats;
      net.kept = nullptr;
      open_and_keep();
      CAF_REQUIRE(net.kept);
      auto before = local;
      auto number = socket_number(*net.kept);
      expect_traffic(1);
      for (uint32_t i = 2; i < 5; ++i) {
        kill_network();
        open_and_keep();
        CAF_REQUIRE(net.kept);
        CAF_CHECK_EQUAL(socket_number(*net.kept), number);
        CAF_CHECK_EQUAL(to_string(local), to_string(before));
        expect_traffic(i);
        CAF_CHECK(status_has("send errors 0"));
        CAF_CHECK(!status_has("no G"));
      }
      kill_network();
    }
}

CAF_TEST(what comes while nobody is there is not lost) {
  listen_at("127.0.0.1");
  open_and_keep();
  kill_network();
  auto xs = some_data(20, 300);
  for (auto& x : xs)
    peer_sends(x);
  finish_round();
  CAF_CHECK(!above.take_now());
  open_and_keep();
  for (auto& x : xs)
    CAF_CHECK(expect_above() == x);
}

CAF_TEST(the dead one hears nothing and leaves nothing open) {
  listen_at("127.0.0.1");
  open_and_keep();
  kill_network();
  // One observer and one collector for all of them.
  auto observer = own(sys.spawn(transport_observer, &facts));
  auto upper = own(sys.spawn(collector, &above));
  size_t before = 0;
  for (uint32_t i = 0; i < 200; ++i) {
    network = spawn_network(sys, &loop, received, net, observer);
    self->send(network, atom::attach_v, batch_up_actor{upper});
    self->send(network, atom::start_v);
    net.kept = expect_socket();
    // Half of them die with something to read and something to write; the
    // others have done both.
    auto x = data_packet(100, i);
    peer_sends(x);
    if (i % 2 == 0) {
      // Behind what the one before may have left.
      while (expect_above() != x)
        ;
      caf::anon_send(network, control_datagram{x});
      CAF_CHECK(peer_receives() == x);
    } else {
      auto pool = make_pool(1, 65536, 8);
      auto batch = pool->get();
      add_run(*batch, {x});
      self->send(network, atom::down_v, std::move(batch));
    }
    CAF_CHECK_EQUAL(watches_of(*net.kept), 1u);
    kill_network();
    CAF_CHECK_EQUAL(watches_of(*net.kept), 0u);
    // Empties the socket.
    bytes rest(100);
    while (recv(net.kept->get(), rest.data(), rest.size(), MSG_DONTWAIT) > 0)
      ;
    while (recv(peer.get(), rest.data(), rest.size(), MSG_DONTWAIT) > 0)
      ;
    if (i == 0)
      before = open_descriptors().size();
  }
  CAF_CHECK_EQUAL(open_descriptors().size(), before);
}

CAF_TEST(options and buffers stay as they were) {
  listen_at("127.0.0.1");
  net.sndbuf = 100000;
  open_and_keep();
  self->send(network, protocol::configure_socket{300000, 300000, false});
  status();
  kill_network();
  net.sndbuf = 50000;
  open_and_keep();
  int size = 0;
  socklen_t length = sizeof(size);
  getsockopt(net.kept->get(), SOL_SOCKET, SO_SNDBUF, &size, &length);
  CAF_CHECK_EQUAL(size, 600000);
}

CAF_TEST(an address that is bound is not bound again) {
  listen_at("127.0.0.1");
  net.local_address = ip("127.0.0.9");
  net.local_port
    = local_endpoint(bound_socket("127.0.0.9", SOCK_DGRAM).get()).port;
  open_and_keep();
  CAF_CHECK(local == (endpoint{net.local_address, net.local_port, 0}));
  kill_network();
  open_and_keep();
  CAF_CHECK(local == (endpoint{net.local_address, net.local_port, 0}));
  expect_traffic(1);
}

CAF_TEST(an error that waits is not the next ones) {
  listen_at("127.0.0.1");
  open_and_keep();
  auto address = net.remote;
  peer.reset();
  kill_network();
  // "Connection refused" waits in the socket.
  CAF_CHECK_EQUAL(::send(net.kept->get(), "x", 1, 0), 1);
  open_and_keep();
  peer = unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(address);
  CAF_REQUIRE_EQUAL(bind(peer.get(), sa.get(), sa.size), 0);
  expect_traffic(1);
  CAF_CHECK(status_has("receive errors 0"));
}

// -- another socket --

CAF_TEST(TCP hands nothing on) {
  unique_fd listener = bound_socket("127.0.0.1", SOCK_STREAM);
  CAF_REQUIRE_EQUAL(listen(listener.get(), 8), 0);
  net.tcp = true;
  net.remote = local_endpoint(listener.get());
  open_and_keep();
  CAF_CHECK(!net.kept);
}

CAF_TEST(what is no such socket is left alone) {
  listen_at("127.0.0.1");
  for (auto make : {+[] {
                      return unique_fd{};
                    },
                    +[] {
                      return unique_fd{::open("/dev/null", O_RDONLY)};
                    },
                    +[] {
                      return bound_socket("127.0.0.1", SOCK_STREAM);
                    },
                    +[] {
                      return bound_socket("::1", SOCK_DGRAM);
                    }}) {
    auto useless = share(make());
    net.kept = useless;
    open_and_keep();
    CAF_CHECK(net.kept && net.kept != useless);
    expect_traffic(1);
    kill_network();
  }
  // With `float` the next one must hear everybody.
  net.kept = nullptr;
  open_and_keep();
  auto connected = net.kept;
  kill_network();
  net.floats = true;
  open_and_keep();
  CAF_CHECK(net.kept != connected);
  auto stranger = bound_socket("127.0.0.1", SOCK_DGRAM);
  peer_sends(data_packet(60, 1), stranger);
  CAF_CHECK(expect_above() == data_packet(60, 1));
}

CAF_TEST(a socket that lost its peer finds it again) {
  listen_at("127.0.0.1");
  open_and_keep();
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  auto cut = [&] {
    CAF_REQUIRE_EQUAL(::connect(net.kept->get(), &nobody, sizeof(nobody)), 0);
  };
  // Between two of them.
  kill_network();
  cut();
  auto number = socket_number(*net.kept);
  open_and_keep();
  CAF_CHECK_EQUAL(socket_number(*net.kept), number);
  expect_traffic(1);
  // And under one that lives: control and data find it.
  for (auto control : {true, false}) {
    cut();
    auto x = data_packet(60, 7);
    if (control)
      caf::anon_send(network, control_datagram{x});
    else
      send_run({x});
    finish_round();
    // Its port may be another one now.
    local = local_endpoint(net.kept->get());
    CAF_CHECK(peer_receives() == x);
    expect_traffic(8);
    CAF_CHECK(status_has("send errors 0"));
  }
  CAF_CHECK(!facts.take_now());
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- the way is gone for a while --

namespace {

/// A namespace with the uplink up0, and one more with the peer at its other
/// end: 192.0.2.10 and 192.0.2.1.
class two_networks {
public:
  two_networks() {
    unique_fd other;
    {
      own_namespace there;
      other
        = unique_fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
      there_.emplace(make_kernel());
      // Made here, at home here wherever its user is.
      peer = unique_fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    }
    auto* old = rtnl_link_alloc();
    auto* fresh = rtnl_link_alloc();
    rtnl_link_set_ifindex(old, static_cast<int>(here.index("up1")));
    rtnl_link_set_ns_fd(fresh, other.get());
    auto code = rtnl_link_change(here.kernel.handle(), old, fresh, 0);
    rtnl_link_put(fresh);
    rtnl_link_put(old);
    CAF_REQUIRE_EQUAL(code, 0);
    auto up1 = there_->link("up1");
    CAF_REQUIRE(up1);
    CAF_REQUIRE(there_->add_address({up1->index, net("192.0.2.1/24"), {}}));
    CAF_REQUIRE(there_->set_link(
      up1->index, {std::nullopt, std::nullopt, true, std::nullopt}));
    auto sa = to_socket_address({ip("192.0.2.1"), 1194, 0});
    CAF_REQUIRE_EQUAL(bind(peer.get(), sa.get(), sa.size), 0);
  }

  fresh_network here;
  unique_fd peer;

private:
  static netlink make_kernel() {
    auto result = netlink::open();
    CAF_REQUIRE(result);
    return std::move(*result);
  }
  std::optional<netlink> there_;
};

struct away_fixture : two_networks, fixture {
  away_fixture() {
    fixture::peer = std::move(two_networks::peer);
    net.remote = local_endpoint(fixture::peer.get());
    open_and_keep();
    CAF_CHECK(local.address == ip("192.0.2.10"));
    expect_traffic(1);
  }

  uint64_t send_errors() {
    for (auto& x : ask<layer_status>(network, atom::status_v).counters)
      if (x.name == "link_write_errors")
        return x.value;
    return 0;
  }

  /// Sends control, single packets and runs, and tells how many were refused.
  uint64_t send_in_vain() {
    auto before = send_errors();
    for (uint32_t i = 0; i < 10; ++i) {
      caf::anon_send(network, control_datagram{control_packet(50, i)});
      send_run(some_data(1, 500, i));
      send_run(some_data(5, 500, i));
      finish_round();
    }
    return send_errors() - before;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_away_tests, away_fixture)

CAF_TEST(a link that was down for a while is no end) {
  auto before = local;
  for (uint32_t i = 2; i < 4; ++i) {
    here.set_up("up0", false);
    CAF_CHECK(send_in_vain() > 0);
    // Nobody died, and nobody waits for something that does not come.
    CAF_CHECK(!facts.take_now());
    here.set_up("up0", true);
    expect_traffic(i);
    CAF_CHECK_EQUAL(to_string(local_endpoint(net.kept->get())),
                    to_string(before));
  }
  CAF_CHECK(!facts.take_now());
  CAF_CHECK(!status_has("no GSO"));
}

CAF_TEST(an address that was gone for a while is no end) {
  link_address own{here.index("up0"), vpn::test::net("192.0.2.10/24"), {}};
  // A way is there, but none from our address.
  CAF_REQUIRE(here.kernel.add_address(
    {own.device, vpn::test::net("198.51.100.5/24"), {}}));
  here.add_route("192.0.0.0/8", "", "up0");
  CAF_REQUIRE(here.kernel.remove_address(own));
  CAF_CHECK(send_in_vain() > 0);
  CAF_REQUIRE(here.kernel.add_address(own));
  expect_traffic(2);
  CAF_CHECK(!facts.take_now());
  CAF_CHECK(!status_has("no GSO"));
}

CAF_TEST(one that comes while there is no way goes on when there is) {
  for (auto floats : {false, true}) {
    if (floats) {
      net.floats = true;
      net.kept = nullptr;
      open_and_keep();
    }
    kill_network();
    here.set_up("up0", false);
    open_and_keep();
    CAF_CHECK(send_in_vain() > 0);
    here.set_up("up0", true);
    if (floats)
      local.address = ip("192.0.2.10");
    expect_traffic(2);
    CAF_CHECK(!facts.take_now());
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
