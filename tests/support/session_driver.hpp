// A session played step by step as SUPERVISOR would, with a line of text for
// each action and each report, so that order and content are compared at once.
#pragma once

#include "vpn/protocol/session.hpp"

#include "tests/support/pushed.hpp"

namespace vpn::test {

/// "a; b; c; ".
inline std::string joined(const strings& xs) {
  std::string result;
  for (auto& x : xs)
    result += x + "; ";
  return result;
}

inline std::string seconds_of(duration x) {
  return std::to_string(
    std::chrono::duration_cast<std::chrono::seconds>(x).count());
}

inline std::string where_to(const std::optional<protocol::advance>& x) {
  constexpr const char* places[]
    = {" same address", " next address", " next remote"};
  return x ? places[static_cast<size_t>(*x)] : "";
}

/// When the clock of a session_driver starts.
constexpr auto driver_start = time_point{} + std::chrono::seconds{1000};

inline std::string since_start(time_point x) {
  return seconds_of(x - driver_start);
}

struct action_line {
  std::string operator()(const protocol::open_negotiation& x) const {
    constexpr const char* openings[]
      = {"client", "server", "initiator", "responder"};
    return "open " + std::to_string(x.key_id) + " "
           + openings[static_cast<size_t>(x.how)];
  }
  std::string operator()(const protocol::close_negotiation& x) const {
    return "close " + std::to_string(x.key_id);
  }
  std::string operator()(const protocol::derive_key& x) const {
    return "derive " + std::to_string(x.key_id) + " " + to_string(x.cipher)
           + (x.derivation == protocol::key_derivation::tls_ekm ? " ekm"
                                                                : " prf")
           + (x.peer_id ? " peer-id " + std::to_string(*x.peer_id)
                        : std::string{})
           + " " + to_hex(x.client.view().first(1)) + "/"
           + to_hex(x.server.view().first(1)) + (x.epoch ? " epoch" : "")
           + (is_aead(x.cipher) ? "" : " auth " + x.digest);
  }
  std::string operator()(const protocol::derive_control_key&) const {
    return "control key";
  }
  std::string operator()(const protocol::judge_peer& x) const {
    return "judge " + std::to_string(x.chain.size());
  }
  std::string operator()(const protocol::accept_peer& x) const {
    return "accept " + std::to_string(x.key_id);
  }
  std::string operator()(const protocol::ask_person& x) const {
    return "ask '" + x.what.text + "'" + (x.what.echo ? " echo" : "");
  }
  std::string operator()(const protocol::send_data_exit&) const {
    return "data exit";
  }
  std::string operator()(const protocol::configure_socket& x) const {
    return std::string{"socket"}
           + (x.sndbuf ? " sndbuf " + std::to_string(*x.sndbuf) : "")
           + (x.rcvbuf ? " rcvbuf " + std::to_string(*x.rcvbuf) : "")
           + (x.tcp_nodelay ? " nodelay" : "")
           + (x.remote ? " remote " + to_string(*x.remote) : "");
  }
  std::string operator()(const protocol::send_text& x) const {
    return "text " + std::to_string(x.key_id) + " " + x.text;
  }
  std::string operator()(const protocol::allow_soft_reset& x) const {
    return "allow " + std::to_string(x.key_id);
  }
  std::string operator()(const protocol::configure_data& x) const {
    return "data ping " + seconds_of(x.config.ping) + " restart "
           + seconds_of(x.config.ping_restart);
  }
  std::string operator()(const protocol::apply_tunnel& x) const {
    return "tunnel "
           + (x.config.address4 ? to_string(*x.config.address4) : "none");
  }
  std::string operator()(const protocol::end_session& x) const {
    return "end " + to_string(x.what.why)
           + (x.what.text.empty() ? "" : " '" + x.what.text + "'")
           + (x.backoff > duration{} ? " backoff " + seconds_of(x.backoff) : "")
           + where_to(x.where) + (x.final ? " final" : "")
           + (x.at_once ? " at once" : "") + (x.again ? " again" : "")
           + (x.data_until ? " data until " + since_start(*x.data_until) : "");
  }
};

/// One session and its clock.
class session_driver {
public:
  using seconds = std::chrono::seconds;

  explicit session_driver(protocol::session_config cfg)
    : session(std::move(cfg), now()) {}

  instant now() const { return {driver_start + passed_, 0}; }
  /// Time passes with nobody looking at the timers.
  void pass(duration x) { passed_ += x; }
  /// Time passes, and each timer is served when it is due.
  void run_for(duration x) {
    auto end = now().steady + x;
    while (auto due = session.poll_timeout()) {
      if (*due > end)
        break;
      if (*due > now().steady)
        passed_ += *due - now().steady;
      session.handle_timeout(now());
    }
    passed_ += end - now().steady;
  }
  /// Seconds until the next timer; -1 when there is none.
  long timer() const {
    auto due = session.poll_timeout();
    if (!due)
      return -1;
    return static_cast<long>(
      std::chrono::duration_cast<seconds>(*due - now().steady).count());
  }

  // -- what the layers tell --
  void start() { session.start(now()); }
  void answer() {
    session.handle_peer_known({{0xaa, 1, 2, 3, 4, 5, 6, 7}},
                              {{0xbb, 8, 9, 10, 11, 12, 13, 14}});
    session.handle_peer_answered(0, now());
  }
  void establish(uint8_t key_id, const std::string& name = "peer.example") {
    protocol::tls_established x;
    protocol::peer_certificate own, authority;
    own.subject = "CN=" + name;
    own.common_name = name;
    authority.depth = 1;
    authority.subject = "CN=Authority";
    authority.common_name = "Authority";
    x.peer = {own, authority};
    x.description = "TLSv1.3";
    session.handle_negotiation(key_id, x, now());
  }
  void exchange(uint8_t key_id, protocol::keys_exchanged x = {}) {
    session.handle_negotiation(key_id, std::move(x), now());
  }
  void text(std::string x, uint8_t key_id = 0) {
    session.handle_negotiation(key_id, protocol::text_received{std::move(x)},
                               now());
  }
  void install_control_key() { session.handle_control_key_installed(now()); }
  void judge(bool accepted) { session.handle_peer_judged(accepted, now()); }
  void respond(std::string_view text) {
    protocol::answer x;
    x.given = true;
    x.response = secret{text};
    session.handle_answer(std::move(x), now());
  }
  void say_nothing() { session.handle_answer({}, now()); }
  void tell(protocol::data_event x) { session.handle_data_event(x, now()); }
  void break_negotiation(uint8_t key_id, failure what) {
    session.handle_negotiation(
      key_id, protocol::negotiation_failed{std::move(what)}, now());
  }
  void soft_reset(uint8_t key_id) { session.handle_soft_reset(key_id, now()); }
  void install(uint8_t key_id) { session.handle_key_installed(key_id, now()); }
  void lose_layers(uint8_t key_id, failure what = {reason::internal, "died"}) {
    session.handle_layers_lost(key_id, std::move(what), now());
  }
  void apply() { session.handle_tunnel_applied("tun0", now()); }
  void fail(reason why, const std::string& text = {}) {
    session.handle_failure({why, text}, now());
  }
  /// A whole renegotiation, from its reset to its installed key.
  void renegotiate_to(uint8_t key_id) {
    establish(key_id);
    exchange(key_id, identity);
    install(key_id);
  }

  // -- what the session says --
  std::string actions() {
    strings result;
    while (auto x = session.poll_action())
      result.push_back(std::visit(action_line{}, *x));
    return joined(result);
  }
  /// The first action of one kind; the ones before it are thrown away.
  template <class Action>
  std::optional<Action> take() {
    while (auto x = session.poll_action())
      if (auto* y = std::get_if<Action>(&*x))
        return *y;
    return {};
  }
  /// Notices as they are, warnings with a "!", phases in brackets, links in
  /// angles.
  strings reports() {
    strings result;
    while (auto x = session.poll_report())
      if (auto* y = std::get_if<protocol::session_notice>(&*x))
        result.push_back(
          (y->severity == protocol::session_notice::level::warning ? "!" : "")
          + y->text);
      else if (auto* z = std::get_if<protocol::phase_began>(&*x))
        result.push_back("[" + to_string(z->what)
                         + (z->detail.empty() ? "" : " " + z->detail) + "]");
      else if (auto* u = std::get_if<protocol::url_offered>(&*x))
        result.push_back("<" + u->url + (u->flags.empty() ? "" : " " + u->flags)
                         + ">");
    return result;
  }
  bool has_told(const std::string& line) {
    auto xs = reports();
    return std::find(xs.begin(), xs.end(), line) != xs.end();
  }
  void forget() {
    actions();
    reports();
  }

private:
  duration passed_{};

public:
  /// What a client says in each key exchange.
  protocol::keys_exchanged identity;
  protocol::session session;
};

inline endpoint example_endpoint(uint8_t last) {
  endpoint result;
  result.address.kind = family::v4;
  result.address.octets = {192, 0, 2, last};
  result.port = 1194;
  return result;
}

inline protocol::session_config client_session_config() {
  protocol::session_config cfg;
  cfg.pull = own_pull_config();
  cfg.remote = example_endpoint(1);
  return cfg;
}

inline protocol::session_config server_session_config() {
  protocol::session_config cfg;
  cfg.self = protocol::role::server;
  cfg.remote = example_endpoint(2);
  cfg.server.username = "alice";
  cfg.server.password = secret{std::string_view{"wonderland"}};
  cfg.server.push = {"topology subnet", "ifconfig 10.8.0.2 255.255.255.0"};
  cfg.server.peer_id = 7;
  cfg.server.tunnel.address4 = ip_prefix{*parse_ip("10.8.0.1"), 24};
  return cfg;
}

/// What a server of ours would push.
constexpr const char* usual_push
  = "PUSH_REPLY,topology subnet,route-gateway 10.8.0.1,"
    "ifconfig 10.8.0.2 255.255.255.0,ping 10,ping-restart 60,peer-id 5,"
    "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm";

/// What a client of ours says.
inline protocol::keys_exchanged usual_client(uint32_t bits = 0x19e) {
  protocol::keys_exchanged result;
  result.username = "alice";
  result.password = secret{std::string_view{"wonderland"}};
  result.remote_peer_info = "IV_VER=test\nIV_PROTO=" + std::to_string(bits)
                            + "\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n";
  return result;
}

/// Brings a session as far as `to`. Actions and reports pile up.
inline void bring_to(session_driver& x, protocol::session_state to,
                     bool as_server = false) {
  using state = protocol::session_state;
  if (as_server)
    x.identity = usual_client();
  if (to >= state::resetting)
    x.start();
  if (to >= state::negotiating)
    x.answer();
  // A server decides at once, so that it is never seen configuring.
  if (to >= state::configuring) {
    x.establish(0);
    x.exchange(0, x.identity);
  }
  if (to >= state::assigning && !as_server)
    x.text(usual_push);
  if (to >= state::connected) {
    x.install(0);
    x.apply();
  }
}

constexpr protocol::session_state before_closed[]
  = {protocol::session_state::idle,        protocol::session_state::resetting,
     protocol::session_state::negotiating, protocol::session_state::configuring,
     protocol::session_state::assigning,   protocol::session_state::connected};

/// A session in a state, with nothing left to read.
struct client_at : session_driver {
  explicit client_at(protocol::session_state to, protocol::session_config cfg
                                                 = client_session_config())
    : session_driver(std::move(cfg)) {
    bring_to(*this, to);
    forget();
  }
  /// Pushed to with `push` instead of the usual, and connected.
  client_at(const std::string& push, protocol::session_config cfg)
    : session_driver(std::move(cfg)) {
    bring_to(*this, protocol::session_state::configuring);
    text(push);
    install(0);
    apply();
    forget();
  }
};

struct server_at : session_driver {
  explicit server_at(protocol::session_state to, protocol::session_config cfg
                                                 = server_session_config())
    : session_driver(std::move(cfg)) {
    bring_to(*this, to, true);
    forget();
  }
};

/// A server that has heard key method 2 of its client.
struct server_told : session_driver {
  explicit server_told(protocol::keys_exchanged said,
                       protocol::session_config cfg = server_session_config())
    : session_driver(std::move(cfg)) {
    bring_to(*this, protocol::session_state::negotiating, true);
    establish(0);
    forget();
    exchange(0, std::move(said));
  }
  void connect() {
    install(0);
    apply();
  }
};

} // namespace vpn::test
