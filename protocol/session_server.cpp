// The decisions of a server about its one client: whether it is let in, what
// both can do, and what is pushed.
// spec: openvpn-wire 7.1, 7.6, 7.7, 8
#include "vpn/protocol/session.hpp"

#include <charconv>

namespace vpn::protocol {

namespace {

/// After the push, when a client's tunnel surely stands.
constexpr auto update_delay = std::chrono::seconds{5};

bool listed(std::string_view colon_list, std::string_view name) {
  while (!colon_list.empty()) {
    auto end = colon_list.find(':');
    if (colon_list.substr(0, end) == name)
      return true;
    colon_list = end == std::string_view::npos ? std::string_view{}
                                               : colon_list.substr(end + 1);
  }
  return false;
}

} // namespace

uint32_t session::peer_bits() const {
  auto text = peer_info_value(remote_peer_info_, "IV_PROTO");
  uint32_t result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

bool session::accepts_credentials(const keys_exchanged& x) const {
  const auto& policy = cfg_.server;
  if (cfg_.self != role::server || policy.username.empty())
    return true;
  // Both are compared, so that time does not tell which one is wrong.
  auto name
    = equal_in_constant_time(byte_view{policy.username}, byte_view{x.username});
  auto word = equal_in_constant_time(policy.password.view(), x.password.view());
  return name && word;
}

void session::refuse_credentials(instant now) {
  say("AUTH_FAILED", now);
  finish({reason::auth_failed, "wrong user name or password"});
}

void session::decide_as_server(const keys_exchanged& x, instant now) {
  if (!accepts_credentials(x)) {
    refuse_credentials(now);
    return;
  }
  for (const auto& text : cfg_.server.before_push)
    say(text, now);
  if (cfg_.server.challenge_response.empty()) {
    configure_as_server(now);
    return;
  }
  waits_for_person_ = true;
  push_deadline_ = now.steady + cfg_.hand_window;
}

void session::handle_message(challenge_response&& x, instant now) {
  if (cfg_.self != role::server || state_ != session_state::configuring)
    return;
  if (equal_in_constant_time(cfg_.server.challenge_response.view(),
                             byte_view{x.response}))
    configure_as_server(now);
  else
    refuse_credentials(now);
}

void session::configure_as_server(instant now) {
  const auto& policy = cfg_.server;
  auto bits = peer_bits();
  auto offered = peer_info_value(remote_peer_info_, "IV_CIPHERS");
  if (offered.empty() && peer_info_value(remote_peer_info_, "IV_NCP") == "2")
    offered = "AES-256-GCM:AES-128-GCM";
  negotiated_options opts;
  for (auto cipher : policy.ciphers)
    if (listed(offered, to_string(cipher))) {
      opts.cipher = cipher;
      break;
    }
  if (!opts.cipher) {
    say("AUTH_FAILED,Data channel cipher negotiation failed (no shared cipher)",
        now);
    finish({reason::push_refused, "no shared data cipher"});
    return;
  }
  opts.tunnel = policy.tunnel;
  if (bits & iv_proto::data_v2)
    opts.peer_id = policy.peer_id;
  auto ekm = (bits & iv_proto::tls_key_export) != 0;
  if (ekm)
    opts.derivation = key_derivation::tls_ekm;
  opts.cc_exit = (bits & iv_proto::cc_exit_notify) != 0;
  opts.dynamic_tls_crypt = ekm && (bits & iv_proto::dynamic_tls_crypt) != 0;
  opts.epoch = (bits & iv_proto::data_epoch) != 0;
  const auto& own = cfg_.pull;
  opts.ping = own.ping;
  opts.ping_restart = own.ping_restart;
  opts.ping_exit = own.ping_exit;
  opts.framing = own.framing;
  opts.decompress = own.allow_compressed;
  opts.inactive = own.inactive;
  opts.inactive_bytes = own.inactive_bytes;
  opts.session_timeout = own.session_timeout;
  opts.nat = own.nat;
  configure(std::move(opts), now);
}

/// spec: openvpn-wire 7.7
void session::push_as_server(instant now) {
  if (push_sent_ || !options_)
    return;
  push_sent_ = true;
  auto lines = cfg_.server.push;
  if (options_->peer_id)
    lines.push_back("peer-id " + std::to_string(*options_->peer_id));
  lines.push_back("cipher " + to_string(*options_->cipher));
  std::string flags;
  auto ekm = options_->derivation == key_derivation::tls_ekm;
  if (options_->cc_exit)
    flags += ekm ? " cc-exit tls-ekm" : " cc-exit";
  else if (ekm)
    lines.emplace_back("key-derivation tls-ekm");
  if (options_->dynamic_tls_crypt)
    flags += " dyn-tls-crypt";
  if (options_->epoch)
    flags += " aead-epoch";
  if (!flags.empty())
    lines.push_back("protocol-flags" + flags);
  auto texts = write_push_reply(lines);
  if (!texts) {
    finish({reason::internal, "a push option is too long"});
    return;
  }
  for (auto& text : *texts)
    say(std::move(text), now);
  if (!cfg_.server.update.empty() && (peer_bits() & iv_proto::push_update))
    update_at_ = now.steady + update_delay;
}

/// spec: openvpn-wire 7.8
void session::update_as_server(instant now) {
  constexpr std::string_view reply = "PUSH_REPLY";
  auto texts = write_push_reply(cfg_.server.update);
  if (!texts) {
    finish({reason::internal, "a push option is too long"});
    return;
  }
  for (const auto& text : *texts)
    say("PUSH_UPDATE" + text.substr(reply.size()), now);
}

} // namespace vpn::protocol
