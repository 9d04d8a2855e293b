// What is told of the machine: addresses, links and routes of a network
// namespace of the test's own, and a sleep that is only pretended.
// spec: design 6
#define CAF_SUITE actors.host_watch
#include "vpn/actors/host_watch.hpp"

#include "tests/support/fresh_network.hpp"
#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"
#include <caf/typed_event_based_actor.hpp>

#include <variant>

#include "actors/netlink_values.hpp"
#include <dirent.h>
#include <linux/capability.h>
#include <sys/syscall.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

using host_fact = std::variant<addresses_changed, host_woke>;

host_observer_actor::behavior_type observer(host_observer_actor::pointer,
                                            channel<host_fact>* out) {
  return {
    [out](const addresses_changed& x) {
      out->put(x);
    },
    [out](const host_woke& x) {
      out->put(x);
    },
  };
}

/// A second program that changes the routes of this host.
class other_program {
public:
  other_program() : socket_(nl_socket_alloc()) {
    nl_socket_set_local_port(socket_.get(),
                             static_cast<uint32_t>(::getpid()) ^ 1u);
    if (nl_connect(socket_.get(), NETLINK_ROUTE) != 0)
      CAF_FAIL("no netlink socket");
  }
  void add(const kernel_route& x) {
    auto request = to_nl(x);
    CAF_REQUIRE_EQUAL(rtnl_route_add(socket_.get(), request.get(), 0), 0);
  }
  void remove(const kernel_route& x) {
    auto request = to_nl(x);
    CAF_REQUIRE_EQUAL(rtnl_route_delete(socket_.get(), request.get(), 0), 0);
  }

private:
  nl_sock_ptr socket_;
};

/// Made before the threads of the fixture, which live in it, too.
struct in_network {
  fresh_network space;
  uint32_t up0 = space.index("up0"), lo = space.index("lo");

  in_network() {
    // The kernel would say some time later that nobody else has it.
    CAF_REQUIRE(
      space.kernel.remove_address({up0, net("2001:db8:1::10/64"), {}}));
  }
  void add(uint32_t device, const std::string& address) {
    CAF_REQUIRE(space.kernel.add_address({device, net(address), {}}));
  }
  void remove(uint32_t device, const std::string& address) {
    CAF_REQUIRE(space.kernel.remove_address({device, net(address), {}}));
  }
};

struct fixture : in_network, loop_fixture {
  channel<host_fact> facts;
  host_observer_actor out = own(sys.spawn(observer, &facts));
  host_watch_actor watch;
  /// How far a pretended sleep has brought the clocks apart.
  std::atomic<int64_t> slept{0};

  ~fixture() { end_actors(); }

  /// Nothing settles before the test says so, unless it says how soon.
  void start(const std::string& ignored = {}, duration settle
                                              = std::chrono::hours{1}) {
    host_watch_config cfg;
    cfg.ignored_device = ignored;
    cfg.settle = settle;
    cfg.boottime = [this] {
      timespec x{};
      clock_gettime(CLOCK_MONOTONIC, &x);
      return x.tv_sec * int64_t{1'000'000'000} + x.tv_nsec + slept;
    };
    watch = own(spawn_host_watch(sys, loop, cfg, out));
    // It has begun, has asked what there is, and has heard the answers.
    for (int i = 0; i < 3; ++i)
      finish_round();
  }

  /// Lets the watch hear everything, and settles.
  void settle() {
    finish_round();
    self->send(watch, atom::timeout_v);
    for (int i = 0; i < 3; ++i)
      finish_round();
  }

  /// What was told up to now.
  std::vector<host_fact> all_facts() {
    constexpr uint64_t end = 123456789;
    caf::anon_send(out, host_woke{end});
    std::vector<host_fact> result;
    while (true) {
      auto fact = facts.take();
      CAF_REQUIRE(fact);
      if (auto x = std::get_if<host_woke>(&*fact); x && x->slept == end)
        return result;
      result.push_back(std::move(*fact));
    }
  }

  static std::vector<std::string> addresses_of(const host_fact& fact) {
    auto x = std::get_if<addresses_changed>(&fact);
    CAF_REQUIRE(x != nullptr);
    std::vector<std::string> result;
    for (auto& ip : x->gone)
      result.push_back(to_string(ip));
    std::sort(result.begin(), result.end());
    return result;
  }

  /// The addresses of the one message that follows.
  std::vector<std::string> expect_change() {
    settle();
    settle();
    auto told = all_facts();
    CAF_REQUIRE_EQUAL(told.size(), 1u);
    return addresses_of(told.front());
  }

  /// Those of the next one, when it comes.
  std::vector<std::string> take_change() {
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    return addresses_of(*fact);
  }

  void expect_nothing() {
    settle();
    CAF_CHECK(all_facts().empty());
  }
};

using names = std::vector<std::string>;

size_t open_descriptors() {
  auto* dir = opendir("/proc/self/fd");
  CAF_REQUIRE(dir != nullptr);
  size_t result = 0;
  while (readdir(dir) != nullptr)
    ++result;
  closedir(dir);
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_watch_tests, fixture)

// -- addresses --

CAF_TEST(an address that comes is one message) {
  start();
  add(up0, "192.0.2.11/24");
  CAF_CHECK(expect_change() == names{});
}

CAF_TEST(an address that goes is named) {
  add(up0, "192.0.2.11/24");
  start();
  expect_nothing();
  remove(up0, "192.0.2.11/24");
  CAF_CHECK(expect_change() == names{"192.0.2.11"});
}

CAF_TEST(a burst is one message) {
  start();
  for (int i = 20; i < 70; ++i)
    add(up0, "192.0.2." + std::to_string(i) + "/24");
  for (int i = 20; i < 23; ++i)
    remove(up0, "192.0.2." + std::to_string(i) + "/24");
  CAF_CHECK(
    (expect_change() == names{"192.0.2.20", "192.0.2.21", "192.0.2.22"}));
}

CAF_TEST(an address that comes back in time is not gone) {
  add(up0, "192.0.2.11/24");
  start();
  remove(up0, "192.0.2.11/24");
  add(up0, "192.0.2.11/24");
  CAF_CHECK(expect_change() == names{});
}

CAF_TEST(an address that another device has is not gone) {
  add(up0, "198.51.100.7/32");
  add(lo, "198.51.100.7/32");
  start();
  remove(up0, "198.51.100.7/32");
  CAF_CHECK(expect_change() == names{});
  remove(lo, "198.51.100.7/32");
  CAF_CHECK(expect_change() == names{"198.51.100.7"});
}

// -- links --

CAF_TEST(a link that goes down and comes up is one message each time) {
  start();
  space.set_up("lo", false);
  // IPv4 addresses stay with a link that is down.
  CAF_CHECK(expect_change() == names{"::1"});
  space.set_up("lo", true);
  CAF_CHECK(expect_change() == names{});
}

CAF_TEST(what changes of a link and not its use is no message) {
  start();
  CAF_REQUIRE(space.kernel.set_link(
    lo, {1400, std::nullopt, std::nullopt, std::nullopt}));
  CAF_REQUIRE(
    space.kernel.set_link(lo, {std::nullopt, 77, std::nullopt, std::nullopt}));
  expect_nothing();
}

// -- routes --

CAF_TEST(a route of another program is one message) {
  other_program other;
  start();
  auto x = space.route("203.0.113.0/24", "192.0.2.1", "up0");
  other.add(x);
  CAF_CHECK(expect_change() == names{});
  other.remove(x);
  CAF_CHECK(expect_change() == names{});
}

CAF_TEST(routes of our own are no message) {
  start();
  auto x = space.route("203.0.113.0/24", "192.0.2.1", "up0");
  CAF_REQUIRE(space.kernel.add_route(x));
  CAF_REQUIRE(space.kernel.remove_route(x));
  expect_nothing();
}

// -- our own device --

CAF_TEST(the device that is ours is ignored) {
  other_program other;
  add(lo, "10.8.0.2/24");
  for (auto later : {false, true}) {
    start(later ? "" : "lo");
    remove(lo, "10.8.0.2/24");
    add(lo, "10.8.0.2/24");
    other.add(space.route("10.9.0.0/24", "10.8.0.1", "lo"));
    remove(lo, "10.8.0.2/24");
    space.set_up("lo", false);
    // Even when it is named after the fact.
    if (later)
      self->send(watch, atom::attach_v, std::string{"lo"});
    expect_nothing();
    space.set_up("lo", true);
    add(lo, "10.8.0.2/24");
    expect_nothing();
    // Others are not.
    add(up0, "192.0.2.11/24");
    CAF_CHECK(expect_change() == names{});
    remove(up0, "192.0.2.11/24");
    CAF_CHECK(expect_change() == names{"192.0.2.11"});
    // Until another device is ours.
    self->send(watch, atom::attach_v, std::string{"up0"});
    expect_nothing();
    add(up0, "192.0.2.11/24");
    remove(up0, "192.0.2.11/24");
    expect_nothing();
    remove(lo, "10.8.0.2/24");
    CAF_CHECK(expect_change() == names{"10.8.0.2"});
    add(lo, "10.8.0.2/24");
    caf::anon_send_exit(watch, caf::exit_reason::user_shutdown);
    self->wait_for(watch);
    finish_round();
  }
}

CAF_TEST(a device that vanishes with all it had is still ours) {
  add(up0, "198.51.100.9/32");
  start("up0");
  // The other half of the pair goes with it.
  auto* gone = rtnl_link_alloc();
  rtnl_link_set_ifindex(gone, static_cast<int>(up0));
  CAF_REQUIRE_EQUAL(rtnl_link_delete(space.kernel.handle(), gone), 0);
  rtnl_link_put(gone);
  settle();
  // up1 is not ours, and has ceased to be usable.
  CAF_CHECK(take_change() == names{});
}

// -- losses --

CAF_TEST(a loss counts as a change and is made up for) {
  add(up0, "198.51.100.1/32");
  add(up0, "198.51.100.2/32");
  start();
  test::channel<int> hangs, goes_on;
  loop.post([&] {
    hangs.put(1);
    goes_on.take();
  });
  CAF_REQUIRE(hangs.take());
  // More than the kernel keeps for a reader that does not come.
  for (int i = 0; i < 2000; ++i) {
    add(lo, "10.99.0.1/32");
    remove(lo, "10.99.0.1/32");
  }
  remove(up0, "198.51.100.2/32");
  goes_on.put(1);
  // A turn takes only so much.
  for (int i = 0; i < 60; ++i)
    finish_round();
  CAF_CHECK((expect_change() == names{"10.99.0.1", "198.51.100.2"}));
  // It hears as before.
  remove(up0, "198.51.100.1/32");
  CAF_CHECK(expect_change() == names{"198.51.100.1"});
}

// -- time --

CAF_TEST(it settles by itself) {
  start({}, std::chrono::milliseconds{1});
  add(up0, "192.0.2.11/24");
  CAF_CHECK(take_change() == names{});
  remove(up0, "192.0.2.11/24");
  CAF_CHECK(take_change() == names{"192.0.2.11"});
}

CAF_TEST(a sleep is told with its seconds) {
  start();
  expect_nothing();
  slept += 90 * int64_t{1'000'000'000};
  settle();
  auto fact = facts.take();
  CAF_REQUIRE(fact);
  auto woke = std::get_if<host_woke>(&*fact);
  CAF_REQUIRE(woke != nullptr);
  // The clocks are read one after the other.
  CAF_CHECK(woke->slept >= 80 && woke->slept <= 100);
  expect_nothing();
}

// -- life and death --

CAF_TEST(it needs no privileges) {
  on_loop([] {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    CAF_REQUIRE_EQUAL(syscall(SYS_capset, &head, none), 0);
  });
  start();
  add(up0, "192.0.2.11/24");
  CAF_CHECK(expect_change() == names{});
  remove(up0, "192.0.2.11/24");
  CAF_CHECK(expect_change() == names{"192.0.2.11"});
}

CAF_TEST(its death leaves nothing open) {
  finish_round();
  auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    auto x = spawn_host_watch(sys, loop, {}, out);
    if (i % 2 == 0)
      finish_round();
    caf::anon_send_exit(x, caf::exit_reason::kill);
    self->wait_for(x);
  }
  finish_round();
  CAF_CHECK_EQUAL(open_descriptors(), before);
}

CAF_TEST_FIXTURE_SCOPE_END()
