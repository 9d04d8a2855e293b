// A network namespace of its own for a test, with an uplink in it. Nothing
// outside is touched; the process returns to its namespace afterwards.
#pragma once

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/ip_address.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "actors/netlink.hpp"
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <unistd.h>

namespace vpn::test {

inline ip_address ip(std::string_view text) {
  auto result = parse_ip(text);
  if (!result)
    CAF_FAIL("no address: " << std::string{text});
  return *result;
}

inline ip_prefix net(std::string_view text) {
  auto kind = text.find(':') == text.npos ? family::v4 : family::v6;
  auto result = parse_prefix(text, kind);
  if (!result)
    CAF_FAIL("no prefix: " << std::string{text});
  return *result;
}

/// The thread's own network namespace, and the way back from it.
class own_namespace {
public:
  own_namespace()
    : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (!before_ || ::unshare(CLONE_NEWNET) != 0)
      CAF_FAIL("these tests need root: they run in a network namespace of "
               "their own, and making one is not allowed here");
  }
  own_namespace(const own_namespace&) = delete;
  own_namespace& operator=(const own_namespace&) = delete;
  ~own_namespace() {
    if (::setns(before_.get(), CLONE_NEWNET) != 0)
      ::_exit(1);
  }

private:
  actors::unique_fd before_;
};

/// A namespace with lo and the uplink "up0" (a veth): 192.0.2.10/24 and
/// 2001:db8:1::10/64, default gateways at ::1 and .1 of it.
class fresh_network {
public:
  fresh_network() : kernel(open()) {
    if (rtnl_link_veth_add(kernel.handle(), "up0", "up1", ::getpid()) != 0)
      CAF_FAIL("cannot make a veth device");
    // Without link-local addresses nothing changes behind the test's back.
    for (auto name : {"up1", "up0"}) {
      auto link = kernel.link(name);
      CAF_REQUIRE(link);
      need(kernel.set_link(
        link->index, {std::nullopt, std::nullopt, std::nullopt, uint8_t{1}}));
      set_up(name, true);
    }
    set_up("lo", true);
    need(kernel.add_address({index("up0"), net("192.0.2.10/24"), {}}));
    need(kernel.add_address({index("up0"), net("2001:db8:1::10/64"), {}}));
  }

  void set_up(const std::string& name, bool up) {
    need(kernel.set_link(index(name),
                         {std::nullopt, std::nullopt, up, std::nullopt}));
  }

  uint32_t index(const std::string& name) {
    auto link = kernel.link(name);
    return link ? link->index : 0;
  }

  void add_route(const std::string& destination, const std::string& gateway,
                 const std::string& device,
                 std::optional<uint32_t> metric = {}) {
    need(kernel.add_route(route(destination, gateway, device, metric)));
  }

  actors::kernel_route route(const std::string& destination,
                             const std::string& gateway,
                             const std::string& device,
                             std::optional<uint32_t> metric = {}) {
    actors::kernel_route result;
    result.destination = net(destination);
    if (!gateway.empty())
      result.gateway = ip(gateway);
    result.device = index(device);
    result.metric = metric;
    return result;
  }

  void add_default_routes() {
    add_route("0.0.0.0/0", "192.0.2.1", "up0");
    add_route("::/0", "2001:db8:1::1", "up0");
  }

  /// A default route with two next hops on the uplink.
  void add_default_with_two_hops() {
    add_default_with_hops({"192.0.2.1", "192.0.2.2"});
  }

  /// An IPv4 default route through an IPv6 neighbour.
  void add_default_via_ipv6() { add_default_with_hops({"2001:db8:1::1"}); }

  /// "up0" or "tun0 via 10.8.0.1": which way a packet takes.
  std::string way_to(const std::string& address) {
    auto found = kernel.route_to(ip(address));
    if (!found)
      return "none";
    auto link = kernel.link(found->device);
    auto result = link ? link->name : "?";
    if (found->gateway.defined())
      result += " via " + to_string(found->gateway);
    return result;
  }

  /// All there is to know of links, addresses and routes, as sorted lines.
  std::vector<std::string> dump() {
    std::vector<std::string> result;
    for (auto name : {"lo", "up0", "up1", "tun0", "tun1"})
      if (auto x = kernel.link(name); x)
        result.push_back("link " + x->name + " " + std::to_string(x->index)
                         + " mtu " + std::to_string(x->mtu) + " queue "
                         + std::to_string(x->tx_queue_length)
                         + (x->up ? " up" : " down"));
    auto addresses = kernel.addresses();
    CAF_REQUIRE(addresses);
    for (auto& x : *addresses)
      result.push_back("address " + to_string(x.address) + " peer "
                       + to_string(x.peer) + " dev "
                       + std::to_string(x.device));
    for (auto kind : {family::v4, family::v6}) {
      auto routes = kernel.routes(kind);
      CAF_REQUIRE(routes);
      for (auto& x : *routes)
        result.push_back(to_line(x));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  own_namespace space;
  actors::netlink kernel;

private:
  void add_default_with_hops(const std::vector<std::string>& gateways) {
    auto x = rtnl_route_alloc();
    rtnl_route_set_family(x, AF_INET);
    rtnl_route_set_table(x, RT_TABLE_MAIN);
    auto any = nl_addr_build(AF_INET, "\0\0\0\0", 4);
    nl_addr_set_prefixlen(any, 0);
    rtnl_route_set_dst(x, any);
    nl_addr_put(any);
    for (auto& text : gateways) {
      auto address = ip(text);
      auto is_v4 = address.kind == family::v4;
      auto gateway = nl_addr_build(is_v4 ? AF_INET : AF_INET6,
                                   address.octets.data(), address.size());
      auto hop = rtnl_route_nh_alloc();
      rtnl_route_nh_set_ifindex(hop, static_cast<int>(index("up0")));
      if (is_v4)
        rtnl_route_nh_set_gateway(hop, gateway);
      else
        rtnl_route_nh_set_via(hop, gateway);
      rtnl_route_add_nexthop(x, hop);
      nl_addr_put(gateway);
    }
    auto code = rtnl_route_add(kernel.handle(), x, NLM_F_EXCL);
    rtnl_route_put(x);
    CAF_REQUIRE_EQUAL(code, 0);
  }

  static actors::netlink open() {
    auto result = actors::netlink::open();
    if (!result)
      CAF_FAIL("no netlink socket: " << result.error().text);
    return std::move(*result);
  }

  static void need(const actors::kernel_result<done_t>& x) {
    if (!x)
      CAF_FAIL("the kernel refused: " << x.error().text);
  }

  static std::string to_line(const actors::kernel_route& x) {
    return "route " + to_string(x.destination) + " via " + to_string(x.gateway)
           + " dev " + std::to_string(x.device) + " src " + to_string(x.source)
           + " metric " + std::to_string(x.metric.value_or(0)) + " proto "
           + std::to_string(x.protocol) + " scope "
           + std::to_string(x.scope.value_or(0)) + (x.on_link ? " onlink" : "")
           + (x.complete ? "" : " and more");
  }
};

} // namespace vpn::test
