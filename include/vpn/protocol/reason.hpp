// Why a session ended: one enum behind the exit code, the log line, the event
// and the advice a person gets.
#pragma once

#include <cstdint>
#include <string>

namespace vpn {

enum class reason : uint8_t {
  /// Ended because its user asked for it, by a signal or by a limit in the
  /// profile: `inactive`, `session-timeout`.
  none = 0,
  /// A bug or an unforeseen failure of ours.
  internal,
  /// The configuration cannot be used.
  bad_config,
  /// The server's name does not resolve.
  resolve_failed,
  /// The network refuses: no route, connection refused or reset.
  transport_failed,
  /// Nothing valid came back within the time limit.
  no_answer,
  /// The TLS handshake failed for another reason than a certificate.
  tls_failed,
  /// We do not accept the peer's certificate, or it does not accept ours.
  certificate_rejected,
  /// The server refused the credentials.
  auth_failed,
  /// The server waits for something only a person can do.
  auth_pending,
  /// The server pushed something we cannot or may not use.
  push_refused,
  /// Device, addresses or routes could not be set.
  host_failed,
  /// The server told us to leave (HALT, RESTART, EXIT).
  server_stopped,
  /// The peer was silent for longer than ping-restart or ping-exit.
  peer_silent,
  /// A layer of ours died too often.
  restart_intensity,
  /// SIGINT.
  interrupted,
  /// SIGTERM.
  terminated,
  /// Number of reasons; not a reason.
  count_
};

/// The process exit code: 0 ok, 2 configuration, 3 name, 4 transport, 5 TLS,
/// 6 authentication, 7 a person is needed, 8 push, 9 host, 10 server said stop,
/// 12 gave up restarting, 130 and 143 signals.
int exit_code(reason x);

/// True when trying again, unchanged, may succeed.
bool is_transient(reason x);

/// Machine word: "auth_failed".
std::string to_string(reason x);

/// What OpenVPN says in "SIGUSR1[soft,...] received, process restarting":
/// "ping-restart".
std::string restart_word(reason x);

/// One sentence for people: what happened.
std::string describe(reason x);

/// One sentence for people: what to try. Empty when there is nothing to say.
std::string advice(reason x);

/// A reason with the detail that only its origin knows, for people.
struct failure {
  reason why = reason::internal;
  std::string text;
};

} // namespace vpn
