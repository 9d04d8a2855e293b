// The name servers of a tunnel, set on this host and taken back: through
// systemd-resolved where it runs, else in resolv.conf.
// spec: openvpn-wire 7.2
#pragma once

#include "vpn/actors/host_network.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/dns_config.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct sd_bus;

namespace vpn::actors {

/// Where the host keeps its names. Tests name places of their own.
struct dns_places {
  std::string resolv_conf = "/etc/resolv.conf";
  /// The same file, opened for reading and writing before privileges were
  /// given up; absent: it is opened when it is needed.
  std::shared_ptr<const unique_fd> resolv_conf_file;
  /// D-Bus address of the system bus; empty for the usual one.
  std::string system_bus;
  /// A connection made by `open_system_bus` before privileges were given up:
  /// the bus remembers who made it. Absent: one is made when it is needed.
  std::shared_ptr<sd_bus> bus;
};

class host_journal;

/// A connection to the system bus, null when there is none. Belongs to one
/// thread at a time.
std::shared_ptr<sd_bus> open_system_bus(const std::string& address = {});

/// Belongs to HOST's thread. Blocks for as long as D-Bus takes, two seconds at
/// most per call.
class host_dns {
public:
  /// Goes on where the journal says that an earlier one has ended.
  explicit host_dns(dns_places places = {}, change_log log = {},
                    std::shared_ptr<host_journal> journal = {});
  host_dns(const host_dns&) = delete;
  host_dns& operator=(const host_dns&) = delete;
  /// Takes everything back when there is no journal that remembers it.
  ~host_dns();

  // -- commands --

  /// Makes these the names of the tunnel on `device`; replaces what was applied
  /// before, and touches nothing that is so already. Returns warnings, for
  /// example about what this host cannot do; after a failure no names are set.
  /// An empty configuration is the same as `undo`.
  expected<std::vector<std::string>, failure>
  apply(const protocol::dns_config& cfg, const std::string& device,
        uint32_t device_index);

  /// Takes everything back; idempotent. What cannot be restored stays in the
  /// journal for another attempt.
  void undo();

  // -- observers --

  /// "systemd-resolved", "/etc/resolv.conf", or empty when nothing is set.
  std::string backend() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vpn::actors
