#include "vpn/protocol/reason.hpp"

#include <array>

namespace vpn {

namespace {

struct row {
  reason why;
  const char* word;
  const char* restart;
  int code;
  bool transient;
  const char* description;
  const char* advice;
};

// One table behind every form of a reason; the order is that of the enum.
constexpr std::array<row, static_cast<size_t>(reason::count_)> table{{
  {reason::none, "none", "", 0, false, "ended as asked", ""},
  {reason::internal, "internal", "internal-error", 1, false,
   "an internal error",
   "This is a bug: please report it with the log at --verb 4."},
  {reason::bad_config, "bad_config", "config-error", 2, false,
   "the configuration cannot be used", ""},
  {reason::resolve_failed, "resolve_failed", "init_instance", 3, true,
   "the server's name does not resolve",
   "Check the name in 'remote' and this host's DNS."},
  {reason::transport_failed, "transport_failed", "connection-reset", 4, true,
   "the network refuses the connection",
   "Check address, port and protocol of 'remote', and that the server runs."},
  {reason::no_answer, "no_answer", "server_poll", 4, true,
   "the server does not answer",
   "Check address and port, firewalls on the way, and that tls-auth or "
   "tls-crypt key and direction are those of the server: it stays silent when "
   "they differ."},
  {reason::tls_failed, "tls_failed", "tls-error", 5, true,
   "the TLS handshake failed", "The server's log tells its side."},
  {reason::certificate_rejected, "certificate_rejected", "tls-error", 5, true,
   "a certificate was not accepted",
   "Check 'ca', 'cert' and 'key', the clocks, and remote-cert-tls or "
   "verify-x509-name."},
  {reason::auth_failed, "auth_failed", "auth-failure", 6, false,
   "the server refused the credentials", "Check user name and password."},
  {reason::auth_pending, "auth_pending", "no-push-reply", 7, false,
   "the server waits for a person",
   "Follow the link or question shown above, then connect again."},
  {reason::push_refused, "push_refused", "process-push-msg-failed", 8, true,
   "the server's configuration was refused",
   "Compare data-ciphers and compression with the server's."},
  {reason::host_failed, "host_failed", "init_instance", 9, false,
   "device, addresses or routes could not be set",
   "Run as root or with CAP_NET_ADMIN; 'modprobe tun' if /dev/net/tun is "
   "missing."},
  {reason::server_stopped, "server_stopped", "server-pushed-connection-reset",
   10, true, "the server ended the session", ""},
  {reason::peer_silent, "peer_silent", "ping-restart", 4, true,
   "the server fell silent",
   "The network may be down, or the server restarted."},
  {reason::restart_intensity, "restart_intensity", "internal-error", 12, false,
   "restarted too often, gave up", ""},
  {reason::interrupted, "interrupted", "", 130, false, "interrupted", ""},
  {reason::terminated, "terminated", "", 143, false, "terminated", ""},
}};

const row& row_of(reason x) {
  auto i = static_cast<size_t>(x);
  return i < table.size() ? table[i] : table[1];
}

} // namespace

int exit_code(reason x) {
  return row_of(x).code;
}

bool is_transient(reason x) {
  return row_of(x).transient;
}

std::string to_string(reason x) {
  return row_of(x).word;
}

std::string restart_word(reason x) {
  return row_of(x).restart;
}

std::string describe(reason x) {
  return row_of(x).description;
}

std::string advice(reason x) {
  return row_of(x).advice;
}

} // namespace vpn
