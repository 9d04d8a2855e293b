// Passwords, tokens and challenges from one try to the next: what goes on the
// wire, what is asked, what is forgotten.
// spec: openvpn-wire 5.7, 5.8, 7.6

#define CAF_SUITE protocol.credentials

#include "vpn/protocol/credentials.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::seeded;

namespace {

secret hidden(std::string_view text) {
  return secret{text};
}

credentials_config given(auth_retry retry = auth_retry::none) {
  credentials_config cfg;
  cfg.source = credential_source::given;
  cfg.username = "alice";
  cfg.password = hidden("wonderland");
  cfg.retry = retry;
  return cfg;
}

credentials_config prompt(auth_retry retry = auth_retry::none) {
  credentials_config cfg;
  cfg.source = credential_source::prompt;
  cfg.retry = retry;
  return cfg;
}

answer typed(const std::string& username, std::string_view password,
             std::string_view response = {}) {
  answer x;
  x.given = true;
  x.username = username;
  x.password = hidden(password);
  x.response = hidden(response);
  return x;
}

/// "alice wonderland".
std::string said(const credentials& x) {
  return x.username() + " " + std::string{x.password().text()};
}

/// "ask alice password 'code' echo", or "nothing".
std::string asked(const credentials& x) {
  auto open = x.poll_question();
  if (!open)
    return "nothing";
  std::string result
    = open->what == question::kind::credentials ? "ask" : "challenge";
  if (!open->username.empty())
    result += " " + open->username;
  if (open->needs_password)
    result += " password";
  if (!open->text.empty())
    result += " '" + open->text + "'";
  if (open->echo)
    result += " echo";
  if (!open->needs_response && !open->text.empty())
    result += " shown";
  return result;
}

auth_verdict refuse(credentials& x, const std::string& reason = {}) {
  auth_failed what;
  what.reason = reason;
  return x.handle_auth_failed(what);
}

constexpr auto again = auth_verdict::again;
constexpr auto give_up = auth_verdict::give_up;

constexpr const char* challenge_text = "CRV1:R,E:Om01u7Fh:Ym9i:Your code: now";

} // namespace

// -- where they come from --

CAF_TEST(without a user name nothing is said or asked) {
  credentials x;
  CAF_CHECK_EQUAL(said(x), " ");
  CAF_CHECK_EQUAL(asked(x), "nothing");
  CAF_CHECK(refuse(x) == give_up);
}

CAF_TEST(given credentials are used as they are) {
  credentials x{given()};
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(a prompt asks for name and password once) {
  credentials x{prompt()};
  CAF_CHECK_EQUAL(asked(x), "ask password");
  x.handle_answer(typed("alice", "wonderland"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  CAF_CHECK_EQUAL(asked(x), "nothing");
  x.handle_used();
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(an empty password is asked for) {
  auto cfg = given();
  cfg.password.clear();
  credentials x{cfg};
  CAF_CHECK_EQUAL(asked(x), "ask alice password");
  x.handle_answer(typed("mallory", "wonderland"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
}

CAF_TEST(an empty password that was typed is one) {
  credentials x{prompt()};
  x.handle_answer(typed("alice", ""));
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(a question that nobody answers stays open) {
  credentials x{prompt()};
  auto nobody = typed("alice", "wonderland");
  nobody.given = false;
  x.handle_answer(nobody);
  CAF_CHECK_EQUAL(asked(x), "ask password");
  CAF_CHECK_EQUAL(said(x), " ");
}

CAF_TEST(an answer that nobody asked for is dropped) {
  credentials x{given()};
  x.handle_answer(typed("mallory", "x", "y"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
}

// -- static challenge --

CAF_TEST(a static challenge goes with the password) {
  auto cfg = given();
  cfg.static_challenge = "Enter PIN";
  cfg.static_challenge_echo = true;
  credentials x{cfg};
  CAF_CHECK_EQUAL(asked(x), "ask alice 'Enter PIN' echo");
  x.handle_answer(typed("", "", "1234"));
  CAF_CHECK_EQUAL(said(x), "alice SCRV1:d29uZGVybGFuZA==:MTIzNA==");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(a static challenge is asked together with the password) {
  auto cfg = prompt();
  cfg.static_challenge = "Enter PIN";
  credentials x{cfg};
  CAF_CHECK_EQUAL(asked(x), "ask password 'Enter PIN'");
  x.handle_answer(typed("alice", "wonderland", "1234"));
  CAF_CHECK_EQUAL(said(x), "alice SCRV1:d29uZGVybGFuZA==:MTIzNA==");
}

CAF_TEST(a static challenge may be appended to the password) {
  auto cfg = given();
  cfg.static_challenge = "Enter PIN";
  cfg.static_challenge_concat = true;
  credentials x{cfg};
  x.handle_answer(typed("", "", "1234"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland1234");
}

CAF_TEST(an empty response to a static challenge is one) {
  auto cfg = given();
  cfg.static_challenge = "Enter PIN";
  credentials x{cfg};
  x.handle_answer(typed("", ""));
  CAF_CHECK_EQUAL(said(x), "alice SCRV1:d29uZGVybGFuZA==:");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(long answers are encoded whole) {
  auto cfg = given();
  cfg.static_challenge = "Enter PIN";
  for (size_t n : {1u, 2u, 3u, 47u, 48u, 49u, 64u, 1000u, 100000u}) {
    cfg.password = hidden(std::string(n, 'p'));
    credentials x{cfg};
    x.handle_answer(typed("", "", std::string(n, 'r')));
    auto text = x.password();
    CAF_CHECK_EQUAL(text.size(), 7 + 2 * ((n + 2) / 3 * 4));
    CAF_CHECK(text.text().find('\n') == std::string_view::npos);
    CAF_CHECK(text.text().find('\0') == std::string_view::npos);
  }
}

// -- dynamic challenge --

CAF_TEST(a dynamic challenge is answered in the next try) {
  for (auto retry :
       {auth_retry::none, auth_retry::interact, auth_retry::nointeract}) {
    credentials x{given(retry)};
    CAF_CHECK(refuse(x, challenge_text) == again);
    CAF_CHECK_EQUAL(asked(x), "challenge bob 'Your code: now' echo");
    x.handle_answer(typed("mallory", "x", "123:456"));
    CAF_CHECK_EQUAL(said(x), "bob CRV1::Om01u7Fh::123:456");
    CAF_CHECK_EQUAL(asked(x), "nothing");
  }
}

CAF_TEST(a dynamic challenge is good once) {
  credentials x{given()};
  refuse(x, challenge_text);
  x.handle_answer(typed("", "", "123456"));
  x.handle_used();
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(a wrong response is a refusal like any other) {
  credentials x{given()};
  refuse(x, challenge_text);
  x.handle_answer(typed("", "", "123456"));
  CAF_CHECK(refuse(x) == give_up);
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
}

CAF_TEST(a challenge may follow a challenge) {
  credentials x{given()};
  refuse(x, challenge_text);
  x.handle_answer(typed("", "", "123456"));
  CAF_CHECK(refuse(x, "CRV1:R:other:Ym9i:Once more") == again);
  CAF_CHECK_EQUAL(asked(x), "challenge bob 'Once more'");
  x.handle_answer(typed("", "", "654321"));
  CAF_CHECK_EQUAL(said(x), "bob CRV1::other::654321");
}

CAF_TEST(a challenge without a response is only shown) {
  credentials x{given()};
  refuse(x, "CRV1:E:state:Ym9i:Look at your phone");
  CAF_CHECK_EQUAL(asked(x), "challenge bob 'Look at your phone' echo shown");
  x.handle_answer(typed("", ""));
  CAF_CHECK_EQUAL(said(x), "bob CRV1::state::");
}

CAF_TEST(a challenge nobody answers stays open) {
  credentials x{given()};
  refuse(x, challenge_text);
  x.handle_answer({});
  CAF_CHECK_EQUAL(asked(x), "challenge bob 'Your code: now' echo");
}

CAF_TEST(a challenge with a static one before it leaves that alone) {
  auto cfg = given();
  cfg.static_challenge = "Enter PIN";
  credentials x{cfg};
  x.handle_answer(typed("", "", "1234"));
  refuse(x, challenge_text);
  x.handle_answer(typed("", "", "999"));
  CAF_CHECK_EQUAL(said(x), "bob CRV1::Om01u7Fh::999");
  x.handle_used();
  CAF_CHECK_EQUAL(said(x), "alice SCRV1:d29uZGVybGFuZA==:MTIzNA==");
}

CAF_TEST(a challenge that is not well formed is a refusal) {
  for (std::string text :
       {std::string{"CRV1"}, std::string{"CRV1:"}, std::string{"CRV1:R"},
        std::string{"CRV1:R:"}, std::string{"CRV1:R:state"},
        std::string{"CRV1:R:state:"}, std::string{"CRV1:R:state:Ym9i"},
        std::string{"CRV1:R::Ym9i:text"}, std::string{"CRV1:R:state::text"},
        std::string{"CRV1:R:state:Ym9:text"},
        std::string{"CRV1:R:state:Ym9i=:text"},
        std::string{"CRV1:R:state:====:text"},
        std::string{"CRV1:R:state:Y===:text"},
        std::string{"CRV1:R:state:Ym=i:text"},
        std::string{"CRV1:R:state:Y m9:text"},
        std::string{"CRV1:R:state:Ym9!:text"},
        // A NUL and a line feed inside the name.
        std::string{"CRV1:R:state:YgBi:text"},
        std::string{"CRV1:R:state:YgpiYg==:text"},
        std::string{"crv1:R:state:Ym9i:text"},
        std::string{"XCRV1:R:state:Ym9i:text"},
        std::string{" CRV1:R:state:Ym9i:text"},
        "CRV1:R:" + std::string(1025, 's') + ":Ym9i:text",
        "CRV1:R:state:" + std::string(4096, 'Y') + ":text",
        "CRV1:R:state:Ym9i:" + std::string(5000, 't'),
        std::string(100000, ':')}) {
    credentials x{given()};
    CAF_CHECK(refuse(x, text) == give_up);
    CAF_CHECK_EQUAL(asked(x), "nothing");
    CAF_CHECK_EQUAL(said(x), "alice wonderland");
  }
}

CAF_TEST(every truncation of a challenge is harmless) {
  std::string text = challenge_text;
  auto head = text.find("Your");
  for (size_t n = 0; n < text.size(); ++n) {
    credentials x{given()};
    auto verdict = refuse(x, text.substr(0, n));
    CAF_CHECK((verdict == again) == (n >= head));
  }
}

CAF_TEST(random challenges never break anything) {
  seeded random{11};
  const std::string alphabet = ":CRV1,E=+/aZ09 \x01\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text = random.one_in(2) ? "CRV1:" : "";
    for (auto n = random.below(40); n > 0; --n)
      text += alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
    credentials x{given()};
    refuse(x, text);
    x.handle_answer(typed("", "", "1"));
    auto user = x.username();
    CAF_REQUIRE(!user.empty());
    CAF_REQUIRE(std::none_of(user.begin(), user.end(), [](char c) {
      return (c >= 0 && c < 0x20) || c == 0x7f;
    }));
  }
}

// -- tokens --

CAF_TEST(a token stands for the password) {
  credentials x{given()};
  x.handle_token(hidden("SESS_ID_AT_x"), {});
  CAF_CHECK_EQUAL(said(x), "alice SESS_ID_AT_x");
  x.handle_token(hidden("SESS_ID_AT_y"), "carol");
  CAF_CHECK_EQUAL(said(x), "carol SESS_ID_AT_y");
  x.handle_token(hidden("SESS_ID_AT_z"), {});
  CAF_CHECK_EQUAL(said(x), "carol SESS_ID_AT_z");
  x.handle_token({}, "mallory");
  CAF_CHECK_EQUAL(said(x), "carol SESS_ID_AT_z");
}

CAF_TEST(a token needs no person) {
  auto cfg = prompt();
  cfg.static_challenge = "Enter PIN";
  credentials x{cfg};
  x.handle_answer(typed("alice", "wonderland", "1234"));
  x.handle_token(hidden("token"), {});
  CAF_CHECK_EQUAL(asked(x), "nothing");
  CAF_CHECK_EQUAL(said(x), "alice token");
}

CAF_TEST(a token may come to those who have no password) {
  credentials x;
  x.handle_token(hidden("token"), "carol");
  CAF_CHECK_EQUAL(said(x), "carol token");
  CAF_CHECK(refuse(x) == again);
  CAF_CHECK_EQUAL(said(x), " ");
  CAF_CHECK(refuse(x) == give_up);
}

CAF_TEST(a refused token is dropped and the password tried) {
  for (auto reason : {"", "SESSION: token expired", "anything"}) {
    credentials x{given()};
    x.handle_token(hidden("token"), "carol");
    CAF_CHECK(refuse(x, reason) == again);
    CAF_CHECK_EQUAL(said(x), "alice wonderland");
    CAF_CHECK(refuse(x, reason) == give_up);
  }
}

CAF_TEST(a challenge in place of a token is taken up) {
  credentials x{given()};
  x.handle_token(hidden("token"), {});
  CAF_CHECK(refuse(x, challenge_text) == again);
  CAF_CHECK_EQUAL(asked(x), "challenge bob 'Your code: now' echo");
}

// -- auth-retry --

CAF_TEST(a refusal is final unless asked otherwise) {
  credentials x{prompt()};
  x.handle_answer(typed("alice", "wonderland"));
  CAF_CHECK(refuse(x) == give_up);
}

CAF_TEST(nointeract tries the same again) {
  credentials x{given(auth_retry::nointeract)};
  for (int i = 0; i < 3; ++i) {
    CAF_CHECK(refuse(x) == again);
    CAF_CHECK_EQUAL(said(x), "alice wonderland");
    CAF_CHECK_EQUAL(asked(x), "nothing");
  }
}

CAF_TEST(interact asks anew) {
  credentials x{prompt(auth_retry::interact)};
  x.handle_answer(typed("alice", "wrong"));
  CAF_CHECK(refuse(x) == again);
  CAF_CHECK_EQUAL(asked(x), "ask password");
  x.handle_answer(typed("alice", "wonderland"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
}

CAF_TEST(interact asks for a given password too) {
  credentials x{given(auth_retry::interact)};
  CAF_CHECK(refuse(x) == again);
  CAF_CHECK_EQUAL(asked(x), "ask alice password");
  CAF_CHECK_EQUAL(said(x), "alice ");
  x.handle_answer(typed("", "looking glass"));
  CAF_CHECK_EQUAL(said(x), "alice looking glass");
}

CAF_TEST(interact asks for the static response again) {
  auto cfg = prompt(auth_retry::interact);
  cfg.static_challenge = "Enter PIN";
  credentials x{cfg};
  x.handle_answer(typed("alice", "wonderland", "1234"));
  refuse(x);
  CAF_CHECK_EQUAL(asked(x), "ask password 'Enter PIN'");
}

CAF_TEST(a refusal for now changes nothing) {
  credentials x{given()};
  x.handle_token(hidden("token"), {});
  auth_failed what;
  what.temporary = true;
  what.reason = "busy";
  CAF_CHECK(x.handle_auth_failed(what) == again);
  CAF_CHECK_EQUAL(said(x), "alice token");
}

// -- forgetting --

CAF_TEST(auth nocache forgets what was typed) {
  auto cfg = prompt();
  cfg.forget = true;
  credentials x{cfg};
  x.handle_answer(typed("alice", "wonderland"));
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  x.handle_used();
  CAF_CHECK_EQUAL(said(x), "alice ");
  CAF_CHECK_EQUAL(asked(x), "ask alice password");
}

CAF_TEST(auth nocache keeps what the profile gives) {
  auto cfg = given();
  cfg.forget = true;
  credentials x{cfg};
  x.handle_used();
  CAF_CHECK_EQUAL(said(x), "alice wonderland");
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

CAF_TEST(auth nocache keeps a token) {
  auto cfg = prompt();
  cfg.forget = true;
  credentials x{cfg};
  x.handle_answer(typed("alice", "wonderland"));
  x.handle_used();
  x.handle_token(hidden("token"), {});
  CAF_CHECK_EQUAL(said(x), "alice token");
  CAF_CHECK_EQUAL(asked(x), "nothing");
  CAF_CHECK(refuse(x) == again);
  CAF_CHECK_EQUAL(asked(x), "ask alice password");
}

CAF_TEST(a server that stops may say whether to forget) {
  for (auto keep : {false, true}) {
    server_stop stop;
    stop.keep_credentials = keep;
    credentials x{prompt()};
    x.handle_answer(typed("alice", "wonderland"));
    x.handle_token(hidden("token"), {});
    x.handle_stop(stop);
    CAF_CHECK_EQUAL(said(x), keep ? "alice token" : " ");
    CAF_CHECK_EQUAL(asked(x), keep ? "nothing" : "ask password");
    credentials y{given()};
    y.handle_token(hidden("token"), {});
    y.handle_stop(stop);
    CAF_CHECK_EQUAL(said(y), keep ? "alice token" : "alice wonderland");
    CAF_CHECK_EQUAL(asked(y), "nothing");
  }
}

CAF_TEST(a server that stops forgets its challenge) {
  credentials x{given()};
  refuse(x, challenge_text);
  x.handle_stop({});
  CAF_CHECK_EQUAL(asked(x), "nothing");
}

// -- CR_RESPONSE --

CAF_TEST(a typed response is sent in base64) {
  CAF_CHECK_EQUAL(write_challenge_response(hidden("123456")),
                  "CR_RESPONSE,MTIzNDU2");
  CAF_CHECK_EQUAL(write_challenge_response(hidden("a")), "CR_RESPONSE,YQ==");
  CAF_CHECK_EQUAL(write_challenge_response({}), "CR_RESPONSE,");
}
