// TUN with a device of a real kernel, in a network namespace of its own.
#define CAF_SUITE actors.tun
#include "vpn/actors/tun.hpp"

#include "tests/support/fresh_network.hpp"
#include "tests/support/inner_packets.hpp"
#include "tests/support/loop_fixture.hpp"
#include "tests/support/throwing_actor.hpp"

#include "caf/test/unit_test.hpp"
#include <caf/typed_event_based_actor.hpp>

#include "actors/socket_address.hpp"
#include "actors/tun_device.hpp"
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

using namespace vpn;
using namespace vpn::actors;
using vpn::test::ip;
using vpn::test::long_enough;
using vpn::test::net;

namespace {

/// What came out of the device, with its description.
struct read_packet {
  protocol::packet_run run;
  bytes data;
};

batch_down_actor::behavior_type below_dummy(batch_down_actor::pointer,
                                            test::channel<read_packet>* out) {
  return {
    [out](atom::down, batch_ptr& batch) {
      std::vector<read_packet> all;
      for (auto& run : *batch)
        all.push_back({run, batch->view(run).copy()});
      batch.reset();
      for (auto& x : all)
        out->put(std::move(x));
    },
  };
}

device_observer_actor::behavior_type
observer_dummy(device_observer_actor::pointer,
               test::channel<layer_failed>* out) {
  return {
    [out](const layer_failed& x) {
      out->put(x);
    },
  };
}

pool_ptr make_pool(size_t batches, uint32_t slab_bytes, uint32_t runs) {
  return caf::make_counted<batch_pool>(pool_config{batches, slab_bytes, runs});
}

void wait_until(const unique_fd& fd, short events) {
  pollfd x{fd.get(), events, 0};
  auto limit = std::chrono::milliseconds{long_enough}.count();
  CAF_REQUIRE_EQUAL(poll(&x, 1, static_cast<int>(limit)), 1);
}

bool is_ready(const unique_fd& fd) {
  pollfd x{fd.get(), POLLIN, 0};
  return poll(&x, 1, 0) == 1;
}

unique_fd make_socket(const std::string& own, uint16_t port, int type) {
  auto address = ip(own);
  unique_fd fd{::socket(address.kind == family::v6 ? AF_INET6 : AF_INET,
                        type | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address({address, port, 0});
  CAF_REQUIRE_EQUAL(bind(fd.get(), sa.get(), sa.size), 0);
  return fd;
}

/// The namespace first: the loop's thread lives in it, too.
struct fixture : test::fresh_network, test::loop_fixture {
  test::channel<read_packet> read;
  test::channel<layer_failed> failures;
  data_pools pools{nullptr, make_pool(4, 2 * 65536 + 4096, 128),
                   make_pool(4, 4096, 16)};
  pool_ptr opened = make_pool(64, 1 << 16, 128);
  tun_actor layer;
  tunnel_device device;

  fixture() {
    layer = own(spawn_tun(sys, &loop, pools, own(sys.spawn(below_dummy, &read)),
                          own(sys.spawn(observer_dummy, &failures))));
  }

  /// Before what the actors write to.
  ~fixture() { end_actors(); }

  void open(bool offload = true) {
    auto x = open_tun({"tun", offload});
    if (!x)
      CAF_FAIL(x.error().text);
    device = {};
    device.name = x->name;
    device.vnet_header = x->vnet_hdr;
    device.tso = x->tso;
    device.uso = x->uso;
    device.fd = share(std::move(x->fd));
    CAF_REQUIRE(kernel.set_link(
      index(device.name),
      {std::nullopt, std::nullopt, std::nullopt, address_generation_none}));
    set_up(device.name, true);
    for (auto x : {"10.8.0.2/24", "fd00::2/64"})
      add_usable_address(x);
    caf::anon_send(layer, atom::attach_v, device);
    // It reads from now on.
    status();
  }

  /// The kernel finishes a new IPv6 address in a thread of its own; before, it
  /// drops what comes for it.
  void add_usable_address(const std::string& text) {
    CAF_REQUIRE(kernel.add_address({index(device.name), net(text), {}}));
    auto own = text.substr(0, text.find('/'));
    auto limit = std::chrono::steady_clock::now() + long_enough;
    while (way_to(own) != "lo") {
      CAF_REQUIRE(std::chrono::steady_clock::now() < limit);
      std::this_thread::yield();
    }
  }

  std::string status() { return ask<layer_status>(layer, atom::status_v).text; }
  bool status_has(const std::string& part) {
    auto text = status();
    if (text.find(part) == std::string::npos) {
      CAF_MESSAGE(text);
      return false;
    }
    return true;
  }

  /// Sends a datagram that leaves through the device.
  void send_out(const std::string& to, const std::string& text) {
    auto address = ip(to);
    unique_fd fd{::socket(address.kind == family::v6 ? AF_INET6 : AF_INET,
                          SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    auto sa = to_socket_address({address, 9, 0});
    CAF_REQUIRE_EQUAL(
      sendto(fd.get(), text.data(), text.size(), 0, sa.get(), sa.size),
      static_cast<ssize_t>(text.size()));
  }

  /// The next packet the dummy below got, without what the kernel sends on its
  /// own (multicast listener reports and the like).
  read_packet next_read(uint8_t protocol) {
    while (true) {
      auto x = read.take();
      CAF_REQUIRE(x);
      auto v4 = x->data.at(0) >> 4 == 4;
      if (x->data.at(v4 ? 9 : 6) == protocol)
        return std::move(*x);
    }
  }
  bool nothing_read(uint8_t protocol) {
    finish_round();
    while (auto x = read.take_now())
      if (x->data.at(x->data.at(0) >> 4 == 4 ? 9 : 6) == protocol)
        return false;
    return true;
  }

  /// The datagram's text at the end of an IP packet.
  static std::string text_of(const read_packet& x) {
    auto header = x.data.at(0) >> 4 == 4 ? 28 : 48;
    return std::string{byte_view{x.data}.from(header).text()};
  }

  void write_in(const std::vector<bytes>& xs) {
    auto batch = opened->get();
    CAF_REQUIRE(batch);
    for (auto& x : xs) {
      std::copy(x.begin(), x.end(), batch->data + batch->used);
      CAF_REQUIRE(batch->add(batch->used, static_cast<uint32_t>(x.size())));
      batch->used += static_cast<uint32_t>(x.size());
    }
    caf::anon_send(layer, atom::up_v, std::move(batch));
  }

  static std::string received(const unique_fd& fd) {
    wait_until(fd, POLLIN);
    std::string result(65536, '\0');
    auto n = recv(fd.get(), result.data(), result.size(), MSG_DONTWAIT);
    CAF_REQUIRE(n >= 0);
    result.resize(static_cast<size_t>(n));
    return result;
  }

  /// A UDP packet that the kernel takes for its own.
  static bytes datagram_to(uint16_t port, bool v6, const std::string& text) {
    test::flow f;
    f.udp = true;
    f.v6 = v6;
    f.target_port = port;
    return test::make_packet(f, {}, byte_view{std::string_view{text}});
  }
};

constexpr uint8_t udp = 17;
constexpr uint8_t tcp = 6;

} // namespace

CAF_TEST_FIXTURE_SCOPE(tun_tests, fixture)

CAF_TEST(packets of this host reach the layer below) {
  for (auto offload : {true, false}) {
    open(offload);
    for (auto to : {"10.8.0.1", "fd00::1"}) {
      send_out(to, "hello");
      auto x = next_read(udp);
      CAF_CHECK_EQUAL(text_of(x), "hello");
      CAF_CHECK(x.run.train == protocol::train_kind::none);
      // Without offload the kernel has finished the checksum.
      if (!device.vnet_header)
        CAF_CHECK(test::well_formed(x.data));
    }
    CAF_CHECK_EQUAL(pools.tun->available(), pools.tun->capacity());
  }
}

CAF_TEST(many packets keep their order) {
  open();
  for (int i = 0; i < 300; ++i)
    send_out("10.8.0.1", std::to_string(i));
  for (int i = 0; i < 300; ++i)
    CAF_REQUIRE_EQUAL(text_of(next_read(udp)), std::to_string(i));
}

CAF_TEST(packets that come up reach a socket of this host) {
  for (auto offload : {true, false}) {
    open(offload);
    uint16_t port = offload ? 7001 : 7002;
    auto v4 = make_socket("10.8.0.2", port, SOCK_DGRAM);
    auto v6 = make_socket("fd00::2", port, SOCK_DGRAM);
    std::vector<bytes> xs;
    for (int i = 0; i < 40; ++i) {
      // Runs of equal sizes may be joined on their way.
      auto text = std::string(static_cast<size_t>(100 + i / 10), 'a')
                  + std::to_string(i);
      xs.push_back(datagram_to(port, false, text));
      xs.push_back(datagram_to(port, true, text));
    }
    write_in(xs);
    for (auto fd : {&v4, &v6}) {
      for (int i = 0; i < 40; ++i) {
        auto text = std::string(static_cast<size_t>(100 + i / 10), 'a')
                    + std::to_string(i);
        CAF_REQUIRE_EQUAL(received(*fd), text);
      }
      CAF_CHECK(!is_ready(*fd));
    }
    CAF_CHECK(status_has("write errors 0"));
    CAF_CHECK_EQUAL(opened->available(), opened->capacity());
  }
}

CAF_TEST(TCP passes in trains and in its order) {
  open();
  CAF_REQUIRE(device.tso);
  auto client = make_socket("10.8.0.2", 0, SOCK_STREAM);
  CAF_REQUIRE_EQUAL(fcntl(client.get(), F_SETFL, O_NONBLOCK), 0);
  auto sa = to_socket_address({ip("10.8.0.1"), 443, 0});
  ::connect(client.get(), sa.get(), sa.size);
  // The test is the server: it answers the SYN by hand.
  auto syn = next_read(tcp);
  auto header = test::ip_header_size(syn.data);
  auto sequence = load_u32(syn.data.data() + header + 4);
  test::flow f;
  f.source_port = 443;
  f.target_port = load_u16(syn.data.data() + header);
  f.options = {2, 4, 5, 0xb4}; // MSS 1460
  test::segment s;
  s.sequence = 5000;
  s.ack = sequence + 1;
  s.window = 65535;
  s.flags = 0x12;
  write_in({test::make_packet(f, s, {})});
  wait_until(client, POLLOUT);
  bytes sent(10000);
  for (size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<uint8_t>(i * 31);
  CAF_REQUIRE_EQUAL(::send(client.get(), sent.data(), sent.size(), 0), 10000);
  bytes got;
  auto trains = 0;
  while (got.size() < sent.size()) {
    auto x = next_read(tcp);
    auto at = header + 4u * (x.data.at(header + 12) >> 4);
    if (x.run.train == protocol::train_kind::tcp4) {
      ++trains;
      CAF_CHECK_EQUAL(x.run.stride, 1460u);
      CAF_CHECK(x.data.size() - at > 1460u);
      CAF_CHECK(x.run.needs_checksum);
    }
    got.insert(got.end(), x.data.begin() + static_cast<ptrdiff_t>(at),
               x.data.end());
  }
  CAF_CHECK(got == sent);
  CAF_CHECK(trains > 0);
  // The answer comes in segments, which are joined on their way in.
  f.options.clear();
  s.flags = 0x10;
  s.sequence = 5001;
  s.ack = sequence + 1 + 10000;
  std::vector<bytes> segments;
  for (size_t i = 0; i < sent.size(); i += 1000) {
    segments.push_back(
      test::make_packet(f, s, byte_view{sent}.from(i).first(1000)));
    s.sequence += 1000;
    ++s.id;
  }
  write_in(segments);
  bytes back;
  while (back.size() < sent.size()) {
    auto text = received(client);
    CAF_REQUIRE(!text.empty());
    back.insert(back.end(), text.begin(), text.end());
  }
  CAF_CHECK(back == sent);
  // SYN-ACK and answer: fewer writes than packets.
  CAF_CHECK(status_has("out 11 by 2 writes, write errors 0"));
}

CAF_TEST(reading pauses while no sealed slabs are left) {
  open();
  std::vector<batch_ptr> held;
  for (int i = 0; i < 3; ++i)
    held.push_back(pools.sealed->get());
  for (int i = 0; i < 20; ++i)
    send_out("10.8.0.1", std::to_string(i));
  CAF_CHECK(nothing_read(udp));
  CAF_CHECK(status_has("pauses"));
  CAF_CHECK(!status_has("pauses 0,"));
  // Two slabs are enough; nothing was lost meanwhile.
  held.pop_back();
  for (int i = 0; i < 20; ++i)
    CAF_REQUIRE_EQUAL(text_of(next_read(udp)), std::to_string(i));
}

CAF_TEST(slabs may come back one by one) {
  open();
  for (int round = 0; round < 20; ++round) {
    std::vector<batch_ptr> held;
    while (auto x = pools.sealed->get())
      held.push_back(std::move(x));
    send_out("10.8.0.1", std::to_string(round));
    CAF_REQUIRE(nothing_read(udp));
    held.pop_back();
    // One is not enough, and its call does not count for the next one.
    CAF_REQUIRE(nothing_read(udp));
    held.pop_back();
    CAF_REQUIRE_EQUAL(text_of(next_read(udp)), std::to_string(round));
  }
}

CAF_TEST(reading pauses while no slabs to read into are left) {
  open();
  for (int round = 0; round < 20; ++round) {
    std::vector<batch_ptr> held;
    while (auto x = pools.tun->get())
      held.push_back(std::move(x));
    send_out("10.8.0.1", std::to_string(round));
    CAF_REQUIRE(nothing_read(udp));
    held.pop_back();
    CAF_REQUIRE_EQUAL(text_of(next_read(udp)), std::to_string(round));
  }
}

CAF_TEST(packets that come up pass while reading pauses) {
  open();
  std::vector<batch_ptr> held;
  while (auto x = pools.sealed->get())
    held.push_back(std::move(x));
  send_out("10.8.0.1", "waits");
  CAF_CHECK(nothing_read(udp));
  auto fd = make_socket("10.8.0.2", 7001, SOCK_DGRAM);
  write_in({datagram_to(7001, false, "passes")});
  CAF_CHECK_EQUAL(received(fd), "passes");
}

CAF_TEST(what the kernel does not take is counted) {
  open();
  set_up(device.name, false);
  write_in({datagram_to(7001, false, "x"), datagram_to(7001, true, "y")});
  CAF_CHECK(status_has("write errors 2"));
  // It is up again: nothing has ended.
  set_up(device.name, true);
  CAF_CHECK(!failures.take_now());
  send_out("10.8.0.1", "hello");
  CAF_CHECK_EQUAL(text_of(next_read(udp)), "hello");
}

CAF_TEST(random bytes that come up do no harm) {
  open();
  write_in({bytes{0}, bytes(1500, 0xff), bytes(20, 0x45), bytes(40, 0x60),
            bytes(3, 0x45)});
  auto fd = make_socket("10.8.0.2", 7001, SOCK_DGRAM);
  write_in({datagram_to(7001, false, "passes")});
  CAF_CHECK_EQUAL(received(fd), "passes");
}

CAF_TEST(a device that is gone is a failure) {
  open();
  rtnl_link* link = nullptr;
  CAF_REQUIRE_EQUAL(
    rtnl_link_get_kernel(kernel.handle(), 0, device.name.c_str(), &link), 0);
  CAF_REQUIRE_EQUAL(rtnl_link_delete(kernel.handle(), link), 0);
  rtnl_link_put(link);
  auto x = failures.take();
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->layer, "tun");
  CAF_CHECK(x->what.why == reason::host_failed);
  CAF_CHECK(x->what.text.find(device.name) != std::string::npos);
  finish_round();
  CAF_CHECK(!failures.take_now());
}

CAF_TEST(another device takes the place of the first) {
  open();
  auto first = device.name;
  CAF_CHECK(index(first) != 0);
  auto old = std::exchange(device, {});
  old.fd.reset();
  {
    auto x = open_tun({"tun", true});
    CAF_REQUIRE(x);
    CAF_CHECK(x->name != first);
    device.name = x->name;
    device.vnet_header = x->vnet_hdr;
    device.tso = x->tso;
    device.uso = x->uso;
    device.fd = share(std::move(x->fd));
  }
  caf::anon_send(layer, atom::attach_v, device);
  status();
  // TUN was the last to hold the first one.
  CAF_CHECK_EQUAL(index(first), 0u);
  set_up(device.name, true);
  CAF_REQUIRE(kernel.add_address({index(device.name), net("10.9.0.2/24"), {}}));
  send_out("10.9.0.1", "hello");
  CAF_CHECK_EQUAL(text_of(next_read(udp)), "hello");
}

CAF_TEST(no device is nothing to do) {
  caf::anon_send(layer, atom::attach_v, tunnel_device{});
  write_in({datagram_to(7001, false, "x")});
  CAF_CHECK(status_has("packets in 0 by 0 reads"));
  CAF_CHECK_EQUAL(opened->available(), opened->capacity());
}

CAF_TEST(a shutdown ends the reading and keeps the device) {
  open();
  auto x = ask<layer_status>(layer, atom::shutdown_v);
  CAF_CHECK_EQUAL(x.layer, "tun");
  send_out("10.8.0.1", "hello");
  CAF_CHECK(nothing_read(udp));
  CAF_CHECK(index(device.name) != 0);
}

CAF_TEST(an exception while it reads ends the layer and not the loop) {
  open();
  auto below = test::make_throwing<batch_down_actor>(sys);
  auto broken = spawn_tun(sys, &loop, pools, below, device_observer_actor{});
  self->monitor(broken);
  caf::anon_send(layer, atom::attach_v, tunnel_device{});
  status();
  caf::anon_send(broken, atom::attach_v, device);
  send_out("10.8.0.1", "lost");
  test::expect_exception(self, broken.address());
  // Another one takes the device over, on the same loop.
  caf::anon_send(layer, atom::attach_v, device);
  status();
  send_out("10.8.0.1", "hello");
  CAF_CHECK_EQUAL(text_of(next_read(udp)), "hello");
  CAF_CHECK_EQUAL(pools.tun->available(), pools.tun->capacity());
}

CAF_TEST(a killed layer lets go of the device) {
  open();
  auto name = device.name;
  device = {};
  caf::anon_send_exit(layer, caf::exit_reason::kill);
  self->wait_for(layer);
  finish_round();
  CAF_CHECK_EQUAL(index(name), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
