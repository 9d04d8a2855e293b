// What a peer says to a session and what comes of it: pushes, refusals, orders
// to leave; and the decisions of a server about its client.
// spec: openvpn-wire 7
#include "vpn/protocol/session.hpp"

#include <algorithm>
#include <charconv>

namespace vpn::protocol {

namespace {

/// Parts of one PUSH_REPLY that we put together at most.
constexpr size_t max_pushed_options = 8192;

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

void session::handle_text(const std::string& text, instant now) {
  auto message = parse_text_message(text);
  std::visit(
    [&](auto& x) {
      handle_message(std::move(x), now);
    },
    message);
}

void session::handle_message(push_request&&, instant) {
  if (cfg_.self == role::server && state_ == session_state::connected)
    push_as_server();
}

void session::handle_message(push_reply&& x, instant) {
  if (cfg_.self != role::client)
    return;
  if (state_ == session_state::connected)
    renew_token(x.options);
  if (state_ != session_state::configuring)
    return;
  push_request_at_.reset();
  for (auto& option : x.options)
    if (pushed_.size() < max_pushed_options)
      pushed_.push_back(std::move(option));
  if (x.more)
    return;
  push_deadline_.reset();
  auto opts = apply_push(cfg_.pull, pushed_, remote_options_);
  pushed_.clear();
  if (!opts) {
    note("Failed to apply push options: " + opts.error().text,
         session_notice::level::warning);
    finish(opts.error());
    return;
  }
  configure(std::move(*opts));
}

void session::handle_message(auth_failed&& x, instant) {
  if (cfg_.self != role::client)
    return;
  note("AUTH: Received control message: AUTH_FAILED"
       + (x.reason.empty() ? std::string{} : "," + x.reason));
  if (x.temporary)
    finish({reason::server_stopped, "AUTH_FAILED,TEMP " + x.reason},
           std::chrono::seconds{x.backoff_seconds});
  else
    finish({reason::auth_failed, x.reason});
}

void session::handle_message(auth_pending&& x, instant now) {
  if (cfg_.self != role::client || state_ != session_state::configuring)
    return;
  // spec: openvpn-wire 7.6: min(n or hand_window, max(reneg/2, hand_window))
  duration wait = x.timeout_seconds > 0
                    ? duration{std::chrono::seconds{x.timeout_seconds}}
                    : cfg_.hand_window;
  wait = std::min(wait,
                  std::max<duration>(cfg_.reneg_after / 2, cfg_.hand_window));
  push_deadline_ = now.steady + wait;
  note("AUTH_PENDING received, extending handshake timeout");
  enter(phase::auth_pending);
}

void session::handle_message(info_message&& x, instant) {
  note("Info command was pushed by server ('" + x.text + "')");
}

void session::handle_message(server_stop&& x, instant) {
  if (cfg_.self != role::client)
    return;
  note(x.halt
         ? "Halt command was pushed by server ('" + x.text + "')"
         : "Connection reset command was pushed by server ('" + x.text + "')");
  finish({reason::server_stopped, x.text}, {}, x.halt);
}

void session::handle_message(exit_message&&, instant) {
  note("Remote exit");
  finish({reason::server_stopped, "the peer left"});
}

void session::handle_message(unknown_message&& x, instant) {
  note("WARNING: Received unknown control message: " + x.text,
       session_notice::level::warning);
}

/// After a renegotiation a server pushes the next token, and nothing else.
/// spec: openvpn-wire 5.7
void session::renew_token(const std::vector<std::string>& pushed) {
  constexpr std::string_view name = "auth-token ";
  for (const auto& option : pushed)
    if (option.size() > name.size()
        && option.compare(0, name.size(), name) == 0)
      options_->auth_token = secret{option.substr(name.size())};
}

// -- a server and its client --

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

void session::refuse_credentials(uint8_t key_id) {
  actions_.push_back(send_text{key_id, "AUTH_FAILED"});
  finish({reason::auth_failed, "wrong user name or password"});
}

void session::decide_as_server(const keys_exchanged& x) {
  if (!accepts_credentials(x)) {
    refuse_credentials(0);
    return;
  }
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
    actions_.push_back(send_text{
      0, "AUTH_FAILED,Data channel cipher negotiation failed (no shared "
         "cipher)"});
    finish({reason::push_refused, "no shared data cipher"});
    return;
  }
  opts.tunnel = policy.tunnel;
  if (bits & iv_proto::data_v2)
    opts.peer_id = policy.peer_id;
  if (bits & iv_proto::tls_key_export)
    opts.derivation = key_derivation::tls_ekm;
  opts.cc_exit = (bits & iv_proto::cc_exit_notify) != 0;
  opts.ping = cfg_.pull.ping;
  opts.ping_restart = cfg_.pull.ping_restart;
  configure(std::move(opts));
}

void session::push_as_server() {
  if (push_sent_ || !options_)
    return;
  push_sent_ = true;
  auto lines = cfg_.server.push;
  if (options_->peer_id)
    lines.push_back("peer-id " + std::to_string(*options_->peer_id));
  lines.push_back("cipher " + to_string(*options_->cipher));
  if (options_->cc_exit)
    lines.push_back(options_->derivation == key_derivation::tls_ekm
                      ? "protocol-flags cc-exit tls-ekm"
                      : "protocol-flags cc-exit");
  else if (options_->derivation == key_derivation::tls_ekm)
    lines.emplace_back("key-derivation tls-ekm");
  auto texts = write_push_reply(lines);
  if (!texts) {
    finish({reason::internal, "a push option is too long"});
    return;
  }
  for (auto& text : *texts)
    actions_.push_back(send_text{text_key(), std::move(text)});
}

} // namespace vpn::protocol
