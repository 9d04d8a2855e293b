// What a session tells its layers once it knows what was agreed upon: keys,
// tunnel, timers and sizes; and again when the server updates its push.
// spec: openvpn-wire 7.1, 7.8, 12.4, 13.2, 13.4
#include "vpn/protocol/session.hpp"

#include <algorithm>

#include "session_options.hpp"

namespace vpn::protocol {

namespace {

/// What IP and UDP put around a datagram.
uint32_t ip_overhead(family transport) noexcept {
  return transport == family::v6 ? 48 : 28;
}

/// A SOCKS proxy wants its own header in each datagram.
constexpr uint32_t socks_overhead = 10;

/// spec: openvpn-wire 13.4
uint32_t fragment_payload(const session_config& cfg) {
  if (cfg.tcp || cfg.fragment.size == 0)
    return 0;
  uint32_t around = cfg.socks ? socks_overhead : 0;
  if (cfg.fragment.outer_packet)
    around += ip_overhead(cfg.remote.address.kind);
  // Zero would mean no fragment header, which the peer expects.
  return cfg.fragment.size > around ? cfg.fragment.size - around : 1;
}

bool is_token(std::string_view option) {
  constexpr std::string_view name = "auth-token";
  return option.substr(0, name.size()) == name;
}

} // namespace

void session::configure(negotiated_options opts, instant now) {
  if (!opts.cipher) {
    finish({reason::push_refused, "no data cipher was agreed upon"});
    return;
  }
  if (!step(session_event::configured))
    return;
  for (const auto& text : opts.warnings)
    note(text, session_notice::level::warning);
  options_ = std::move(opts);
  auto& o = *options_;
  // Both need the exporter, whatever the peer says beside it.
  // spec: openvpn-wire 2.10, 9.9
  auto ekm = o.derivation == key_derivation::tls_ekm;
  o.dynamic_tls_crypt = o.dynamic_tls_crypt && cfg_.dynamic_tls_crypt;
  o.epoch = o.epoch && cfg_.epoch && ekm && o.peer_id && is_aead(*o.cipher);
  push_deadline_.reset();
  push_request_at_.reset();
  waits_for_person_ = false;
  if (o.session_timeout > duration::zero())
    session_deadline_ = now.steady + o.session_timeout;
  if (o.sndbuf || o.rcvbuf || o.tcp_nodelay)
    actions_.push_back(configure_socket{o.sndbuf, o.rcvbuf, o.tcp_nodelay});
  actions_.push_back(configure_data{data_config()});
  request_key(0);
  if (o.dynamic_tls_crypt)
    actions_.push_back(derive_control_key{});
  if (o.tunnel.address4)
    enter(phase::assign_ip, to_string(o.tunnel.address4->address));
  if (!o.tunnel.routes.empty() || o.tunnel.redirect.ipv4
      || o.tunnel.redirect.ipv6)
    enter(phase::add_routes);
  request_tunnel();
}

data_channel_config session::data_config() const {
  const auto& o = *options_;
  data_channel_config result;
  result.framing = o.framing;
  result.decompress = o.decompress;
  result.fragment_size = fragment_payload(cfg_);
  result.inactive = o.inactive;
  result.inactive_bytes = o.inactive_bytes;
  result.reneg_bytes = cfg_.reneg_bytes;
  result.reneg_packets = cfg_.reneg_packets;
  result.block_ipv6 = o.tunnel.block_ipv6;
  result.nat = o.nat;
  result.ping = o.ping;
  result.ping_restart
    = o.ping_exit > duration::zero() ? o.ping_exit : o.ping_restart;
  packet_overhead around;
  around.cipher = *o.cipher;
  around.digest_size
    = static_cast<uint32_t>(digest_size(cfg_.digest).value_or(0));
  around.peer_id = o.peer_id.has_value();
  around.epoch = o.epoch;
  around.framing_byte = adds_a_byte(o.framing);
  around.fragment = result.fragment_size > 0;
  around.tcp = cfg_.tcp;
  around.socks = cfg_.socks && !cfg_.tcp;
  around.transport = cfg_.remote.address.kind;
  auto mss = compute_mss(cfg_.mssfix, around);
  result.mss4 = mss.v4;
  result.mss6 = mss.v6;
  if (!cfg_.tcp)
    result.max_segment_size = 1500 - ip_overhead(cfg_.remote.address.kind)
                              - (cfg_.socks ? socks_overhead : 0);
  // spec: openvpn-wire 12.4
  result.new_key_delay
    = cfg_.reneg_after > duration::zero()
        ? std::min<duration>(cfg_.hand_window, cfg_.reneg_after / 2)
        : cfg_.hand_window;
  result.transition_window = cfg_.transition_window;
  return result;
}

void session::request_key(uint8_t key_id) {
  if (!options_ || requested_key_ == key_id)
    return;
  derive_key action;
  action.key_id = key_id;
  action.derivation = options_->derivation;
  action.cipher = *options_->cipher;
  action.digest = cfg_.digest;
  action.epoch = options_->epoch;
  action.peer_id = options_->peer_id;
  action.client = cfg_.self == role::client ? local_ : remote_;
  action.server = cfg_.self == role::client ? remote_ : local_;
  requested_key_ = key_id;
  note("Data Channel: cipher '" + to_string(action.cipher) + "'"
       + (is_aead(action.cipher) ? "" : ", auth '" + action.digest + "'")
       + (action.peer_id ? ", peer-id: " + std::to_string(*action.peer_id)
                         : std::string{}));
  actions_.push_back(std::move(action));
}

void session::request_tunnel() {
  auto tunnel = options_->tunnel;
  tunnel.server = cfg_.remote;
  actions_.push_back(apply_tunnel{std::move(tunnel)});
}

/// Not where the tunnel takes that address in: a route around it to whatever
/// address a packet seemed to come from would lead others' traffic out, and
/// without one the tunnel would be sent into itself.
void session::follow_peer(const endpoint& remote) {
  if (remote == cfg_.remote)
    return;
  const auto& tunnel = options_->tunnel;
  const auto& flags = tunnel.redirect;
  auto covered
    = flags.ipv4 || flags.ipv6
      || std::any_of(tunnel.routes.begin(), tunnel.routes.end(),
                     [&](const route_config& x) {
                       return contains(x.destination, remote.address);
                     });
  if (covered) {
    note("Peer seems to be at " + socket_name(remote)
           + " now, which lies in the tunnel: not followed",
         session_notice::level::warning);
    return;
  }
  note("[" + peer_name_ + "] Peer has moved to " + socket_name(remote));
  cfg_.remote = remote;
  configure_socket action;
  action.remote = remote;
  actions_.push_back(action);
}

// -- pushes of an established session --

/// spec: openvpn-wire 7.8
void session::handle_message(push_update&& x, instant) {
  if (cfg_.self != role::client)
    return;
  if (state_ != session_state::connected) {
    note("PUSH_UPDATE before the tunnel is up is ignored",
         session_notice::level::warning);
    return;
  }
  collect(update_, std::move(x.options));
  if (x.more)
    return;
  auto update = std::move(update_);
  update_.clear();
  if (update.empty())
    return;
  auto refuse = [this](const failure& what) {
    note("Failed to apply pushed update: " + what.text,
         session_notice::level::warning);
    finish(what);
  };
  auto pushed = pushed_;
  auto skipped = apply_update(pushed, update);
  if (!skipped) {
    refuse(skipped.error());
    return;
  }
  if (pushed.size() > max_pushed_options) {
    refuse({reason::push_refused, "too many options"});
    return;
  }
  auto opts = apply_push(cfg_.pull, pushed, remote_options_);
  if (!opts) {
    refuse(opts.error());
    return;
  }
  for (const auto& text : *skipped)
    note(text, session_notice::level::warning);
  for (const auto& text : opts->warnings)
    if (std::find(options_->warnings.begin(), options_->warnings.end(), text)
        == options_->warnings.end())
      note(text, session_notice::level::warning);
  // What was agreed upon with the first key stays for the whole session.
  auto& old = *options_;
  opts->cipher = old.cipher;
  opts->peer_id = old.peer_id;
  opts->derivation = old.derivation;
  opts->cc_exit = old.cc_exit;
  opts->dynamic_tls_crypt = old.dynamic_tls_crypt;
  opts->epoch = old.epoch;
  opts->auth_token = std::move(old.auth_token);
  opts->auth_token_user = std::move(old.auth_token_user);
  options_ = std::move(*opts);
  pushed_ = std::move(pushed);
  note("The server updated what it had pushed");
  actions_.push_back(configure_data{data_config()});
  ++tunnel_updates_;
  request_tunnel();
}

/// After a renegotiation a server pushes the next token, and nothing else.
/// spec: openvpn-wire 5.7
void session::renew_token(const std::vector<std::string>& pushed) {
  std::vector<std::string> lines;
  for (const auto& option : pushed)
    if (is_token(option))
      lines.push_back(option);
  if (lines.empty())
    return;
  auto own = cfg_.pull;
  own.fallback = options_->cipher;
  auto opts = apply_push(own, lines, {});
  forget_tokens(lines);
  if (!opts || opts->auth_token.empty())
    return;
  options_->auth_token = std::move(opts->auth_token);
  if (!opts->auth_token_user.empty())
    options_->auth_token_user = std::move(opts->auth_token_user);
}

// -- lists of options --

void collect(std::vector<std::string>& list, std::vector<std::string>&& more) {
  for (auto& option : more)
    if (list.size() < max_pushed_options && option.size() <= max_option_size)
      list.push_back(std::move(option));
}

void forget_tokens(std::vector<std::string>& list) {
  for (auto& option : list)
    if (is_token(option)) {
      wipe(option.data(), option.size());
      option.clear();
    }
  list.erase(std::remove(list.begin(), list.end(), std::string{}), list.end());
}

} // namespace vpn::protocol
