// The TLS actor's protocol: one TLS connection, key method 2 over it, text
// messages, and the derivation of this key id's data keys.
// spec: openvpn-wire 5, 12.1
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/key_method.hpp"
#include "vpn/protocol/random.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <deque>
#include <variant>

namespace vpn::protocol {

struct negotiation_config {
  role self = role::client;
  uint8_t key_id = 0;
  std::shared_ptr<const tls_context> tls;
  /// What we say in key method 2.
  std::string options;
  std::string username;
  secret password;
  std::string peer_info;
  /// From `start` until both records are exchanged. Option `hand-window`.
  duration hand_window = std::chrono::seconds{60};
  /// Say nothing to the peer, credentials least of all, until `accept_peer`:
  /// a `tls-verify` command is asked first.
  bool confirm_peer = false;
};

/// TLS is up and the peer's certificate is accepted.
struct tls_established {
  std::vector<peer_certificate> peer;
  std::string description;
};
/// Both key method 2 records are exchanged; text may flow.
struct keys_exchanged {
  std::string remote_options;
  std::string remote_peer_info;
  std::string username;
  secret password;
};
/// A text message of the peer, without its NUL: UTF-8 without control
/// characters.
struct text_received {
  std::string text;
};
/// This negotiation is over.
struct negotiation_failed {
  failure what;
};
using negotiation_event = std::variant<tls_established, keys_exchanged,
                                       text_received, negotiation_failed>;

/// Exporter label of the key of dynamic tls-crypt; no context, 256 bytes.
constexpr const char* ekm_control_label = "EXPORTER-OpenVPN-dynamic-tls-crypt";

class negotiation {
public:
  /// `random` feeds the key sources only; TLS has its own.
  negotiation(negotiation_config cfg, random_source random, instant now);

  // -- commands --
  /// The peer's reset has arrived: a client sends its ClientHello, a server
  /// listens. The hand window began at construction.
  void start(instant now);
  /// The peer's certificate found favour: key method 2 may go on. Only after
  /// `tls_established`.
  void accept_peer();
  /// Key of dynamic tls-crypt, from the TLS exporter; at any time after
  /// `keys_exchanged`. spec: openvpn-wire 2.10
  expected<key_block> export_control_key() const;
  /// Queues a text message, sent when key method 2 is through.
  void send_text(std::string text);
  /// The key block of this key id, once: the randomness is wiped with it.
  /// `wrong_state` before `keys_exchanged` and after a first call.
  expected<key_block> derive(key_derivation how, const session_id& client,
                             const session_id& server);

  // -- handlers --
  void handle_tls(byte_view tls_bytes, instant now);
  void handle_timeout(instant now);

  // -- polls --
  std::optional<bytes> poll_tls();
  std::optional<negotiation_event> poll_event();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  bool exchanged() const noexcept { return exchanged_; }
  /// Text records dropped because they were malformed.
  uint64_t bad_texts() const noexcept { return bad_texts_; }

private:
  void advance();
  void send_record();
  void handle_record(byte_view record);
  void handle_text(std::string_view text);
  bool confirmed() const noexcept { return accepted_ || !cfg_.confirm_peer; }
  void hold_records();
  void forget_sources();
  void fail(failure what);

  negotiation_config cfg_;
  tls_engine tls_;
  time_point deadline_;
  bool started_ = false;
  bool announced_ = false;
  bool accepted_ = false;
  bool sent_ = false;
  bool received_ = false;
  bool exchanged_ = false;
  bool derived_ = false;
  bool failed_ = false;
  uint64_t bad_texts_ = 0;
  key_source own_;
  key_source peer_;
  std::deque<std::string> texts_;
  /// What the peer said before it was accepted, at most a few records.
  std::deque<secret> held_;
  std::deque<negotiation_event> events_;
};

} // namespace vpn::protocol
