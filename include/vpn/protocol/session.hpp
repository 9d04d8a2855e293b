// One session from its hard reset to its end: what happens after what. Drives
// the layers by actions; knows nothing of actors.
// spec: openvpn-wire 7, 11.3, 12
#pragma once

#include "vpn/protocol/connection_settings.hpp"
#include "vpn/protocol/control_message.hpp"
#include "vpn/protocol/control_stream.hpp"
#include "vpn/protocol/credentials.hpp"
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
  /// Texts for a client whose credentials are right, before anything is
  /// pushed: AUTH_PENDING, INFO_PRE.
  std::vector<std::string> before_push;
  /// Unless empty, the push waits for this CR_RESPONSE; any other is refused.
  secret challenge_response;
  /// Pushed as they are; `peer-id`, `cipher` and `protocol-flags` are added.
  std::vector<std::string> push;
  /// A PUSH_UPDATE some seconds after the push, for a client that knows it.
  std::vector<std::string> update;
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
  /// UDP goes through a SOCKS proxy.
  bool socks = false;
  /// `auth`: digest of data packets without AEAD.
  std::string digest = "SHA1";
  /// Key ids above zero may be wrapped with a key of their own, and 64-bit
  /// packet ids used, where the peer can do so too. A server says so in its
  /// push.
  bool dynamic_tls_crypt = true;
  bool epoch = true;
  /// A `tls-verify` command decides about the peer's certificate.
  bool asks_about_peer = false;

  /// From the reset to exchanged keys, and again until PUSH_REPLY.
  duration hand_window = std::chrono::seconds{60};
  /// First valid packet of the server. Option `server-poll-timeout`.
  duration connect_timeout = std::chrono::seconds{120};
  /// Age of a key at which a new one is negotiated; zero: never.
  duration reneg_after = std::chrono::seconds{3600};
  /// The age is drawn from this one up to `reneg_after`, once per session. Not
  /// given: a server takes up to a tenth off, a client nothing. Second word of
  /// `reneg-sec`. spec: openvpn-wire 12.2
  std::optional<duration> reneg_min;
  /// A random number of this session alone, the share that is taken off. Zero:
  /// nothing, so that a thousand sessions come due together.
  uint32_t reneg_draw = 0;
  duration transition_window = std::chrono::seconds{3600};
  /// Zero: never. `reneg-bytes`, `reneg-pkts`.
  uint64_t reneg_bytes = 0;
  uint64_t reneg_packets = 0;
  /// Zero: leave without telling. Option `explicit-exit-notify`.
  uint32_t exit_notify = 0;
  mssfix_config mssfix;
  fragment_config fragment;
};

// -- actions: what the layers are to do --

/// A new RELIABLE, CONTROL and TLS for `key_id`.
struct open_negotiation {
  uint8_t key_id = 0;
  opening how = opening::hard_reset_client;
};
struct close_negotiation {
  uint8_t key_id = 0;
  /// Its RELIABLE goes on acknowledging until the peer has answered for the
  /// next key id: the last ack may be lost, and a peer that waits for it takes
  /// no reset. spec: openvpn-wire 12.3
  bool lingers = false;
};
/// Derive the data key of `key_id` and install it.
struct derive_key {
  uint8_t key_id = 0;
  key_derivation derivation = key_derivation::legacy_prf;
  data_cipher cipher = data_cipher::aes_256_gcm;
  std::string digest = "SHA1";
  bool epoch = false;
  std::optional<uint32_t> peer_id;
  session_id client, server;
};
/// Export the key of dynamic tls-crypt from the TLS of key id 0 and install it
/// for control packets; then `handle_control_key_installed`.
struct derive_control_key {};
/// Ask a `tls-verify` command about this chain; then `handle_peer_judged`.
struct judge_peer {
  std::vector<peer_certificate> chain;
};
/// The peer's certificate found favour: key id 0 goes on.
struct accept_peer {
  uint8_t key_id = 0;
};
/// Put a question to a person; then `handle_answer`.
struct ask_person {
  question what;
};
/// Say inside the tunnel that we leave (OCC_EXIT).
struct send_data_exit {};
/// Socket buffers and options that the server wants, and where it has moved.
struct configure_socket {
  std::optional<uint32_t> sndbuf, rcvbuf;
  bool tcp_nodelay = false;
  std::optional<endpoint> remote{};
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
  /// Which address the next try takes; nothing for the usual order.
  std::optional<advance> where;
  /// What the server said about our credentials, or in leaving.
  std::optional<auth_failed> refused;
  std::optional<server_stop> stopped;
  /// Never try again, however transient the reason is.
  bool final = false;
  /// The next try needs no pause: waiting was what this one did.
  bool at_once = false;
  /// Try again whatever the reason is: only a part of ours has failed.
  bool again = false;
  /// The data keys are good until then, whatever becomes of the next try: the
  /// new session is brought up beside them. spec: openvpn-wire 12.5
  std::optional<time_point> data_until;
};
using session_action
  = std::variant<open_negotiation, close_negotiation, derive_key,
                 derive_control_key, judge_peer, accept_peer, ask_person,
                 send_text, send_data_exit, allow_soft_reset, configure_socket,
                 configure_data, apply_tunnel, end_session>;

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
/// The server waits until a person has logged in there (WEB_AUTH, OPEN_URL).
struct url_offered {
  std::string url;
  std::string flags;
};
using session_report = std::variant<session_notice, phase_began, url_offered>;

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
  /// MUXER has the key that `derive_control_key` asked for.
  void handle_control_key_installed(instant now);
  /// What the `tls-verify` command said.
  void handle_peer_judged(bool accepted, instant now);
  /// A person answered `ask_person`, or nobody could.
  void handle_answer(answer x, instant now);
  /// A layer below or beside gave up.
  void handle_failure(failure what, instant now);
  /// RELIABLE, CONTROL or TLS of this key id died or is stuck; the other two
  /// are of no use any more. spec: design 6
  void handle_layers_lost(uint8_t key_id, failure what, instant now);
  void handle_timeout(instant now);

  // -- polls --
  std::optional<session_action> poll_action();
  std::optional<session_report> poll_report();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  session_state state() const noexcept { return state_; }
  /// The peer is to be told when we leave. While data keys outlive the session,
  /// whoever holds them says it, inside the tunnel. spec: openvpn-wire 11.3
  bool owes_goodbye() const noexcept;
  /// The peer has answered at least once.
  bool heard_peer() const noexcept { return remote_.defined(); }
  const std::optional<negotiated_options>& options() const noexcept {
    return options_;
  }

  /// What the server has pushed and updated, without tokens.
  const std::vector<std::string>& pushed() const noexcept { return pushed_; }

private:
  // -- session.cpp: the handshake and the end --
  bool step(session_event e);
  void finish(failure what);
  void finish_with(end_session x);
  void leave(failure what);
  bool tell_goodbye();
  void note(std::string text, session_notice::level severity
                              = session_notice::level::info);
  void enter(phase what, std::string detail = {});
  void say(std::string text, instant now);
  void handle_established(uint8_t key_id, const tls_established& x,
                          instant now);
  void handle_exchanged(uint8_t key_id, keys_exchanged x, instant now);
  void become_ready(instant now);

  // -- session_configuration.cpp: what the layers are told --
  void configure(negotiated_options opts, instant now);
  data_channel_config data_config() const;
  void request_key(uint8_t key_id);
  void request_tunnel();
  void follow_peer(const endpoint& remote);
  void handle_message(push_update&& x, instant now);
  void renew_token(const std::vector<std::string>& pushed);

  // -- session_renegotiation.cpp: one key after the other --
  bool waits_for_control_key() const noexcept;
  void allow_renegotiation(instant now);
  void begin_when_quiet(instant now);
  void initiate_soft_reset(instant now);
  void begin_soft_reset(uint8_t key_id, opening how, instant now);
  void handle_renegotiation_failed(failure what, instant now);
  bool may_renew() const noexcept;
  void go_on_with_old_key(end_session ending, instant now);
  void finish_lame(instant now);
  time_point old_key_until(instant now) const noexcept;
  static duration drawn_age(const session_config& cfg) noexcept;
  bool is_same_peer(const std::vector<peer_certificate>& chain) const;
  std::optional<uint8_t> text_key() const noexcept;

  // -- session_messages.cpp: what the peer says --
  void handle_text(const std::string& text, instant now);
  void handle_message(push_request&&, instant now);
  void handle_message(push_reply&& x, instant now);
  void handle_message(auth_failed&& x, instant now);
  void handle_message(auth_pending&& x, instant now);
  void handle_message(info_message&& x, instant now);
  void handle_message(open_url&& x, instant now);
  void handle_message(challenge_text&& x, instant now);
  void handle_message(challenge_response&& x, instant now);
  void handle_message(server_stop&& x, instant now);
  void handle_message(exit_message&&, instant now);
  void handle_message(unknown_message&& x, instant now);
  void handle_peer_left();
  void wait_for_person();

  // -- session_server.cpp: a server and its client --
  bool accepts_credentials(const keys_exchanged& x) const;
  void refuse_credentials(instant now);
  uint32_t peer_bits() const;
  void decide_as_server(const keys_exchanged& x, instant now);
  void configure_as_server(instant now);
  void push_as_server(instant now);
  void update_as_server(instant now);

  session_config cfg_;
  session_state state_ = session_state::idle;
  session_id local_, remote_;
  std::string peer_name_;
  /// Locked at the first authentication.
  std::vector<peer_certificate> peer_chain_;
  std::string remote_options_;
  std::string remote_peer_info_;

  /// The newest key that works, and the one being negotiated: its TLS carries
  /// the text.
  uint8_t current_key_ = 0;
  std::optional<uint8_t> renegotiating_;
  time_point renegotiation_began_{};
  /// The key whose installation was asked for.
  std::optional<uint8_t> requested_key_;
  /// The key whose peer a command is judging.
  std::optional<uint8_t> judging_;
  bool control_key_ready_ = false;
  /// The current key runs out.
  bool exhausted_ = false;
  bool worn_early_ = false;
  /// A renegotiation failed: there is no control channel any more, and this is
  /// how the session ends soon.
  std::optional<end_session> lame_;
  /// No own soft reset before: the last messages are to be acknowledged first.
  time_point quiet_until_{};

  std::vector<std::string> pushed_;
  /// A PUSH_UPDATE whose last part is not there yet.
  std::vector<std::string> update_;
  size_t tunnel_updates_ = 0;
  std::optional<negotiated_options> options_;
  bool key_ready_ = false;
  bool tunnel_ready_ = false;
  bool push_sent_ = false;
  bool waits_for_person_ = false;
  bool question_open_ = false;
  time_point exchanged_at_{};

  std::optional<time_point> answer_deadline_;
  std::optional<time_point> push_deadline_;
  std::optional<time_point> push_request_at_;
  std::optional<time_point> renegotiate_at_;
  std::optional<time_point> lame_deadline_;
  std::optional<time_point> session_deadline_;
  std::optional<time_point> update_at_;

  std::deque<session_action> actions_;
  std::deque<session_report> reports_;
};

} // namespace vpn::protocol
