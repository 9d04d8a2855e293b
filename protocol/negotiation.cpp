// One negotiation: TLS, then one key method 2 record each way, then text.
// spec: openvpn-wire 5.2, 5.9, 12.1

#include "vpn/protocol/negotiation.hpp"

#include "vpn/protocol/readable_text.hpp"

#include <algorithm>
#include <array>

namespace vpn::protocol {

namespace {

/// One text message with its NUL is one TLS record.
constexpr size_t max_text = 16383;

/// Records that wait for `accept_peer`. A client sends one before it gets an
/// answer, a server none.
constexpr size_t max_held = 4;

role other(role x) {
  return x == role::client ? role::server : role::client;
}

std::string_view without_line_end(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n'))
    text.remove_suffix(1);
  return text;
}

} // namespace

negotiation::negotiation(negotiation_config cfg, random_source random,
                         instant now)
  : cfg_(std::move(cfg)),
    tls_(cfg_.tls, now.unix_seconds),
    deadline_(now.steady + cfg_.hand_window) {
  // Only the client's pre-master exists.
  if (cfg_.self == role::client)
    random(own_.pre_master.data(), own_.pre_master.size());
  random(own_.random1.data(), own_.random1.size());
  random(own_.random2.data(), own_.random2.size());
}

// -- commands --

void negotiation::start(instant now) {
  handle_timeout(now);
  if (failed_ || started_)
    return;
  started_ = true;
  tls_.start();
  advance();
}

void negotiation::accept_peer() {
  if (failed_ || !announced_ || accepted_)
    return;
  accepted_ = true;
  if (cfg_.confirm_peer && cfg_.self == role::client)
    send_record();
  advance();
}

expected<key_block> negotiation::export_control_key() const {
  if (!exchanged_ || failed_)
    return errc::wrong_state;
  key_block result;
  auto made = tls_.export_key(ekm_control_label, result.data(), result.size());
  if (!made)
    return made.error();
  return result;
}

void negotiation::send_text(std::string text) {
  if (failed_)
    return;
  // The peer would read what follows a NUL as another message.
  text = text.substr(0, text.find('\0'));
  if (text.size() > max_text)
    return fail({reason::internal, "a text message of "
                                     + std::to_string(text.size())
                                     + " bytes does not fit a TLS record"});
  texts_.push_back(std::move(text));
  advance();
}

expected<key_block> negotiation::derive(key_derivation how,
                                        const session_id& client,
                                        const session_id& server) {
  if (!exchanged_ || failed_ || derived_)
    return errc::wrong_state;
  auto is_client = cfg_.self == role::client;
  auto by_prf = [&] {
    return is_client ? derive_by_prf(own_, peer_, client, server)
                     : derive_by_prf(peer_, own_, client, server);
  };
  auto by_ekm = [&]() -> expected<key_block> {
    key_block result;
    auto made = tls_.export_key(ekm_data_label, result.data(), result.size());
    if (!made)
      return made.error();
    return result;
  };
  auto result = how == key_derivation::tls_ekm ? by_ekm() : by_prf();
  derived_ = true;
  forget_sources();
  return result;
}

// -- handlers --

void negotiation::handle_tls(byte_view tls_bytes, instant now) {
  // Bytes of the peer prove that its reset has been here. This also looks at
  // the deadline.
  start(now);
  if (failed_)
    return;
  tls_.handle_input(tls_bytes);
  advance();
}

void negotiation::handle_timeout(instant now) {
  if (exchanged_ || failed_ || now.steady < deadline_)
    return;
  auto seconds
    = std::chrono::duration_cast<std::chrono::seconds>(cfg_.hand_window);
  fail({announced_ ? reason::tls_failed : reason::no_answer,
        "TLS key negotiation failed to occur within "
          + std::to_string(seconds.count()) + " seconds"});
}

// -- polls --

std::optional<bytes> negotiation::poll_tls() {
  // After a failure too: the alert tells the peer why.
  return tls_.poll_output();
}

std::optional<negotiation_event> negotiation::poll_event() {
  if (events_.empty())
    return {};
  auto result = std::move(events_.front());
  events_.pop_front();
  return result;
}

std::optional<time_point> negotiation::poll_timeout() const {
  if (exchanged_ || failed_)
    return {};
  return deadline_;
}

// -- the exchange --

void negotiation::advance() {
  if (failed_)
    return;
  if (tls_.established() && !announced_) {
    announced_ = true;
    events_.emplace_back(
      tls_established{tls_.peer_chain(), tls_.description()});
    if (cfg_.self == role::client && confirmed())
      send_record();
  }
  hold_records();
  while (!failed_ && confirmed() && !held_.empty()) {
    auto record = std::move(held_.front());
    held_.pop_front();
    handle_record(record.view());
  }
  while (exchanged_ && !failed_ && !texts_.empty()) {
    auto text = std::move(texts_.front());
    texts_.pop_front();
    text.push_back('\0');
    if (!tls_.send(byte_view{text}))
      break;
  }
  if (tls_.failed())
    fail(*tls_.failed());
}

/// What came before the connection broke still counts.
void negotiation::hold_records() {
  while (auto record = tls_.poll_record()) {
    held_.push_back(std::move(*record));
    if (!confirmed() && held_.size() > max_held)
      return fail(
        {reason::tls_failed, "the peer does not wait until it is accepted"});
  }
}

void negotiation::send_record() {
  key_method_record record;
  record.source = own_;
  record.options = cfg_.options;
  record.username = cfg_.username;
  record.password = std::move(cfg_.password);
  record.peer_info = cfg_.peer_info;
  // A refusal shows in `failed()`, which `advance` looks at last.
  sent_
    = static_cast<bool>(tls_.send(write_key_method(record, cfg_.self).view()));
  cfg_.password.clear();
}

void negotiation::handle_record(byte_view record) {
  if (received_)
    return handle_text(record.text());
  auto parsed = read_key_method(record, other(cfg_.self));
  if (!parsed)
    return fail({reason::tls_failed, "the peer's key method 2 record is "
                                     "malformed: "
                                       + to_string(parsed.error())});
  received_ = true;
  peer_ = parsed->source;
  // The server answers; the client has spoken first.
  if (!sent_)
    send_record();
  if (!sent_)
    return;
  exchanged_ = true;
  events_.emplace_back(
    keys_exchanged{std::move(parsed->options), std::move(parsed->peer_info),
                   std::move(parsed->username), std::move(parsed->password)});
}

void negotiation::handle_text(std::string_view text) {
  // Every message ends with a NUL; a tail without one is no message.
  for (auto end = text.find('\0'); end != text.npos; end = text.find('\0')) {
    auto line = without_line_end(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (!is_readable(line))
      ++bad_texts_;
    else if (!line.empty())
      events_.emplace_back(text_received{std::string{line}});
  }
}

void negotiation::forget_sources() {
  own_ = key_source{};
  peer_ = key_source{};
}

void negotiation::fail(failure what) {
  if (failed_)
    return;
  failed_ = true;
  forget_sources();
  cfg_.password.clear();
  texts_.clear();
  held_.clear();
  events_.emplace_back(negotiation_failed{std::move(what)});
}

} // namespace vpn::protocol
