// One session from its hard reset to its end: what happens after what. Drives
// the layers by actions; knows nothing of actors.
// spec: openvpn-wire 7, 11.3, 12
#pragma once

#include "vpn/protocol/control_message.hpp"
#include "vpn/protocol/control_stream.hpp"
#include "vpn/protocol/mssfix.hpp"
#include "vpn/protocol/negotiation.hpp"
#include "vpn/protocol/push_options.hpp"
#include "vpn/protocol/session_state.hpp"

#include <deque>
#include <variant>

namespace vpn::protocol {

/// What a server decides about one client.
struct server_policy {
  /// Refused unless they match; no check when `username` is empty.
  std::string username;
  secret password;
  /// Pushed as they are; `peer-id`, `cipher` and `protocol-flags` are added.
  std::vector<std::string> push;
  std::vector<data_cipher> ciphers{data_cipher::aes_256_gcm,
                                   data_cipher::aes_128_gcm,
                                   data_cipher::chacha20_poly1305};
  uint32_t peer_id = 0;
  /// The server's own end of the tunnel.
  tunnel_config tunnel;
};

struct session_config {
  role self = role::client;
  /// Client: own settings before the push.
  pull_config pull;
  server_policy server;
  /// Our own key method 2, offered anew for each key id.
  std::string options;
  std::string username;
  secret password;
  std::string peer_info;
  /// Remote address, for messages and the host route.
  endpoint remote;
  bool tcp = false;

  /// From the reset to exchanged keys, and again until PUSH_REPLY.
  duration hand_window = std::chrono::seconds{60};
  /// First valid packet of the server. Option `server-poll-timeout`.
  duration connect_timeout = std::chrono::seconds{120};
  /// Age of a key at which a new one is negotiated; zero: never.
  duration reneg_after = std::chrono::seconds{3600};
  duration transition_window = std::chrono::seconds{3600};
  /// Zero: leave without telling. Option `explicit-exit-notify`.
  uint32_t exit_notify = 0;
  mssfix_config mssfix;
};

// -- actions: what the layers are to do --

/// A new RELIABLE, CONTROL and TLS for `key_id`.
struct open_negotiation {
  uint8_t key_id = 0;
  opening how = opening::hard_reset_client;
};
struct close_negotiation {
  uint8_t key_id = 0;
};
/// Derive the data key of `key_id` and install it.
struct derive_key {
  uint8_t key_id = 0;
  key_derivation derivation = key_derivation::legacy_prf;
  data_cipher cipher = data_cipher::aes_256_gcm;
  std::optional<uint32_t> peer_id;
  session_id client, server;
};
struct send_text {
  uint8_t key_id = 0;
  std::string text;
};
/// From now on a soft reset of this key id is welcome.
struct allow_soft_reset {
  uint8_t key_id = 0;
};
struct configure_data {
  data_channel_config config;
};
struct apply_tunnel {
  tunnel_config config;
};
/// The session is over; `what.why` is `none` when that was asked for.
struct end_session {
  failure what;
  /// AUTH_FAILED,TEMP: wait so long before the next try.
  duration backoff{};
  /// Never try again, however transient the reason is.
  bool final = false;
};
using session_action
  = std::variant<open_negotiation, close_negotiation, derive_key, send_text,
                 allow_soft_reset, configure_data, apply_tunnel, end_session>;

/// What users should read, in the words scripts wait for.
struct session_notice {
  enum class level : uint8_t { info, warning };
  level severity = level::info;
  std::string text;
};
/// A phase began.
struct phase_began {
  phase what = phase::connecting;
  std::string detail;
};
using session_report = std::variant<session_notice, phase_began>;

class session {
public:
  session(session_config cfg, instant now);

  // -- commands --
  void start(instant now);
  /// Ends the session: tells the peer if that was agreed, then `end_session`.
  void stop(reason why, instant now);

  // -- handlers: facts from the layers --
  void handle_peer_known(const session_id& local, const session_id& remote);
  void handle_peer_answered(uint8_t key_id, instant now);
  void handle_soft_reset(uint8_t key_id, instant now);
  void handle_negotiation(uint8_t key_id, negotiation_event event, instant now);
  void handle_key_installed(uint8_t key_id, instant now);
  /// The device is up, `device` is its name; or it is not, and why.
  void handle_tunnel_applied(const std::string& device, instant now);
  void handle_data_event(data_event event, instant now);
  /// A layer below or beside gave up.
  void handle_failure(failure what, instant now);
  void handle_timeout(instant now);

  // -- polls --
  std::optional<session_action> poll_action();
  std::optional<session_report> poll_report();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  session_state state() const noexcept { return state_; }
  const std::optional<negotiated_options>& options() const noexcept {
    return options_;
  }

private:
  bool advance(session_event e);
  void finish(failure what, duration backoff = {}, bool final = false);
  void note(std::string text, session_notice::level severity
                              = session_notice::level::info);
  void enter(phase what, std::string detail = {});
  void handle_established(uint8_t key_id, const tls_established& x,
                          instant now);
  void handle_exchanged(uint8_t key_id, keys_exchanged x, instant now);
  void handle_text(const std::string& text, instant now);
  void handle_message(push_request&&, instant now);
  void handle_message(push_reply&& x, instant now);
  void handle_message(auth_failed&& x, instant now);
  void handle_message(auth_pending&& x, instant now);
  void handle_message(info_message&& x, instant now);
  void handle_message(server_stop&& x, instant now);
  void handle_message(exit_message&&, instant now);
  void handle_message(unknown_message&& x, instant now);
  void renew_token(const std::vector<std::string>& pushed);
  bool accepts_credentials(const keys_exchanged& x) const;
  void refuse_credentials(uint8_t key_id);
  uint32_t peer_bits() const;
  void decide_as_server(const keys_exchanged& x);
  void configure(negotiated_options opts);
  void request_key(uint8_t key_id);
  void push_as_server();
  void become_ready(instant now);
  void allow_renegotiation(instant now);
  void begin_soft_reset(uint8_t key_id, opening how);
  uint8_t text_key() const noexcept;

  session_config cfg_;
  session_state state_ = session_state::idle;
  session_id local_, remote_;
  std::string peer_name_;
  /// Locked at the first authentication.
  std::vector<peer_certificate> peer_chain_;
  std::string remote_options_;
  std::string remote_peer_info_;
  /// The key id whose TLS carries text, and the one being negotiated.
  uint8_t current_key_ = 0;
  std::optional<uint8_t> renegotiating_;
  std::vector<std::string> pushed_;
  std::optional<negotiated_options> options_;
  bool key_ready_ = false;
  bool tunnel_ready_ = false;
  bool push_sent_ = false;

  std::optional<time_point> answer_deadline_;
  std::optional<time_point> push_deadline_;
  std::optional<time_point> push_request_at_;
  std::optional<time_point> renegotiate_at_;

  std::deque<session_action> actions_;
  std::deque<session_report> reports_;
};

} // namespace vpn::protocol
