#include "script_environment.hpp"

namespace vpn::actors {

namespace {

std::string mask_or_peer(const protocol::tunnel_config& tunnel) {
  if (!tunnel.address4)
    return "255.255.255.255";
  return tunnel.layout == protocol::topology::subnet
           ? to_string(netmask_v4(tunnel.address4->length))
           : to_string(tunnel.peer4);
}

} // namespace

std::vector<std::string>
make_script_environment(const protocol::tunnel_config& tunnel, bool tcp) {
  std::vector<std::string> result;
  auto put = [&](const char* name, const std::string& value) {
    result.push_back(std::string{name} + '=' + value);
  };
  put("tun_mtu", std::to_string(tunnel.mtu));
  put("proto_1", tcp ? "tcp-client" : "udp");
  if (tunnel.address4) {
    put("ifconfig_local", to_string(tunnel.address4->address));
    put(tunnel.layout == protocol::topology::subnet ? "ifconfig_netmask"
                                                    : "ifconfig_remote",
        mask_or_peer(tunnel));
  }
  if (tunnel.gateway4.defined())
    put("route_vpn_gateway", to_string(tunnel.gateway4));
  if (tunnel.address6) {
    put("ifconfig_ipv6_local", to_string(tunnel.address6->address));
    put("ifconfig_ipv6_netbits", std::to_string(tunnel.address6->length));
    put("ifconfig_ipv6_remote", to_string(tunnel.gateway6));
  }
  put("trusted_ip", to_string(tunnel.server.address));
  put("trusted_port", std::to_string(tunnel.server.port));
  size_t n = 1;
  for (const auto& option : tunnel.foreign_options)
    put(("foreign_option_" + std::to_string(n++)).c_str(), option);
  return result;
}

std::vector<std::string> script_arguments(const protocol::tunnel_config& tunnel,
                                          const std::string& device) {
  return {device,
          std::to_string(tunnel.mtu),
          "0",
          tunnel.address4 ? to_string(tunnel.address4->address) : "0.0.0.0",
          mask_or_peer(tunnel),
          "init"};
}

} // namespace vpn::actors
