// What a peer says to a session and what comes of it: pushes, refusals,
// questions, orders to leave.
// spec: openvpn-wire 7
#include "vpn/protocol/session.hpp"

#include <algorithm>

#include "session_options.hpp"

namespace vpn::protocol {

namespace {

/// The longest wait before the next try that a server may ask for.
constexpr uint32_t max_backoff_seconds = 3600;

/// The state of a challenge is half of a login, and nothing to read.
std::string for_people(const std::string& refusal) {
  constexpr std::string_view challenge = "CRV1:";
  return refusal.compare(0, challenge.size(), challenge) == 0 ? "CRV1"
                                                              : refusal;
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

// -- pushes --

void session::handle_message(push_request&&, instant now) {
  if (cfg_.self == role::server && state_ == session_state::connected)
    push_as_server(now);
}

void session::handle_message(push_reply&& x, instant now) {
  if (cfg_.self != role::client)
    return;
  if (state_ == session_state::connected)
    renew_token(x.options);
  if (state_ != session_state::configuring)
    return;
  push_request_at_.reset();
  collect(pushed_, std::move(x.options));
  if (x.more)
    return;
  auto opts = apply_push(cfg_.pull, pushed_, remote_options_);
  forget_tokens(pushed_);
  if (!opts) {
    note("Failed to apply push options: " + opts.error().text,
         session_notice::level::warning);
    finish(opts.error());
    return;
  }
  configure(std::move(*opts), now);
}

// -- refusals --

void session::handle_message(auth_failed&& x, instant) {
  if (cfg_.self != role::client)
    return;
  auto text = for_people(x.reason);
  auto temp = x.temporary ? ",TEMP" + x.temporary_keys : std::string{};
  note("AUTH: Received control message: AUTH_FAILED" + temp
       + (text.empty() ? std::string{} : (x.temporary ? ":" : ",") + text));
  end_session ending;
  if (x.temporary) {
    ending.what = {reason::server_stopped, "AUTH_FAILED,TEMP " + text};
    ending.backoff
      = std::chrono::seconds{std::min(x.backoff_seconds, max_backoff_seconds)};
    ending.where = x.where;
  } else {
    ending.what = {reason::auth_failed, std::move(text)};
  }
  ending.refused = std::move(x);
  finish_with(std::move(ending));
}

// -- what only a person can do --

void session::handle_message(auth_pending&& x, instant now) {
  if (cfg_.self != role::client || state_ != session_state::configuring)
    return;
  // spec: openvpn-wire 7.6: min(n or hand_window, max(reneg/2, hand_window))
  auto limit = std::max<duration>(cfg_.reneg_after / 2, cfg_.hand_window);
  duration wait = x.timeout_seconds > 0
                    ? duration{std::chrono::seconds{x.timeout_seconds}}
                    : cfg_.hand_window;
  // Said again and again it still does not hold us for longer than that.
  push_deadline_ = std::min(now.steady + wait, exchanged_at_ + limit);
  note("AUTH_PENDING received, extending handshake timeout");
  wait_for_person();
}

void session::handle_message(open_url&& x, instant) {
  if (cfg_.self != role::client)
    return;
  note("Info command was pushed by server ('"
       + (x.flags.empty() ? "OPEN_URL:" : "WEB_AUTH:" + x.flags + ":") + x.url
       + "')");
  reports_.push_back(url_offered{std::move(x.url), std::move(x.flags)});
  wait_for_person();
}

void session::handle_message(challenge_text&& x, instant) {
  if (cfg_.self != role::client)
    return;
  if (!x.needs_response) {
    note(std::move(x.text));
    return;
  }
  if (question_open_) {
    note("A second question of the server is ignored while one is open",
         session_notice::level::warning);
    return;
  }
  question_open_ = true;
  question what;
  what.what = question::kind::text_challenge;
  what.needs_password = false;
  what.text = std::move(x.text);
  what.echo = x.echo;
  actions_.push_back(ask_person{std::move(what)});
  wait_for_person();
}

void session::handle_answer(answer x, instant now) {
  if (state_ == session_state::closed || !question_open_)
    return;
  question_open_ = false;
  if (x.given) {
    say(write_challenge_response(x.response), now);
  } else if (state_ == session_state::configuring) {
    handle_failure(
      {reason::auth_pending, "nobody answered the server's question"}, now);
  } else {
    // The tunnel stands; what the server makes of silence, it will say.
    note("nobody answered the server's question",
         session_notice::level::warning);
  }
}

void session::wait_for_person() {
  if (state_ != session_state::configuring || waits_for_person_)
    return;
  waits_for_person_ = true;
  enter(phase::auth_pending);
}

// -- news and orders --

void session::handle_message(info_message&& x, instant) {
  note("Info command was pushed by server ('" + x.text + "')");
}

void session::handle_message(server_stop&& x, instant) {
  if (cfg_.self != role::client)
    return;
  note(x.halt
         ? "Halt command was pushed by server ('" + x.text + "')"
         : "Connection reset command was pushed by server ('" + x.text + "')");
  end_session ending;
  ending.what = {reason::server_stopped, x.text};
  ending.final = x.halt;
  if (x.next_remote)
    ending.where = advance::remote;
  ending.stopped = std::move(x);
  finish_with(std::move(ending));
}

void session::handle_message(exit_message&&, instant) {
  handle_peer_left();
}

void session::handle_peer_left() {
  note("Remote exit");
  finish({reason::server_stopped, "the peer left"});
}

void session::handle_message(unknown_message&& x, instant) {
  note("WARNING: Received unknown control message: " + x.text,
       session_notice::level::warning);
}

} // namespace vpn::protocol
