// A thin wrapper of libnl-route: links, addresses and routes as plain values,
// errors with the kernel's own words.
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/ip_address.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct nl_sock;
struct nl_msg;
struct rtnl_link;

namespace vpn::actors {

/// What the kernel refused: the errno and, where it gives one, its sentence
/// ("Nexthop has invalid gateway."), else the text of the errno.
struct os_error {
  int code = 0;
  std::string text;
};

template <class T>
using kernel_result = expected<T, os_error>;

struct link_state {
  uint32_t index = 0;
  std::string name;
  uint32_t mtu = 0;
  uint32_t tx_queue_length = 0;
  bool up = false;
};

/// IN6_ADDR_GEN_MODE_NONE: no link-local address by itself.
constexpr uint8_t address_generation_none = 1;

/// What to change of a link; absent fields stay.
struct link_change {
  std::optional<uint32_t> mtu;
  std::optional<uint32_t> tx_queue_length;
  std::optional<bool> up;
  std::optional<uint8_t> address_generation;
};

struct link_address {
  uint32_t device = 0;
  ip_prefix address;
  /// The other end of a point-to-point address, or undefined.
  ip_address peer;
};

/// A unicast route of the main table with one next hop.
struct kernel_route {
  ip_prefix destination;
  ip_address gateway;
  /// Preferred source, or undefined.
  ip_address source;
  uint32_t device = 0;
  std::optional<uint32_t> metric;
  /// RTPROT_*, zero for RTPROT_BOOT, as of `ip route add`.
  uint8_t protocol = 0;
  /// RT_SCOPE_*, absent for the one that follows from the gateway.
  std::optional<uint8_t> scope;
  /// The gateway is taken as reachable on the device, whatever the routes say.
  bool on_link = false;
  /// Answers only: the address is one of this host, or no unicast at all.
  bool unicast = true;
  /// Answers only: the gateway has an address of another family, which
  /// `gateway` cannot say.
  bool foreign_gateway = false;
  /// Answers only: these fields say all; false with several next hops, a
  /// foreign gateway, or metrics such as a locked MTU.
  bool complete = true;
};

/// One socket to the kernel, of the network namespace its thread was in when
/// it was opened. All calls block for the microseconds the kernel takes.
class netlink {
public:
  static kernel_result<netlink> open();
  netlink(netlink&&) noexcept;
  netlink& operator=(netlink&&) noexcept;
  ~netlink();

  // -- commands --

  kernel_result<done_t> set_link(uint32_t index, const link_change& what);
  /// EEXIST when the address is there already.
  kernel_result<done_t> add_address(const link_address& x);
  kernel_result<done_t> remove_address(const link_address& x);
  /// EEXIST when a route with this destination and metric is there already.
  kernel_result<done_t> add_route(const kernel_route& x);
  kernel_result<done_t> remove_route(const kernel_route& x);

  // -- observers --

  kernel_result<link_state> link(const std::string& name);
  kernel_result<link_state> link(uint32_t index);
  kernel_result<std::vector<link_address>> addresses();
  /// The main table's unicast routes.
  kernel_result<std::vector<kernel_route>> routes(family kind);
  /// Which way a packet to `x` takes now.
  kernel_result<kernel_route> route_to(const ip_address& x);

  /// For what this wrapper has no word for; tests make devices with it.
  nl_sock* handle() noexcept;

private:
  struct state;
  explicit netlink(std::unique_ptr<state> x);
  kernel_result<link_state> link(int index, const char* name);
  kernel_result<done_t> result_of(int code);
  os_error error_of(int code);

  std::unique_ptr<state> state_;
};

} // namespace vpn::actors
