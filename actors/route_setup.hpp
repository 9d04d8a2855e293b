// The routes of a tunnel: around it to the server, through it to the networks
// the server has named, and redirect-gateway.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include <vector>

#include "host_survey.hpp"
#include "setup_context.hpp"

namespace vpn::actors {

class route_setup {
public:
  /// `made` holds the routes of this tunnel so far.
  route_setup(setup_context& context, const host_survey& before,
              std::vector<host_change>& made)
    : context_(context),
      before_(before),
      made_(made) {}

  // -- commands, in this order; addresses come after the first --

  outcome exempt_server();
  outcome add_pushed_routes();
  outcome block_local();
  outcome redirect_v4();
  outcome redirect_v6();

private:
  /// What happens when the kernel dislikes the route itself.
  enum class strictness : uint8_t { must_work, may_be_skipped };

  outcome add(const protocol::route_config& x);
  bool choose_gateway(const protocol::route_config& x, host_change& out);
  bool choose_net_gateway(host_change& out);
  bool choose_explicit_gateway(const ip_address& gateway, host_change& out);
  bool is_in_tunnel(const ip_address& gateway) const;
  bool server_is_neighbour(const kernel_route& way) const;
  outcome remove_default();
  ip_address tunnel_gateway(family kind) const;
  host_change through_tunnel(const ip_prefix& destination) const;
  outcome make(host_change x, strictness how);

  setup_context& context_;
  const host_survey& before_;
  std::vector<host_change>& made_;
};

} // namespace vpn::actors
