// How packets leave this host before the tunnel changes it.
// spec: openvpn-wire 7.3
#pragma once

#include <optional>
#include <vector>

#include "setup_context.hpp"

namespace vpn::actors {

struct host_survey {
  std::optional<kernel_route> default4;
  std::optional<kernel_route> default6;
  /// The way to the server, if it needs a route of its own to go around the
  /// tunnel; absent when nothing of the tunnel takes it in, when it is this
  /// host itself, and when nobody knows it.
  std::optional<kernel_route> to_server;

  const std::optional<kernel_route>& default_route(family kind) const {
    return kind == family::v6 ? default6 : default4;
  }
};

/// Asks the kernel; changes nothing. What a tunnel that still stands has
/// hidden is taken from `earlier`.
expected<host_survey, failure>
survey_host(setup_context& context, const std::optional<host_survey>& earlier);

/// The same while a tunnel stands, for a server it was not made for, or after
/// this host has changed its network: `to_server` is the way that leads there
/// without the tunnel's device and without the routes of `made`. Absent also
/// when the route of `made` that leads there is the only one known. The failure
/// says why there is no way.
expected<host_survey, failure>
survey_around(setup_context& context, const std::vector<host_change>& made);

} // namespace vpn::actors
