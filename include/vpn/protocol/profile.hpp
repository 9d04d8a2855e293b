// A client's configuration: the OpenVPN language parsed into values.
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/connect_plan.hpp"
#include "vpn/protocol/credentials.hpp"
#include "vpn/protocol/fault_spec.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/option_table.hpp"
#include "vpn/protocol/profile_changes.hpp"
#include "vpn/protocol/push_options.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vpn::protocol {

/// Commands of the user, as words; empty for none. Run only at script-security
/// 2 and above.
struct profile_scripts {
  std::vector<std::string> up, down, route_up, route_pre_down, ipchange,
    tls_verify, dns_updown;
  /// `up-restart`: `up` and `down` also run around a reconnect.
  bool up_restart = false;
  /// `down-pre`: `down` runs before the device is closed.
  bool down_pre = false;
};

/// How the process runs: files, privileges, log.
struct process_settings {
  bool daemon = false;
  /// Name in the system's log; `daemon NAME` and `syslog NAME`.
  std::string log_name = "vpn-actor-client";
  bool syslog = false;
  /// `log` and `log-append`; empty: standard output.
  std::string log_file;
  bool log_append = false;
  bool suppress_timestamps = false;
  bool machine_readable = false;
  std::string pid_file;
  std::string status_file;
  uint32_t status_seconds = 60;
  int status_version = 1;
  std::string user, group;
  /// `cd`: where the process goes first. Names of files that it writes are seen
  /// from there; those it reads were read already.
  std::string directory;
  /// `nice`, and `mlock`.
  int niceness = 0;
  bool lock_memory = false;
  /// What SIGUSR1 stands for: `remap-usr1`. Zero: itself.
  int remap_usr1 = 0;
};

/// Everything the client knows before it starts. Files are read already: what
/// can be wrong with the configuration was found while parsing.
struct profile {
  /// Each with its settings, defaults filled in.
  std::vector<remote_entry> remotes;
  bool remote_random = false;
  /// How long names may fail to resolve, all remotes together, until that is
  /// the end; the default, `infinite`, never gives up. Option `resolv-retry`.
  duration resolve_retry = duration::max();

  tls_config tls;
  /// `askpass` without a file, or an encrypted key without `askpass`: the pass
  /// phrase is to be asked for.
  bool asks_passphrase = false;
  /// Digest name of `auth`.
  std::string auth = "SHA1";
  credentials_config credentials;

  pull_config pull;
  duration hand_window = std::chrono::seconds{60};
  duration tls_timeout = std::chrono::seconds{2};
  duration transition_window = std::chrono::seconds{3600};
  /// Zero: never.
  duration reneg_after = std::chrono::seconds{3600};
  /// The least time, where the second word of `reneg-sec` names one.
  std::optional<duration> reneg_min;
  uint64_t reneg_bytes = 0;
  uint64_t reneg_packets = 0;
  duration connect_retry = std::chrono::seconds{1};
  duration connect_retry_max_wait = std::chrono::seconds{300};
  /// Attempts per remote, zero: for ever (`connect-retry-max`).
  uint32_t connect_retry_max = 0;
  /// `single-session` and `tls-exit`: end instead of connecting anew.
  bool single_session = false;

  /// Socket options. Buffers in bytes, zero: our own default.
  uint32_t sndbuf = 0;
  uint32_t rcvbuf = 0;
  /// `mark`: zero for none. `bind-dev`: a device or VRF.
  uint32_t mark = 0;
  std::string bind_device;
  /// `socket-flags TCP_NODELAY`.
  bool tcp_nodelay = false;

  int verbosity = 1;
  bool persist_tun = false;
  /// Extra peer info lines: UV_ variables, IV_GUI_VER, IV_SSO and IV_PLAT_VER
  /// of `setenv`. The last two replace our own.
  std::vector<std::pair<std::string, std::string>> peer_info;
  /// `push-peer-info`.
  bool push_peer_info = false;
  int script_security = 1;
  profile_scripts scripts;
  /// Variables for scripts: `setenv NAME VALUE` as they are, `setenv-safe` as
  /// OPENVPN_NAME.
  std::vector<std::pair<std::string, std::string>> environment;
  process_settings process;

  /// `fault`: what is done to the layers' packets and to the layers, and
  /// whether that may be at all (`allow-faults`).
  std::vector<fault_spec> faults;
  bool allow_faults = false;

  /// What has an effect, in the order in which it was applied, for comparing
  /// with another reading.
  std::vector<given_option> options;

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

/// What one line of a profile comes to, for `--explain`.
struct explained_line {
  std::string file;
  size_t line = 0;
  /// The option and its words; the text of a block or of a secret is left out.
  /// Empty for a line that cannot be read or is unlike every option, and, with
  /// line 0, for what is wrong with the profile as a whole.
  std::string text;
  option_class kind = option_class::accepted;
  /// What it does here, or why it does nothing or is refused.
  std::string effect;
};

/// Goes through a command line or profile as `parse_command_line` does, without
/// stopping at anything. Options that are not there and whose default matters
/// are not listed.
std::vector<explained_line>
explain_command_line(const std::vector<std::string>& words,
                     const file_reader& read_file);

/// Parses one file's text.
expected<profile, std::vector<config_error>>
parse_profile(std::string_view text, const std::string& name,
              const file_reader& read_file);

} // namespace vpn::protocol
