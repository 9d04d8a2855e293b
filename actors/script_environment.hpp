// The variables and arguments of user scripts, in OpenVPN's words.
// spec: anchors 5.2
#pragma once

#include "vpn/protocol/connect_plan.hpp"
#include "vpn/protocol/tls_engine.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <string>
#include <utility>
#include <vector>

namespace vpn::actors {

using variable = std::pair<std::string, std::string>;

/// What scripts are told about a session, as far as it is known.
struct script_facts {
  /// `remote`, `port` and protocol of the profile.
  std::string host, port;
  bool tcp = false;
  endpoint local, remote;
  std::string common_name;
  std::vector<protocol::peer_certificate> chain;
  std::string device;
  protocol::tunnel_config tunnel;
  /// The default gateways the host had before the tunnel.
  ip_address net_gateway4, net_gateway6;
  /// From `setenv`, `setenv-safe` and pushed `setenv-safe`.
  std::vector<variable> extra;
  /// "init", or "restart" when the device stayed.
  bool restart = false;
  std::string username;
  /// Why the tunnel goes down: "sigterm", "ping-restart".
  std::string signal;
};

/// NAME=VALUE strings. Values are made printable, names are checked.
std::vector<std::string> make_script_environment(const script_facts& x);

/// Variables of one certificate: tls_id_0, X509_0_CN, tls_digest_0 ...
void add_certificate(std::vector<variable>& out,
                     const protocol::peer_certificate& x);

/// The arguments of `up` and `down`: device, MTU, 0, address, mask or peer,
/// "init" or "restart".
std::vector<std::string> script_arguments(const script_facts& x);

} // namespace vpn::actors
