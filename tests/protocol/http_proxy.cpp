// The dialogue with an HTTP proxy: what we say, what it may answer, and what a
// hostile one can make of it.
// spec: openvpn-wire 1.3

#define CAF_SUITE protocol.http_proxy

#include "vpn/protocol/http_proxy.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

const std::string ok = "HTTP/1.0 200 Connection established\r\n\r\n";

proxy_config config(proxy_auth auth = proxy_auth::none) {
  proxy_config result;
  result.kind = proxy_kind::http;
  result.host = "proxy.example";
  result.port = "3128";
  result.auth = auth;
  if (auth != proxy_auth::none) {
    result.username = "alice";
    result.password = secret{std::string_view{"secret word"}};
  }
  return result;
}

/// One proxy whose answers the test writes.
struct dialogue {
  http_proxy proxy;

  explicit dialogue(const proxy_config& cfg,
                    const std::string& host = "vpn.example.net",
                    const std::string& port = "1194")
    : proxy(cfg, host, port, zeros) {}

  static void zeros(uint8_t* out, size_t n) { std::fill_n(out, n, uint8_t{0}); }

  /// What is sent on a new connection.
  std::string begin() {
    proxy.begin();
    return std::string{proxy.take_output().text()};
  }

  proxy_step hears(std::string_view text) {
    taken = proxy.receive(byte_view{text});
    return proxy.step();
  }

  bool says(const std::string& part) const {
    auto& text = proxy.error().text;
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE(text);
    return false;
  }

  size_t taken = 0;
};

std::string wants(const std::string& challenges) {
  return "HTTP/1.1 407 Proxy Authentication Required\r\nServer: x\r\n"
         "Proxy-Authenticate: "
         + challenges + "\r\nContent-Length: 12\r\n\r\nno entry yet";
}

const std::string digest_challenge
  = "Digest realm=\"squid\", nonce=\"abcdef0123\", qop=\"auth\", stale=false";
const std::string basic_line
  = "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0IHdvcmQ=\r\n";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Every text a person may see must be free of the credentials.
void check_no_secret(const dialogue& x) {
  auto& text = x.proxy.error().text;
  CAF_CHECK(!has(text, "secret word"));
  CAF_CHECK(!has(text, "YWxpY2U6"));
}

} // namespace

// -- what we say --

CAF_TEST(a request is what the stock client sends) {
  dialogue x{config()};
  CAF_CHECK_EQUAL(x.begin(), "CONNECT vpn.example.net:1194 HTTP/1.0\r\n"
                             "Host: vpn.example.net\r\n\r\n");
  // Once only.
  CAF_CHECK(x.proxy.take_output().empty());
  CAF_CHECK(x.hears(ok) == proxy_step::open);
}

CAF_TEST(headers and agent come in their order) {
  auto cfg = config(proxy_auth::basic);
  cfg.http_version = "1.1";
  cfg.user_agent = "Some Agent/1.0 (x; y)";
  cfg.headers = {{"X-One", "1"}, {"X-Two: 2 and 3", ""}, {"X-Empty", ""}};
  dialogue x{cfg};
  CAF_CHECK_EQUAL(x.begin(), "CONNECT vpn.example.net:1194 HTTP/1.1\r\n"
                             "X-One: 1\r\nX-Two: 2 and 3\r\nX-Empty: \r\n"
                             "Host: vpn.example.net\r\n"
                             "User-Agent: Some Agent/1.0 (x; y)\r\n"
                               + basic_line + "\r\n");
}

CAF_TEST(a host header of the profile takes the place of ours) {
  for (auto name : {"Host", "hOST"}) {
    auto cfg = config();
    cfg.headers = {{name, "front.example"}};
    dialogue x{cfg};
    CAF_CHECK_EQUAL(x.begin(), "CONNECT vpn.example.net:1194 HTTP/1.0\r\n"
                                 + std::string{name}
                                 + ": front.example\r\n\r\n");
  }
}

CAF_TEST(an IPv6 address stands in brackets) {
  dialogue x{config(), "2001:db8::1", "443"};
  CAF_CHECK_EQUAL(x.begin(), "CONNECT [2001:db8::1]:443 HTTP/1.0\r\n"
                             "Host: [2001:db8::1]\r\n\r\n");
}

CAF_TEST(nothing of the profile can add a line or a word to a request) {
  for (auto evil :
       {std::string{"a\r\nX-Evil: 1"}, std::string{"a\nb"}, std::string{"a\rb"},
        std::string{"a\0b", 3}, std::string{"a\x7f"}, std::string{"\x1b[2J"}}) {
    auto refuses = [&](const proxy_config& cfg, const std::string& host,
                       const std::string& port) {
      dialogue x{cfg, host, port};
      CAF_CHECK_EQUAL(x.begin(), "");
      CAF_CHECK(x.proxy.step() == proxy_step::failed);
      CAF_CHECK(x.proxy.error().why == reason::bad_config);
      CAF_CHECK(x.says("cannot be asked"));
      CAF_CHECK(!has(x.proxy.error().text, "\n"));
      CAF_CHECK(!has(x.proxy.error().text, "\x1b"));
      check_no_secret(x);
    };
    refuses(config(), evil, "1194");
    refuses(config(), "host", evil);
    auto cfg = config(proxy_auth::basic);
    cfg.username = evil;
    refuses(cfg, "host", "1");
    cfg = config();
    cfg.user_agent = evil;
    refuses(cfg, "host", "1");
    cfg = config();
    cfg.http_version = evil;
    refuses(cfg, "host", "1");
    cfg = config();
    cfg.headers = {{evil, "x"}};
    refuses(cfg, "host", "1");
    cfg.headers = {{"X", evil}};
    refuses(cfg, "host", "1");
    cfg.headers = {{"X:" + evil, ""}};
    refuses(cfg, "host", "1");
  }
  for (auto host : {"", "a b", "a\tb", "gr\xc3\xbcn"}) {
    dialogue x{config(), host};
    x.begin();
    CAF_CHECK(x.proxy.step() == proxy_step::failed);
  }
  for (auto name : {"", " ", "X Y", "X(", ": y"}) {
    auto cfg = config();
    cfg.headers = {{name, "v"}};
    dialogue x{cfg};
    x.begin();
    CAF_CHECK(x.proxy.step() == proxy_step::failed);
  }
  // Even the name of the proxy itself is shown harmlessly.
  auto cfg = config();
  cfg.host = "p\r\n\x1b[2J";
  dialogue shown{cfg};
  CAF_CHECK_EQUAL(shown.proxy.name(), "HTTP proxy p???[2J:3128");
}

// -- what it answers --

CAF_TEST(an answer may be cut at every byte) {
  auto text
    = "HTTP/1.1 200 OK\r\nVia: a\r\nX: " + std::string(300, 'y') + "\r\n\r\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    dialogue x{config()};
    x.begin();
    auto how = x.hears(text.substr(0, cut));
    CAF_REQUIRE(
      how == (cut == text.size() ? proxy_step::open : proxy_step::talking));
    if (cut < text.size()) {
      CAF_REQUIRE(x.hears(text.substr(cut)) == proxy_step::open);
      CAF_REQUIRE_EQUAL(x.taken, text.size() - cut);
    }
  }
}

CAF_TEST(what follows the empty line is the servers) {
  for (auto head : {ok, std::string{"HTTP/1.1 200\n\n"},
                    std::string{"HTTP/1.0 200 \r\nA: b\n\r\n"}}) {
    dialogue x{config()};
    x.begin();
    CAF_CHECK(x.hears(head + std::string{"\0\x0e\x38\r\n\r\n", 7})
              == proxy_step::open);
    CAF_CHECK_EQUAL(x.taken, head.size());
    // Open is open.
    CAF_CHECK(x.hears("HTTP/1.0 407 no\r\n\r\n") == proxy_step::open);
    CAF_CHECK_EQUAL(x.taken, 0u);
  }
}

CAF_TEST(a connection that ends too early is a failure at every byte) {
  for (auto& text : {ok, wants(digest_challenge)}) {
    auto end = text.find("\r\n\r\n") + 4;
    for (size_t cut = 0; cut < end; ++cut) {
      dialogue x{config(proxy_auth::automatic)};
      x.begin();
      CAF_REQUIRE(x.hears(text.substr(0, cut)) == proxy_step::talking);
      x.proxy.closed();
      CAF_REQUIRE(x.proxy.step() == proxy_step::failed);
      CAF_REQUIRE(x.says("HTTP proxy proxy.example:3128 closed"));
      CAF_REQUIRE(x.proxy.error().why == reason::transport_failed);
    }
    dialogue x{config(proxy_auth::automatic)};
    x.begin();
    x.hears(text);
    auto before = x.proxy.step();
    x.proxy.closed();
    CAF_CHECK(x.proxy.step() == before);
  }
}

CAF_TEST(every other status is told and ends the dialogue at once) {
  for (auto line : {"403 Forbidden", "502 Bad Gateway", "404", "100 Continue",
                    "204 None", "302 Found", "999 x", "000 y"}) {
    dialogue x{config()};
    x.begin();
    CAF_CHECK(x.hears("HTTP/1.1 " + std::string{line} + "\r\n")
              == proxy_step::failed);
    CAF_CHECK(
      x.says("HTTP proxy proxy.example:3128 refused: " + std::string{line}));
    CAF_CHECK(x.proxy.error().why == reason::transport_failed);
  }
}

CAF_TEST(what is not HTTP is refused as soon as it shows) {
  for (auto text : {"SSH-2.0-OpenSSH",
                    "\x15\x03\x01",
                    "\x05\xff",
                    "\r\n",
                    "\n",
                    " HTTP/1",
                    "HTTP\r\n",
                    "HTTX",
                    "http/1.1 200 OK\r\n",
                    "HTTP/ 200 OK\r\n",
                    "HTTP/1 200 OK\r\n",
                    "HTTP/1.x 200 OK\r\n",
                    "HTTP/.1 200 OK\r\n",
                    "HTTP/1.1200 OK\r\n",
                    "HTTP/1.1\r\n",
                    "HTTP/1.1 \r\n",
                    "HTTP/1.1 20\r\n",
                    "HTTP/1.1 2000\r\n",
                    "HTTP/1.1 20x OK\r\n",
                    "HTTP/1.1 200OK\r\n",
                    "HTTP/1.1 -20 OK\r\n",
                    "HTTP/1.1 20000000000000000000000\r\n"}) {
    dialogue x{config()};
    x.begin();
    CAF_CHECK(x.hears(text) == proxy_step::failed);
    CAF_CHECK(x.says("something else than HTTP"));
  }
}

CAF_TEST(control characters are refused) {
  for (char c = 0; c < ' '; ++c) {
    if (c == '\t' || c == '\n')
      continue;
    dialogue x{config()};
    x.begin();
    CAF_CHECK(x.hears("HTTP/1.1 200 a" + std::string(1, c) + "b\r\n\r\n")
              == proxy_step::failed);
    dialogue y{config()};
    y.begin();
    CAF_CHECK(
      y.hears("HTTP/1.1 200 ok\r\nX: a" + std::string(1, c) + "b\r\n\r\n")
      == proxy_step::failed);
  }
  // The words of a refusal are shown harmlessly.
  dialogue x{config()};
  x.begin();
  x.hears("HTTP/1.1 503 caf\xc3\xa9 " + std::string(2000, 'z') + "\r\n");
  CAF_CHECK(x.says("refused: 503 caf?? zzz"));
  CAF_CHECK(x.proxy.error().text.size() < 200);
}

CAF_TEST(lines and headers have their limits) {
  auto with_line = [](size_t n) {
    return "HTTP/1.1 200 OK\r\nX: " + std::string(n - 3, 'y') + "\r\n\r\n";
  };
  dialogue fits{config()};
  fits.begin();
  CAF_CHECK(fits.hears(with_line(http_proxy::max_line)) == proxy_step::open);
  for (size_t n : {http_proxy::max_line + 1, size_t{65536}}) {
    dialogue x{config()};
    x.begin();
    CAF_CHECK(x.hears(with_line(n)) == proxy_step::failed);
    CAF_CHECK(x.says("too long"));
    // It stops where the limit is.
    CAF_CHECK(x.taken < http_proxy::max_line + 30);
  }
  dialogue endless{config()};
  endless.begin();
  CAF_CHECK(endless.hears("HTTP/1.1 200 " + std::string(65536, 'x'))
            == proxy_step::failed);
  auto with_headers = [](size_t n) {
    std::string result = "HTTP/1.1 200 OK\r\n";
    for (size_t i = 0; i < n; ++i)
      result += "X: y\r\n";
    return result + "\r\n";
  };
  dialogue many{config()};
  many.begin();
  CAF_CHECK(many.hears(with_headers(http_proxy::max_headers))
            == proxy_step::open);
  dialogue more{config()};
  more.begin();
  CAF_CHECK(more.hears(with_headers(http_proxy::max_headers + 1))
            == proxy_step::failed);
  CAF_CHECK(more.says("too many"));
}

CAF_TEST(random answers do no harm) {
  test::seeded random{5};
  const std::string alphabet = "HTTP/1.0 247\r\n:Proxy-Authenticate,=\"";
  for (int i = 0; i < 5000; ++i) {
    dialogue x{config(proxy_auth::automatic)};
    x.begin();
    std::string text = random.one_in(2) ? "HTTP/1.1 407 x\r\n" : "HTTP/";
    for (auto n = random.below(300); n > 0; --n)
      text
        += random.one_in(30)
             ? static_cast<char>(random.byte())
             : alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
    x.hears(text);
    CAF_CHECK(x.taken <= text.size());
    check_no_secret(x);
  }
}

// -- authentication --

CAF_TEST(basic goes with the first request and never twice) {
  dialogue x{config(proxy_auth::basic)};
  CAF_CHECK(has(x.begin(), basic_line));
  CAF_CHECK(x.hears(ok) == proxy_step::open);
  dialogue y{config(proxy_auth::basic)};
  y.begin();
  CAF_CHECK(y.hears(wants("Basic realm=x")) == proxy_step::failed);
  CAF_CHECK(y.says("refused the user name and password"));
  CAF_CHECK(y.proxy.error().why == reason::transport_failed);
  check_no_secret(y);
  dialogue z{config(proxy_auth::basic)};
  z.begin();
  CAF_CHECK(z.hears(wants("Digest realm=x, nonce=y, NTLM"))
            == proxy_step::failed);
  CAF_CHECK(z.says("asks for digest, ntlm"));
}

CAF_TEST(automatic shows nothing before it is asked) {
  for (auto how :
       {proxy_auth::automatic, proxy_auth::no_clear_text, proxy_auth::digest}) {
    dialogue x{config(how)};
    auto text = x.begin();
    CAF_CHECK(!has(text, "Authorization"));
    CAF_CHECK(!has(text, "alice"));
    CAF_CHECK(x.hears(ok) == proxy_step::open);
  }
}

CAF_TEST(digest goes with the second request on a new connection) {
  for (auto how :
       {proxy_auth::automatic, proxy_auth::no_clear_text, proxy_auth::digest}) {
    dialogue x{config(how)};
    auto first = x.begin();
    CAF_CHECK(x.hears(wants(digest_challenge)) == proxy_step::reconnect);
    CAF_CHECK(x.proxy.take_output().empty());
    auto second = x.begin();
    CAF_CHECK(x.proxy.step() == proxy_step::talking);
    CAF_CHECK_EQUAL(
      second,
      first.substr(0, first.size() - 2)
        + "Proxy-Authorization: Digest username=\"alice\", realm=\"squid\", "
          "nonce=\"abcdef0123\", uri=\"vpn.example.net:1194\", "
          "response=\"365dccb594745e41aabffc2cf18c64c5\", qop=auth, "
          "nc=00000001, cnonce=\"00000000000000000000000000000000\"\r\n\r\n");
    CAF_CHECK(x.hears(ok + "\1\2") == proxy_step::open);
    CAF_CHECK_EQUAL(x.taken, ok.size());
  }
}

CAF_TEST(digest without quality and with SHA256 is answered) {
  auto response = [](const std::string& challenge) {
    dialogue x{config(proxy_auth::automatic)};
    x.begin();
    CAF_CHECK(x.hears(wants(challenge)) == proxy_step::reconnect);
    return x.begin();
  };
  CAF_CHECK(has(response("Digest realm=squid, nonce=abcdef0123"),
                "response=\"cd45400e29e7e5d7cedb6bb3386cc74e\""));
  CAF_CHECK(
    has(response("Digest realm=squid, nonce=abcdef0123, "
                 "qop=auth, algorithm=SHA-256"),
        "response=\"17d88847e69e9e2865e129b5e482fda1b05fd4ca6befb7507689"
        "ac05401c3a53\""));
}

CAF_TEST(each answer has a nonce of its own) {
  test::seeded random{3};
  http_proxy x{config(proxy_auth::automatic), "h", "1", random.source()};
  auto ask = [&] {
    x.begin();
    auto text = std::string{x.take_output().text()};
    return text.substr(text.find("cnonce="));
  };
  x.begin();
  auto challenge = wants(digest_challenge);
  x.receive(byte_view{std::string_view{challenge}});
  auto first = ask();
  auto stale = wants("Digest realm=squid, nonce=new, qop=auth, stale=true");
  x.receive(byte_view{std::string_view{stale}});
  CAF_CHECK(x.step() == proxy_step::reconnect);
  CAF_CHECK(first != ask());
}

CAF_TEST(the strongest way that is offered is taken) {
  auto request = [](const std::string& challenges, proxy_auth how) {
    dialogue x{config(how)};
    x.begin();
    CAF_CHECK(x.hears(wants(challenges)) == proxy_step::reconnect);
    return x.begin();
  };
  auto two_headers
    = "Basic realm=x\r\nPROXY-authenticate:\t" + digest_challenge;
  for (auto& both : {"Basic realm=x, " + digest_challenge, two_headers,
                     "NTLM\r\nProxy-Authenticate: " + two_headers})
    for (auto how : {proxy_auth::automatic, proxy_auth::no_clear_text}) {
      auto text = request(both, how);
      CAF_CHECK(has(text, "Authorization: Digest"));
      CAF_CHECK(!has(text, "Basic"));
    }
  CAF_CHECK(
    has(request("NTLM, Basic realm=x", proxy_auth::automatic), basic_line));
  // One that we cannot compute does not count.
  CAF_CHECK(has(request("Digest realm=x, nonce=y, algorithm=X, Basic realm=x",
                        proxy_auth::automatic),
                basic_line));
}

CAF_TEST(a password that must not be shown stays hidden) {
  for (auto how : {proxy_auth::no_clear_text, proxy_auth::digest}) {
    dialogue x{config(how)};
    x.begin();
    CAF_CHECK(x.hears(wants("Basic realm=x")) == proxy_step::failed);
    CAF_CHECK(x.says("in clear"));
    CAF_CHECK(x.proxy.take_output().empty());
  }
}

CAF_TEST(wrong credentials are told and not sent again) {
  dialogue x{config(proxy_auth::automatic)};
  x.begin();
  x.hears(wants(digest_challenge));
  x.begin();
  CAF_CHECK(x.hears(wants(digest_challenge)) == proxy_step::failed);
  CAF_CHECK(x.says("refused the user name and password"));
  CAF_CHECK(x.proxy.take_output().empty());
  check_no_secret(x);
  dialogue y{config(proxy_auth::automatic)};
  y.begin();
  y.hears(wants("Basic realm=x"));
  y.begin();
  CAF_CHECK(y.hears(wants("Basic realm=x")) == proxy_step::failed);
}

CAF_TEST(a stale nonce is renewed once) {
  dialogue x{config(proxy_auth::automatic)};
  x.begin();
  x.hears(wants(digest_challenge));
  x.begin();
  auto stale = "Digest realm=squid, nonce=second, qop=auth, stale=TRUE";
  CAF_CHECK(x.hears(wants(stale)) == proxy_step::reconnect);
  CAF_CHECK(has(x.begin(), "nonce=\"second\""));
  CAF_CHECK(x.hears(wants(stale)) == proxy_step::failed);
}

CAF_TEST(what cannot be answered is told) {
  struct {
    proxy_auth how;
    const char* challenge;
    const char* text;
  } table[] = {
    {proxy_auth::none, "Basic realm=x", "wants a user name and password: name"},
    {proxy_auth::automatic, "NTLM", "asks for ntlm: NTLM and Negotiate"},
    {proxy_auth::automatic, "Negotiate", "asks for negotiate: NTLM"},
    {proxy_auth::automatic, "Bearer", "asks for bearer in a way"},
    {proxy_auth::automatic, "Digest realm=x, nonce=y, qop=auth-int",
     "asks for digest in a way"},
    {proxy_auth::automatic, "", "does not say how"},
    {proxy_auth::automatic, "\"", "does not say how"},
  };
  for (auto& row : table) {
    dialogue x{config(row.how)};
    x.begin();
    CAF_CHECK(x.hears(wants(row.challenge)) == proxy_step::failed);
    CAF_CHECK(x.says(row.text));
    CAF_CHECK(x.proxy.error().why == reason::transport_failed);
  }
  auto cfg = config(proxy_auth::automatic);
  cfg.username.clear();
  dialogue x{cfg};
  x.begin();
  CAF_CHECK(x.hears(wants("Basic")) == proxy_step::failed);
  CAF_CHECK(x.says("name a file"));
}

CAF_TEST(a nonce that breaks lines is not repeated) {
  dialogue x{config(proxy_auth::automatic)};
  x.begin();
  CAF_CHECK(x.hears(wants("Digest realm=x, nonce=\"a\rX-Evil: 1\""))
            == proxy_step::failed);
  CAF_CHECK(x.says("control character"));
}
