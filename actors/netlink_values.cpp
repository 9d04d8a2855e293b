// Between libnl's objects and plain values. Private to the netlink wrapper.
#include "netlink_values.hpp"

#include <algorithm>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/link/inet6.h>
#include <sys/socket.h>

namespace vpn::actors {

int to_af(family kind) {
  return kind == family::v6 ? AF_INET6 : AF_INET;
}

nl_addr_ptr to_nl(const ip_prefix& x) {
  auto& octets = x.address.octets;
  nl_addr_ptr result{
    nl_addr_build(to_af(x.address.kind), octets.data(), x.address.size())};
  if (result)
    nl_addr_set_prefixlen(result.get(), x.length);
  return result;
}

nl_addr_ptr to_nl(const ip_address& x) {
  return to_nl(ip_prefix{x, static_cast<uint8_t>(8 * x.size())});
}

/// An nl_addr without bytes is the "any" address of its family.
ip_address from_nl(nl_addr* x) {
  ip_address result;
  if (x == nullptr)
    return result;
  switch (nl_addr_get_family(x)) {
    case AF_INET:
      result.kind = family::v4;
      break;
    case AF_INET6:
      result.kind = family::v6;
      break;
    default:
      return result;
  }
  auto size = std::min(result.size(), size_t{nl_addr_get_len(x)});
  if (size > 0)
    std::memcpy(result.octets.data(), nl_addr_get_binary_addr(x), size);
  return result;
}

namespace {

ip_prefix prefix_from_nl(nl_addr* x) {
  auto length = x != nullptr ? nl_addr_get_prefixlen(x) : 0;
  return {from_nl(x), static_cast<uint8_t>(length)};
}

} // namespace

link_state from_nl(rtnl_link* x) {
  link_state result;
  result.index = static_cast<uint32_t>(rtnl_link_get_ifindex(x));
  if (auto name = rtnl_link_get_name(x); name != nullptr)
    result.name = name;
  result.mtu = rtnl_link_get_mtu(x);
  result.tx_queue_length = rtnl_link_get_txqlen(x);
  result.up = (rtnl_link_get_flags(x) & IFF_UP) != 0;
  return result;
}

addr_ptr to_nl(const link_address& x) {
  addr_ptr result{rtnl_addr_alloc()};
  auto local = to_nl(x.address);
  if (!result || !local)
    return nullptr;
  rtnl_addr_set_ifindex(result.get(), static_cast<int>(x.device));
  rtnl_addr_set_family(result.get(), to_af(x.address.address.kind));
  if (rtnl_addr_set_local(result.get(), local.get()) != 0)
    return nullptr;
  if (x.peer.defined()) {
    auto peer = to_nl(x.peer);
    if (!peer || rtnl_addr_set_peer(result.get(), peer.get()) != 0)
      return nullptr;
  }
  return result;
}

route_ptr to_nl(const kernel_route& x) {
  route_ptr result{rtnl_route_alloc()};
  auto destination = to_nl(x.destination);
  if (!result || !destination)
    return nullptr;
  auto route = result.get();
  auto af = static_cast<uint8_t>(to_af(x.destination.address.kind));
  rtnl_route_set_family(route, af);
  rtnl_route_set_table(route, RT_TABLE_MAIN);
  rtnl_route_set_type(route, RTN_UNICAST);
  rtnl_route_set_protocol(route, x.protocol != 0 ? x.protocol : RTPROT_BOOT);
  if (x.scope)
    rtnl_route_set_scope(route, *x.scope);
  if (x.metric)
    rtnl_route_set_priority(route, *x.metric);
  if (x.on_link)
    rtnl_route_set_flags(route, RTNH_F_ONLINK);
  if (rtnl_route_set_dst(route, destination.get()) != 0)
    return nullptr;
  if (x.source.defined()) {
    auto source = to_nl(x.source);
    if (!source || rtnl_route_set_pref_src(route, source.get()) != 0)
      return nullptr;
  }
  auto hop = rtnl_route_nh_alloc();
  if (hop == nullptr)
    return nullptr;
  rtnl_route_add_nexthop(route, hop);
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(x.device));
  if (x.gateway.defined()) {
    auto gateway = to_nl(x.gateway);
    if (!gateway)
      return nullptr;
    rtnl_route_nh_set_gateway(hop, gateway.get());
  }
  return result;
}

namespace {

bool has_metrics(rtnl_route* x) {
  uint32_t value = 0;
  for (int i = 1; i <= RTAX_MAX; ++i)
    if (rtnl_route_get_metric(x, i, &value) == 0)
      return true;
  return false;
}

} // namespace

kernel_route from_nl(rtnl_route* x) {
  kernel_route result;
  result.destination = prefix_from_nl(rtnl_route_get_dst(x));
  result.source = from_nl(rtnl_route_get_pref_src(x));
  if (auto metric = rtnl_route_get_priority(x); metric != 0)
    result.metric = metric;
  result.protocol = rtnl_route_get_protocol(x);
  result.scope = rtnl_route_get_scope(x);
  result.on_link = (rtnl_route_get_flags(x) & RTNH_F_ONLINK) != 0;
  result.unicast = rtnl_route_get_type(x) == RTN_UNICAST;
  result.complete = rtnl_route_get_nnexthops(x) == 1 && !has_metrics(x)
                    && rtnl_route_get_tos(x) == 0;
  if (auto hop = rtnl_route_nexthop_n(x, 0); hop != nullptr) {
    result.device = static_cast<uint32_t>(rtnl_route_nh_get_ifindex(hop));
    result.gateway = from_nl(rtnl_route_nh_get_gateway(hop));
    result.foreign_gateway = rtnl_route_nh_get_via(hop) != nullptr;
  }
  if (result.foreign_gateway)
    result.complete = false;
  return result;
}

link_address from_nl(rtnl_addr* x) {
  link_address result;
  result.device = static_cast<uint32_t>(rtnl_addr_get_ifindex(x));
  result.address.address = from_nl(rtnl_addr_get_local(x));
  result.address.length = static_cast<uint8_t>(rtnl_addr_get_prefixlen(x));
  result.peer = from_nl(rtnl_addr_get_peer(x));
  return result;
}

} // namespace vpn::actors
