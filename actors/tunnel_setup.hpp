// Decides which changes of the host make a tunnel, and in which order.
// spec: openvpn-wire 7.2
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host_survey.hpp"
#include "setup_context.hpp"

namespace vpn::actors {

/// Two steps with the user's `up` script between them. Each asks `kernel` how
/// the host is, has `make` change it and returns warnings; after a failure the
/// caller takes back what was made so far.
class tunnel_setup {
public:
  using warnings_or_failure = expected<std::vector<std::string>, failure>;

  /// Link, the server's route around the tunnel, addresses. `earlier` is how
  /// the host was before a tunnel that still stands.
  warnings_or_failure set_addresses(netlink& kernel,
                                    const protocol::tunnel_config& tunnel,
                                    const link_state& device,
                                    const std::optional<host_survey>& earlier,
                                    const change_maker& make);

  /// Pushed routes and redirect-gateway.
  warnings_or_failure add_routes(netlink& kernel,
                                 const protocol::tunnel_config& tunnel,
                                 const link_state& device,
                                 const change_maker& make);

  /// The route around a tunnel that stands to `tunnel.server`, which may be
  /// another one than it was made for. `made` is what the tunnel has changed.
  static outcome exempt_server(netlink& kernel,
                               const protocol::tunnel_config& tunnel,
                               const link_state& device,
                               const std::vector<host_change>& made,
                               const change_maker& make);

  /// How the host was before.
  const std::optional<host_survey>& before() const noexcept { return before_; }

private:
  std::optional<host_survey> before_;
  std::vector<host_change> made_;
  bool without_v6_ = false;
};

} // namespace vpn::actors
