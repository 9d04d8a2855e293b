// A host of its own with an uplink and an open TUN device, for tests of what
// HOST does to it.
#pragma once

#include "vpn/actors/host_network.hpp"

#include "tests/support/fresh_network.hpp"

#include "actors/tun_device.hpp"

namespace vpn::test {

using lines = std::vector<std::string>;

using actors::change_log;
using actors::host_network;
using actors::open_tun;
using actors::opened_tun;
using protocol::gateway_kind;
using protocol::route_config;
using protocol::topology;
using protocol::tunnel_config;

/// A host with an uplink and an open TUN device; the settings of a tunnel that
/// a test completes; what HOST said about its changes.
struct tunnel_host : fresh_network {
  tunnel_host() : device(open_device()) {
    tunnel.layout = topology::subnet;
    tunnel.address4 = net("10.8.0.2/24");
    tunnel.gateway4 = ip("10.8.0.1");
    tunnel.mtu = 1400;
    tunnel.server = {ip("198.51.100.7"), 1194, 0};
  }

  static opened_tun open_device() {
    auto result = open_tun({});
    if (!result)
      CAF_FAIL(result.error().text);
    return std::move(*result);
  }

  change_log to_said() {
    return [this](const std::string& x) {
      said.push_back(x);
    };
  }

  void push(const std::string& destination,
            gateway_kind via = gateway_kind::vpn,
            const std::string& gateway = {},
            std::optional<uint32_t> metric = {}) {
    route_config x;
    x.destination = net(destination);
    x.via = via;
    if (!gateway.empty())
      x.gateway = ip(gateway);
    x.metric = metric;
    tunnel.routes.push_back(x);
  }

  void redirect(bool def1, bool ipv6 = false) {
    tunnel.redirect.ipv4 = true;
    tunnel.redirect.def1 = def1;
    tunnel.redirect.ipv6 = ipv6;
  }

  void use_ipv6() {
    tunnel.address6 = net("fd00:8::2/64");
    tunnel.gateway6 = ip("fd00:8::1");
  }

  /// Applies and wants success; returns the warnings.
  lines apply(host_network& host) {
    auto result = host.apply(tunnel, device.name);
    if (!result)
      CAF_FAIL("apply: " << result.error().text);
    auto routes = host.add_routes();
    if (!routes)
      CAF_FAIL("add_routes: " << routes.error().text);
    result->insert(result->end(), routes->begin(), routes->end());
    return *result;
  }

  /// Applies and wants a failure; returns its text.
  std::string fail(host_network& host) {
    auto result = host.apply(tunnel, device.name);
    if (result)
      result = host.add_routes();
    if (result)
      CAF_FAIL("apply did what it must not");
    CAF_CHECK(result.error().why == reason::host_failed);
    return result.error().text;
  }

  bool has(const std::string& line) {
    return std::find(said.begin(), said.end(), line) != said.end();
  }

  bool has_part(const lines& xs, const std::string& part) {
    return std::any_of(xs.begin(), xs.end(), [&](const std::string& x) {
      return x.find(part) != std::string::npos;
    });
  }

  opened_tun device;
  tunnel_config tunnel;
  lines said;
};

} // namespace vpn::test
