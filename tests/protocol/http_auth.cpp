// How an HTTP proxy asks and what we answer: the examples of the standards, and
// headers that nobody should send.
// spec: openvpn-wire 1.3

#define CAF_SUITE protocol.http_auth

#include "vpn/protocol/http_auth.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

/// "digest realm=x nonce=y | basic".
std::string text_of(const std::vector<http_challenge>& xs) {
  std::string result;
  for (auto& x : xs) {
    result += (result.empty() ? "" : " | ") + x.scheme;
    for (auto& [name, value] : x.parameters)
      result += " " + name + "=" + value;
  }
  return result;
}

std::string parsed(std::string_view header) {
  return text_of(parse_challenges(header));
}

http_challenge challenge(std::string_view header) {
  auto xs = parse_challenges(header);
  CAF_REQUIRE_EQUAL(xs.size(), 1u);
  return xs.front();
}

const std::string rfc2617 = "Digest realm=\"testrealm@host.com\", "
                            "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                            "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
const std::string rfc7616
  = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

digest_input mufasa(std::string_view password, std::string_view client_nonce) {
  digest_input result;
  result.method = "GET";
  result.uri = "/dir/index.html";
  result.user = "Mufasa";
  result.password = byte_view{password};
  result.client_nonce = client_nonce;
  return result;
}

constexpr auto cnonce_2617 = "0a4f113b";
constexpr auto cnonce_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

std::string answer(std::string_view header, const digest_input& input) {
  auto result = digest_authorization(challenge(header), input);
  return result ? std::string{result->text()} : "none";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

// -- basic --

CAF_TEST(basic is user and password in base64) {
  auto basic = [](std::string_view user, std::string_view password) {
    return std::string{basic_authorization(user, byte_view{password}).text()};
  };
  // RFC 7617, section 2.
  CAF_CHECK_EQUAL(basic("Aladdin", "open sesame"),
                  "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CAF_CHECK_EQUAL(basic("test", "123\xC2\xA3"), "Basic dGVzdDoxMjPCow==");
  CAF_CHECK_EQUAL(basic("", ""), "Basic Og==");
  // Whatever a password holds, the line stays one line.
  CAF_CHECK_EQUAL(basic("a", "b\r\nX: y"), "Basic YTpiDQpYOiB5");
  CAF_CHECK(!has(basic("a", std::string(3000, 'x')), "\n"));
}

// -- digest --

CAF_TEST(digest answers like the example of RFC 2617) {
  auto text = answer(rfc2617 + ", qop=\"auth,auth-int\"",
                     mufasa("Circle Of Life", cnonce_2617));
  CAF_CHECK_EQUAL(text,
                  "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                  "uri=\"/dir/index.html\", "
                  "response=\"6629fae49393a05397450978507c4ef1\", "
                  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, "
                  "nc=00000001, cnonce=\"0a4f113b\"");
}

CAF_TEST(digest without quality of protection is that of RFC 2069) {
  auto text = answer(rfc2617, mufasa("CircleOfLife", cnonce_2617));
  CAF_CHECK(has(text, "response=\"1949323746fe6a43ef61f9606e7febea\""));
  CAF_CHECK(!has(text, "qop"));
  CAF_CHECK(!has(text, "nc="));
  CAF_CHECK(!has(text, "cnonce"));
}

CAF_TEST(digest answers like the examples of RFC 7616) {
  auto input = mufasa("Circle of Life", cnonce_7616);
  for (auto& [algorithm, response] :
       {std::pair{"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
        {"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db585"
                    "6cb6c1"}}) {
    auto text = answer(rfc7616 + ", algorithm=" + algorithm, input);
    CAF_CHECK(has(text, std::string{"response=\""} + response + "\""));
    CAF_CHECK(has(text, std::string{"algorithm="} + algorithm));
  }
}

CAF_TEST(digest knows sessions and the third hash) {
  // Computed with another implementation.
  auto input = mufasa("Circle of Life", cnonce_7616);
  for (auto& [algorithm, response] :
       {std::pair{"md5-sess", "e783283f46242139c486a698fec7211d"},
        {"SHA-256-sess", "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f523"
                         "2ae1ea3efd7"},
        {"SHA-512-256", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaa"
                        "d928d960d0"},
        {"SHA-512-256-sess", "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444"
                             "f3e51fbbc2cb92e"}})
    CAF_CHECK(has(answer(rfc7616 + ", algorithm=" + algorithm, input),
                  std::string{"response=\""} + response + "\""));
}

CAF_TEST(a session needs the nonce of the client without a quality too) {
  digest_input input;
  input.method = "CONNECT";
  input.uri = "vpn.example.net:1194";
  input.user = "alice";
  input.password = byte_view{std::string_view{"secret word"}};
  input.client_nonce = "00000000000000000000000000000000";
  auto text
    = answer("Digest realm=squid, nonce=abcdef0123, algorithm=MD5-sess", input);
  CAF_CHECK(has(text, "response=\"dc9a64a0d5d4f8e7c15853ba96920b6d\""));
  CAF_CHECK(has(text, "cnonce=\"00000000000000000000000000000000\""));
  CAF_CHECK(!has(text, "qop"));
}

CAF_TEST(quotes and backslashes are escaped in the answer but not in the hash) {
  digest_input input;
  input.method = "CONNECT";
  input.uri = "h:1";
  input.user = "a\"b\\c";
  input.password = byte_view{std::string_view{"p:w"}};
  input.client_nonce = "00";
  auto text = answer("Digest realm=\"re\\\"al\\\\m\", nonce=\"n\\\"1\"", input);
  CAF_CHECK(has(text, "username=\"a\\\"b\\\\c\""));
  CAF_CHECK(has(text, "realm=\"re\\\"al\\\\m\""));
  CAF_CHECK(has(text, "nonce=\"n\\\"1\""));
  CAF_CHECK(has(text, "response=\"bf8aa4d706ddeed8155843d486aac3f8\""));
}

CAF_TEST(challenges that cannot be answered are known as such) {
  for (auto header :
       {"Digest", "Digest realm=x", "Digest nonce=x",
        "Digest realm=x, nonce=", "Digest realm=x, nonce=\"\"",
        "Basic realm=x, nonce=y", "Digest realm=x, nonce=y, algorithm=MD4",
        "Digest realm=x, nonce=y, algorithm=",
        "Digest realm=x, nonce=y, qop=\"auth-int\"",
        "Digest realm=x, nonce=y, qop=\"\"",
        "Digest realm=x, nonce=y, qop=\"author\""})
    for (auto& x : parse_challenges(header)) {
      CAF_CHECK(!can_answer(x));
      CAF_CHECK(!digest_authorization(x, mufasa("p", "c")));
    }
  for (auto header : {"Digest realm=x, nonce=y", "dIgEsT NONCE=y, Realm=\"\"",
                      "Digest realm=x, nonce=y, qop=\"auth-int, AUTH\"",
                      "Digest realm=x, nonce=y, algorithm=\"sha-256\""})
    CAF_CHECK(can_answer(challenge(header)));
}

CAF_TEST(nothing that ends a line gets into an answer) {
  for (auto name : {"realm", "nonce", "opaque"}) {
    http_challenge x{"digest", {{"realm", "r"}, {"nonce", "n"}}};
    x.parameters.insert(x.parameters.begin(), {name, "a\r\nX-Evil: 1"});
    CAF_CHECK(!can_answer(x));
    CAF_CHECK(!digest_authorization(x, mufasa("p", "c")));
  }
  http_challenge good{"digest", {{"realm", "r"}, {"nonce", "n"}}};
  for (auto evil : {"a\rb", "a\nb", "a\x7f", "\x01"}) {
    auto input = mufasa("p", "c");
    input.user = evil;
    CAF_CHECK(!digest_authorization(good, input));
    input = mufasa("p", "c");
    input.uri = evil;
    CAF_CHECK(!digest_authorization(good, input));
    input = mufasa("p", evil);
    CAF_CHECK(!digest_authorization(good, input));
  }
  auto zero = std::string_view{"a\0b", 3};
  auto input = mufasa("p", "c");
  input.user = zero;
  CAF_CHECK(!digest_authorization(good, input));
}

// -- challenges --

CAF_TEST(challenges are parsed in all the forms of RFC 7235) {
  CAF_CHECK_EQUAL(parsed("Basic realm=\"a b\""), "basic realm=a b");
  CAF_CHECK_EQUAL(parsed("Basic"), "basic");
  CAF_CHECK_EQUAL(parsed("NTLM"), "ntlm");
  CAF_CHECK_EQUAL(parsed("NTLM TlRMTVNTUAAC+/A=="), "ntlm");
  CAF_CHECK_EQUAL(parsed("Negotiate, NTLM, Basic realm=x"),
                  "negotiate | ntlm | basic realm=x");
  CAF_CHECK_EQUAL(parsed("Negotiate abc=, Basic realm=x"),
                  "negotiate | basic realm=x");
  CAF_CHECK_EQUAL(parsed("Digest  Realm = \"x\" ,\tNonce=y,, qop=\"auth,z\""),
                  "digest realm=x nonce=y qop=auth,z");
  // The example of RFC 7235, section 4.1.
  CAF_CHECK_EQUAL(parsed("Newauth realm=\"apps\", type=1, title=\"Login to "
                         "\\\"apps\\\"\", Basic realm=\"simple\""),
                  "newauth realm=apps type=1 title=Login to \"apps\" | basic "
                  "realm=simple");
  CAF_CHECK_EQUAL(parsed(", ,Basic realm=x, ,"), "basic realm=x");
}

CAF_TEST(what is not well formed ends the list) {
  CAF_CHECK_EQUAL(parsed(""), "");
  CAF_CHECK_EQUAL(parsed(" , , "), "");
  CAF_CHECK_EQUAL(parsed("="), "");
  CAF_CHECK_EQUAL(parsed("\"Basic\""), "");
  CAF_CHECK_EQUAL(parsed("Basic realm=\"x"), "");
  CAF_CHECK_EQUAL(parsed("Basic realm=\"x\\"), "");
  CAF_CHECK_EQUAL(parsed("NTLM, Basic realm=\"x"), "ntlm");
  CAF_CHECK_EQUAL(parsed("Basic realm=x, nonce=\xff, a=b"), "");
}

CAF_TEST(a header cannot hold more than a few challenges and parameters) {
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "Basic realm=x, ";
  CAF_CHECK_EQUAL(parse_challenges(many).size(), 16u);
  std::string wide = "Digest a=b";
  for (int i = 0; i < 31; ++i)
    wide += ", a=b";
  CAF_CHECK_EQUAL(challenge(wide).parameters.size(), 32u);
  CAF_CHECK(parse_challenges(wide + ", a=b").empty());
}

CAF_TEST(no truncation of a challenge is answered with another meaning) {
  auto whole = rfc7616 + ", algorithm=SHA-256";
  for (size_t n = 0; n < whole.size(); ++n)
    for (auto& x : parse_challenges(whole.substr(0, n)))
      if (can_answer(x)) {
        CAF_CHECK_EQUAL(*x.find("realm"), "http-auth@example.org");
        CAF_CHECK_EQUAL(*x.find("nonce"),
                        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
      }
}

CAF_TEST(random headers are parsed without harm) {
  test::seeded random{11};
  const std::string alphabet = "Digest Basic,=\"\\ \tnonce realm\r\n\xff/+";
  auto any = [&] {
    return random.one_in(4)
             ? static_cast<char>(random.byte())
             : alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
  };
  size_t answered = 0;
  for (int i = 0; i < 20000; ++i) {
    // Pure noise, or a good header with some bytes changed.
    std::string text;
    if (random.one_in(2))
      for (auto n = random.below(80); n > 0; --n)
        text += any();
    else
      text = rfc7616;
    for (auto n = random.below(4); n > 0 && !text.empty(); --n)
      text[random.below(static_cast<uint32_t>(text.size()))] = any();
    for (auto& x : parse_challenges(text))
      if (auto made = digest_authorization(x, mufasa("p", "c")); made) {
        ++answered;
        auto line = made->text();
        CAF_REQUIRE(std::none_of(line.begin(), line.end(), [](char c) {
          return static_cast<unsigned char>(c) < ' ';
        }));
      }
  }
  CAF_CHECK(answered > 1000);
}

CAF_TEST(parts are put together in order) {
  auto text = [](std::string_view x) {
    return byte_view{x};
  };
  CAF_CHECK_EQUAL(std::string{concatenate({}).text()}, "");
  CAF_CHECK_EQUAL(
    std::string{concatenate({text("a"), text(""), text("bc")}).text()}, "abc");
}
