// Gives the tunnel its addresses and the host its routes, and remembers how it
// was before. Blocks for the microseconds the kernel takes.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "vpn/actors/host_change.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vpn::actors {

class host_journal;
class netlink;
struct os_error;
template <class T>
using kernel_result = expected<T, os_error>;

/// Gets each change, when it has been made, as a command a person can type.
/// What could not be taken back comes as a comment: "# ip route del ...: why".
using change_log = std::function<void(const std::string&)>;

/// The sole owner of what one tunnel changes on this host.
class host_network {
public:
  /// Goes on where the journal says that an earlier one has ended: what that
  /// one has made counts as an earlier tunnel.
  explicit host_network(change_log log = {},
                        std::shared_ptr<host_journal> journal = {});
  host_network(const host_network&) = delete;
  host_network& operator=(const host_network&) = delete;
  /// Takes everything back when there is no journal that remembers it.
  ~host_network();

  // -- commands --

  /// Sets up the device of this name and gives it its addresses. What an
  /// earlier tunnel on the same device has in common with this one stays, the
  /// rest of it is taken back when `add_routes` has succeeded. Returns warnings
  /// for people. After a failure nothing of either is left. No device name
  /// means nothing to do.
  expected<std::vector<std::string>, failure>
  apply(const protocol::tunnel_config& tunnel, const std::string& device);

  /// Adds the routes of the tunnel that was applied. After a failure nothing
  /// is left of the tunnel.
  expected<std::vector<std::string>, failure> add_routes();

  /// Packets to this server go around `tunnel`, which stands on that device, by
  /// the way that leads there now without it. Nothing is done when the tunnel
  /// does not take them in. The route counts as one of the tunnel: the next one
  /// takes it over or drops it. Returns warnings.
  std::vector<std::string> exempt(const protocol::tunnel_config& tunnel,
                                  const std::string& device,
                                  const ip_address& server);

  /// Takes everything back in reverse order. What is gone already is fine;
  /// what the kernel refuses stays in the journal for another attempt.
  void undo();

  // -- observers --

  /// The default gateway the host had before the tunnel, or undefined.
  ip_address former_gateway(family kind) const;
  /// True between `apply` and `undo`.
  bool applied() const noexcept { return setup_ != nullptr; }
  /// What `undo` would take back, oldest first.
  std::vector<host_change> journal() const;

private:
  struct setup;
  kernel_result<done_t> make(netlink& kernel, const host_change& x);
  kernel_result<done_t> replace(netlink& kernel, const host_change& x);
  kernel_result<done_t> make_first(netlink& kernel, const host_change& x);
  std::optional<kernel_result<done_t>> take_over(netlink& kernel,
                                                 const host_change& x);
  void make_room(netlink& kernel, const host_change& x);
  void drop_former(netlink& kernel);
  void take_back(netlink& kernel, std::vector<host_change>& from);
  void log(const std::string& line) const;
  void record(const host_change& x) const;
  void forget(const host_change& x) const;

  change_log log_;
  std::shared_ptr<host_journal> record_;
  std::vector<host_change> journal_;
  /// What an earlier tunnel made and this one has not yet found a use for.
  std::vector<host_change> former_;
  /// `former_` is what another object has left.
  bool resumes_ = false;
  /// How the host was, and what the first step found out for the second.
  std::unique_ptr<setup> setup_;
};

} // namespace vpn::actors
