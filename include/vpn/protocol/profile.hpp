// A client's configuration: the OpenVPN language parsed into values.
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/data_key.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/mssfix.hpp"
#include "vpn/protocol/push_options.hpp"
#include "vpn/protocol/static_key.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vpn::protocol {

/// One `remote`.
struct remote_entry {
  std::string host;
  /// Number or service name.
  std::string port = "1194";
  bool tcp = false;
  /// `unspecified`: whatever the name resolves to.
  family kind = family::unspecified;
};

/// Where user name and password come from.
enum class credential_source : uint8_t {
  none,
  /// `auth-user-pass` alone: ask a person.
  prompt,
  /// From a file or inline; `username` and `password` are set. An empty
  /// password is still to be asked for.
  given,
};

/// Everything the client knows before it starts. Files are read already: what
/// can be wrong with the configuration was found while parsing.
struct profile {
  std::vector<remote_entry> remotes;
  /// Local address and port to bind, for `bind`, `local` and `lport`; otherwise
  /// the host chooses.
  ip_address local_address;
  uint16_t local_port = 0;

  tls_config tls;
  wrap_config wrap;
  /// Digest name of `auth`.
  std::string auth = "SHA1";

  credential_source credentials = credential_source::none;
  std::string username;
  secret password;

  pull_config pull;
  using mssfix_kind = protocol::mssfix_kind;
  mssfix_kind mssfix = mssfix_kind::outer_packet;
  uint32_t mssfix_size = 1492;

  duration hand_window = std::chrono::seconds{60};
  duration tls_timeout = std::chrono::seconds{2};
  duration transition_window = std::chrono::seconds{3600};
  /// Zero: never.
  duration reneg_after = std::chrono::seconds{3600};
  duration connect_timeout = std::chrono::seconds{120};
  duration connect_retry = std::chrono::seconds{1};
  duration connect_retry_max_wait = std::chrono::seconds{300};
  /// Attempts per remote, zero: for ever (`connect-retry-max`).
  uint32_t connect_retry_max = 0;
  /// Zero: the server learns of our leaving by its own timers.
  uint32_t explicit_exit_notify = 0;
  size_t max_packet_size = 1250;

  /// Socket buffers in bytes, zero: our own default.
  uint32_t sndbuf = 0;
  uint32_t rcvbuf = 0;

  int verbosity = 1;
  bool persist_tun = false;
  /// Extra peer info lines: UV_ variables of `setenv`.
  std::vector<std::pair<std::string, std::string>> peer_info;
  /// `up` and `down` commands, as words; run only at script-security 2.
  std::vector<std::string> up, down;
  int script_security = 1;

  /// Options that were accepted without effect, for a warning each:
  /// "client.ovpn:7: option 'foo' is ignored: ...".
  std::vector<std::string> warnings;
};

/// What is wrong with a configuration, and where.
struct config_error {
  /// File name, or "command line".
  std::string file;
  /// Line number from 1; 0 on the command line.
  size_t line = 0;
  /// "unknown option 'remot'; did you mean 'remote'?"
  std::string text;
};
/// "client.ovpn:12: unknown option ...".
std::string to_string(const config_error& x);

/// How the parser gets at files named in a configuration. Returns nothing when
/// the file cannot be read, and then says why in `error`.
using file_reader = std::function<std::optional<std::string>(
  const std::string& path, std::string& error)>;

/// Parses a client's command line as `openvpn` would: `FILE`, `--config FILE`,
/// `--option words...`. Options are applied in order; a later one wins where
/// only one can be. All errors found are returned, at least one.
expected<profile, std::vector<config_error>>
parse_command_line(const std::vector<std::string>& words,
                   const file_reader& read_file);

/// Parses one file's text.
expected<profile, std::vector<config_error>>
parse_profile(std::string_view text, const std::string& name,
              const file_reader& read_file);

} // namespace vpn::protocol
