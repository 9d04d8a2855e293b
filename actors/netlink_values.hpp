// Between libnl's objects and plain values. Private to the netlink wrapper.
#pragma once

#include <memory>

#include "netlink.hpp"
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

namespace vpn::actors {

template <auto Free>
struct free_with {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};

using nl_sock_ptr = std::unique_ptr<nl_sock, free_with<&nl_socket_free>>;
using nl_addr_ptr = std::unique_ptr<nl_addr, free_with<&nl_addr_put>>;
using nl_cache_ptr = std::unique_ptr<nl_cache, free_with<&nl_cache_free>>;
using link_ptr = std::unique_ptr<rtnl_link, free_with<&rtnl_link_put>>;
using addr_ptr = std::unique_ptr<rtnl_addr, free_with<&rtnl_addr_put>>;
using route_ptr = std::unique_ptr<rtnl_route, free_with<&rtnl_route_put>>;

int to_af(family kind);

// -- from values; null when there is no memory or no sense in them --

nl_addr_ptr to_nl(const ip_prefix& x);
nl_addr_ptr to_nl(const ip_address& x);
addr_ptr to_nl(const link_address& x);
route_ptr to_nl(const kernel_route& x);

// -- to values --

ip_address from_nl(nl_addr* x);
link_state from_nl(rtnl_link* x);
link_address from_nl(rtnl_addr* x);
kernel_route from_nl(rtnl_route* x);

} // namespace vpn::actors
