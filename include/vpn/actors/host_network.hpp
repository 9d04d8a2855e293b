// Gives the tunnel its addresses and the host its routes, and remembers how it
// was before. Blocks for the microseconds the kernel takes.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "vpn/actors/host_change.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vpn::actors {

/// Gets each change, when it has been made, as a command a person can type.
/// What could not be taken back comes as a comment: "# ip route del ...: why".
using change_log = std::function<void(const std::string&)>;

/// Gets the whole journal before each change is made and after changes were
/// taken back: who writes it to disk at once can clean up after SIGKILL.
using journal_log = std::function<void(const std::vector<host_change>&)>;

/// The sole owner of what one tunnel changes on this host.
class host_network {
public:
  explicit host_network(change_log log = {}, journal_log journal = {});
  host_network(const host_network&) = delete;
  host_network& operator=(const host_network&) = delete;
  /// Takes everything back.
  ~host_network();

  // -- commands --

  /// Makes this host what `tunnel` says, with the device of this name; takes
  /// an earlier tunnel back first. Returns warnings for people. After a
  /// failure nothing is changed. No device name means nothing to do.
  expected<std::vector<std::string>, failure>
  apply(const protocol::tunnel_config& tunnel, const std::string& device);

  /// Takes everything back in reverse order. What is gone already is fine;
  /// what the kernel refuses stays in the journal for another attempt.
  void undo();

  /// Takes over the journal of a process that died, as the oldest entries.
  void adopt(std::vector<host_change> journal);

  // -- observers --

  /// What `undo` would take back, oldest first.
  const std::vector<host_change>& journal() const noexcept { return journal_; }

private:
  void log(const std::string& line) const;
  void announce() const;

  change_log log_;
  journal_log journal_log_;
  std::vector<host_change> journal_;
};

} // namespace vpn::actors
