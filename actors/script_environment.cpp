// spec: anchors 5.2
#include "script_environment.hpp"

#include "vpn/protocol/readable_text.hpp"

namespace vpn::actors {

namespace {

using protocol::topology;

std::string mask_or_peer(const protocol::tunnel_config& tunnel) {
  if (!tunnel.address4)
    return "255.255.255.255";
  return tunnel.layout == topology::subnet
           ? to_string(netmask_v4(tunnel.address4->length))
           : to_string(tunnel.peer4);
}

bool is_name(const std::string& x) {
  return !x.empty()
         && x.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz"
                                "0123456789_")
              == std::string::npos;
}

class variables {
public:
  void put(const std::string& name, const std::string& value) {
    if (is_name(name))
      list_.push_back(name + '=' + protocol::make_readable(value));
  }
  void put(const std::string& name, size_t n, const std::string& value) {
    put(name + '_' + std::to_string(n), value);
  }
  std::vector<std::string> take() { return std::move(list_); }

private:
  std::vector<std::string> list_;
};

void add_addresses(variables& out, const protocol::tunnel_config& tunnel) {
  if (tunnel.address4) {
    auto subnet = tunnel.layout == topology::subnet;
    out.put("ifconfig_local", to_string(tunnel.address4->address));
    out.put(subnet ? "ifconfig_netmask" : "ifconfig_remote",
            mask_or_peer(tunnel));
    if (subnet) {
      auto broadcast = network_of(*tunnel.address4);
      auto mask = netmask_v4(tunnel.address4->length);
      for (size_t i = 0; i < 4; ++i)
        broadcast.octets[i] |= static_cast<uint8_t>(~mask.octets[i]);
      out.put("ifconfig_broadcast", to_string(broadcast));
    }
  }
  if (tunnel.gateway4.defined())
    out.put("route_vpn_gateway", to_string(tunnel.gateway4));
  if (tunnel.address6) {
    out.put("ifconfig_ipv6_local", to_string(tunnel.address6->address));
    out.put("ifconfig_ipv6_netbits", std::to_string(tunnel.address6->length));
    if (tunnel.gateway6.defined())
      out.put("ifconfig_ipv6_remote", to_string(tunnel.gateway6));
  }
}

void add_routes(variables& out, const protocol::tunnel_config& tunnel) {
  size_t n4 = 0, n6 = 0;
  for (const auto& x : tunnel.routes) {
    auto v4 = x.destination.address.kind == family::v4;
    auto gateway = x.gateway.defined() ? x.gateway
                   : v4                ? tunnel.gateway4
                                       : tunnel.gateway6;
    auto n = v4 ? ++n4 : ++n6;
    if (v4) {
      out.put("route_network", n, to_string(x.destination.address));
      out.put("route_netmask", n, to_string(netmask_v4(x.destination.length)));
      if (gateway.defined())
        out.put("route_gateway", n, to_string(gateway));
      if (x.metric)
        out.put("route_metric", n, std::to_string(*x.metric));
    } else {
      out.put("route_ipv6_network", n, to_string(x.destination));
      if (gateway.defined())
        out.put("route_ipv6_gateway", n, to_string(gateway));
      if (x.metric)
        out.put("route_ipv6_metric", n, std::to_string(*x.metric));
    }
  }
  out.put("redirect_gateway", tunnel.redirect.ipv4 ? "1" : "0");
}

void add_names(variables& out, const protocol::tunnel_config& tunnel) {
  // seen: openvpn 2.6: the domain first, search domains of `dns` last.
  size_t n = 0;
  auto is_domain = [](const std::string& x) {
    return x.compare(0, 19, "dhcp-option DOMAIN ") == 0;
  };
  auto has_search = false;
  for (auto first : {true, false})
    for (const auto& option : tunnel.foreign_options) {
      if (is_domain(option) != first)
        continue;
      out.put("foreign_option", ++n, option);
      has_search
        = has_search || option.compare(0, 25, "dhcp-option DOMAIN-SEARCH") == 0;
    }
  if (!has_search)
    for (const auto& x : tunnel.dns.search_domains)
      out.put("foreign_option", ++n, "dhcp-option DOMAIN-SEARCH " + x);
  n = 0;
  for (const auto& x : tunnel.dns.search_domains)
    out.put("dns_search_domain", ++n, x);
  n = 0;
  for (const auto& server : tunnel.dns.servers) {
    auto prefix = "dns_server_" + std::to_string(++n) + '_';
    size_t i = 0;
    for (const auto& x : server.addresses) {
      out.put(prefix + "address", ++i, to_string(x.address));
      if (x.port != 0)
        out.put(prefix + "port", i, std::to_string(x.port));
    }
    i = 0;
    for (const auto& x : server.resolve_domains)
      out.put(prefix + "resolve_domain", ++i, x);
    constexpr const char* security[] = {"", "no", "optional", "yes"};
    if (server.dnssec != protocol::dns_security::unset)
      out.put(prefix + "dnssec", security[static_cast<size_t>(server.dnssec)]);
    constexpr const char* transport[] = {"", "DoH", "DoT"};
    if (server.transport != protocol::dns_transport::plain)
      out.put(prefix + "transport",
              transport[static_cast<size_t>(server.transport)]);
    if (!server.sni.empty())
      out.put(prefix + "sni", server.sni);
  }
}

} // namespace

void add_certificate(std::vector<variable>& out,
                     const protocol::peer_certificate& x) {
  auto n = std::to_string(x.depth);
  out.emplace_back("tls_id_" + n, x.subject);
  out.emplace_back("tls_serial_" + n, x.serial);
  out.emplace_back("tls_serial_hex_" + n, x.serial_hex);
  out.emplace_back("tls_digest_" + n, x.sha1);
  out.emplace_back("tls_digest_sha256_" + n, x.sha256);
  for (const auto& [name, value] : x.fields)
    out.emplace_back("X509_" + n + '_' + name, value);
}

std::vector<std::string> make_script_environment(const script_facts& x) {
  variables out;
  out.put("dev", x.device);
  out.put("dev_type", "tun");
  out.put("script_context", x.restart ? "restart" : "init");
  if (!x.signal.empty())
    out.put("signal", x.signal);
  out.put("tun_mtu", std::to_string(x.tunnel.mtu));
  out.put("link_mtu", "0");
  out.put("proto_1", x.tcp ? "tcp-client" : "udp");
  if (!x.host.empty()) {
    out.put("remote_1", x.host);
    out.put("remote_port_1", x.port);
  }
  if (x.local.port != 0)
    out.put("local_port_1", std::to_string(x.local.port));
  for (auto name : {"untrusted", "trusted"}) {
    if (!x.remote.address.defined())
      break;
    auto suffix = x.remote.address.kind == family::v6 ? "_ip6" : "_ip";
    out.put(std::string{name} + suffix, to_string(x.remote.address));
    out.put(std::string{name} + "_port", std::to_string(x.remote.port));
  }
  if (!x.common_name.empty())
    out.put("common_name", x.common_name);
  if (!x.username.empty())
    out.put("username", x.username);
  if (x.net_gateway4.defined())
    out.put("route_net_gateway", to_string(x.net_gateway4));
  if (x.net_gateway6.defined())
    out.put("net_gateway_ipv6", to_string(x.net_gateway6));
  add_addresses(out, x.tunnel);
  add_routes(out, x.tunnel);
  add_names(out, x.tunnel);
  std::vector<variable> certificates;
  for (const auto& y : x.chain)
    add_certificate(certificates, y);
  for (const auto& [name, value] : certificates)
    out.put(name, value);
  for (const auto& [name, value] : x.extra)
    out.put(name, value);
  return out.take();
}

std::vector<std::string> script_arguments(const script_facts& x) {
  const auto& tunnel = x.tunnel;
  return {x.device,
          std::to_string(tunnel.mtu),
          "0",
          tunnel.address4 ? to_string(tunnel.address4->address) : "0.0.0.0",
          mask_or_peer(tunnel),
          x.restart ? "restart" : "init"};
}

} // namespace vpn::actors
