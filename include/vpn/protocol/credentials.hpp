// Who we say we are, from one try to the next: user name, password, token,
// challenges, and what to ask a person before the next try.
// spec: openvpn-wire 5.7, 5.8, 7.6
#pragma once

#include "vpn/protocol/control_message.hpp"
#include "vpn/protocol/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vpn::protocol {

/// Where user name and password come from.
enum class credential_source : uint8_t {
  /// No `auth-user-pass`: the certificate says it all.
  none,
  /// `auth-user-pass` alone: ask a person.
  prompt,
  /// From a file or inline; an empty password is still to be asked for.
  given,
};

/// What follows AUTH_FAILED. Option `auth-retry`.
enum class auth_retry : uint8_t { none, interact, nointeract };

struct credentials_config {
  credential_source source = credential_source::none;
  std::string username;
  secret password;
  auth_retry retry = auth_retry::none;
  /// `static-challenge`: a question that goes with every password; empty for
  /// none.
  std::string static_challenge;
  bool static_challenge_echo = false;
  /// `scrv1` (the default form) or `concat`.
  bool static_challenge_concat = false;
  /// `auth-nocache`: a password that was asked for is asked for each time.
  bool forget = false;
};

/// Something only a person can answer.
struct question {
  enum class kind : uint8_t {
    /// User name and password, and the static challenge when there is one.
    credentials,
    /// AUTH_FAILED,CRV1: a challenge before the next try.
    dynamic_challenge,
    /// CR_TEXT: a challenge while the server waits.
    text_challenge,
  };
  kind what = kind::credentials;
  /// The known user name, empty when it is to be asked for.
  std::string username;
  bool needs_password = true;
  /// The challenge, as the server or the profile words it; empty for none.
  std::string text;
  /// The response may be seen while it is typed.
  bool echo = false;
  /// False: the text is only to be shown.
  bool needs_response = true;
};

/// What a person answered; `given` is false when nobody could be asked.
struct answer {
  bool given = false;
  std::string username;
  secret password;
  secret response;
};

/// What comes after AUTH_FAILED.
enum class auth_verdict : uint8_t {
  /// The session ends for good.
  give_up,
  /// Try again at once with what `username` and `password` now say.
  again,
};

class credentials {
public:
  explicit credentials(credentials_config cfg = {});

  // -- handlers --
  /// An answer that is not `given` leaves the question open.
  void handle_answer(answer x);
  /// `auth-token` and, unless empty, `auth-token-user`, as pushed.
  void handle_token(secret token, std::string user);
  /// AUTH_FAILED without TEMP: drops a token, takes up a dynamic challenge, or
  /// follows `auth-retry`.
  auth_verdict handle_auth_failed(const auth_failed& x);
  /// RESTART or HALT: without [P] cached passwords and the token are forgotten.
  void handle_stop(const server_stop& x);
  /// The key exchange of a try has got what it needs: a response to a dynamic
  /// challenge is good once, and with `auth-nocache` a password that was asked
  /// for is forgotten.
  void handle_used();

  // -- polls --
  /// What a person must answer before the next try; nothing when all is known.
  std::optional<question> poll_question() const;

  // -- observers --
  /// What goes into key method 2 now; empty without `auth-user-pass` and
  /// token. The password may be a token, SCRV1:... or CRV1::...
  const std::string& username() const noexcept;
  secret password() const;

private:
  struct challenge {
    std::string state;
    std::string username;
    std::string text;
    bool echo = false;
    bool needs_response = true;
    /// Set once a person has answered.
    std::optional<secret> response;
  };

  bool needs_static_response() const noexcept;
  static std::optional<challenge> parse_challenge(std::string_view reason);
  void forget_answers();

  credentials_config cfg_;
  std::string username_;
  secret password_;
  /// An empty password that was typed counts as known.
  bool has_password_ = false;
  std::optional<secret> response_;
  secret token_;
  std::string token_user_;
  std::optional<challenge> challenge_;
};

/// The whole message for a typed response: "CR_RESPONSE," and base64.
std::string write_challenge_response(const secret& response);

} // namespace vpn::protocol
