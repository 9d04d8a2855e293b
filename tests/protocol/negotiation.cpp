// Negotiations against each other and against bare TLS engines.
// spec: openvpn-wire 5.2, 5.9, 12.1

#define CAF_SUITE protocol.negotiation

#include "vpn/protocol/negotiation.hpp"

#include "tests/support/negotiation_pair.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

#include <random>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::negotiations;
using namespace std::chrono_literals;

CAF_TEST(a client and a server agree) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{v};
    CAF_CHECK(!x.client.exchanged());
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.client)),
                    "established server; exchanged :; ");
    CAF_CHECK_EQUAL(joined(events_of(x.server)),
                    "established client; exchanged alice:wonderland; ");
    CAF_CHECK(x.client.exchanged());
    CAF_CHECK(x.server.exchanged());
  }
}

CAF_TEST(both ends learn options and peer info of each other) {
  negotiation_pair x;
  x.drive();
  auto exchanged = [](negotiation& n) {
    CAF_REQUIRE(std::holds_alternative<tls_established>(*n.poll_event()));
    return std::get<keys_exchanged>(*n.poll_event());
  };
  auto at_server = exchanged(x.server);
  CAF_CHECK_EQUAL(at_server.remote_options,
                  make_options_string({role::client}));
  CAF_CHECK_EQUAL(at_server.remote_peer_info, "IV_VER=test\nIV_PROTO=14\n");
  auto at_client = exchanged(x.client);
  CAF_CHECK_EQUAL(at_client.remote_options,
                  make_options_string({role::server}));
  CAF_CHECK_EQUAL(at_client.remote_peer_info, "");
}

CAF_TEST(bytes may come one at a time) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{v};
    x.drive(1);
    CAF_CHECK(x.client.exchanged());
    CAF_CHECK(x.server.exchanged());
  }
}

CAF_TEST(text flows both ways in order) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{v};
    x.drive();
    events_of(x.client);
    events_of(x.server);
    x.client.send_text("PUSH_REQUEST");
    x.server.send_text("PUSH_REPLY,one");
    x.server.send_text("PUSH_REPLY,two");
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.server)), "text PUSH_REQUEST; ");
    CAF_CHECK_EQUAL(joined(events_of(x.client)),
                    "text PUSH_REPLY,one; text PUSH_REPLY,two; ");
  }
}

CAF_TEST(early text waits until both records are exchanged) {
  negotiation_pair x;
  x.server.send_text("from server");
  x.client.send_text("from client");
  x.drive();
  CAF_CHECK_EQUAL(joined(events_of(x.server)),
                  "established client; exchanged alice:wonderland; "
                  "text from client; ");
  CAF_CHECK_EQUAL(joined(events_of(x.client)),
                  "established server; exchanged :; text from server; ");
}

CAF_TEST(a server is silent until the client has sent its record) {
  bare_pair x{role::server};
  x.x.send_text("too early");
  x.drive();
  CAF_CHECK_EQUAL(joined(events_of(x.x)), "established client; ");
  CAF_CHECK(!x.peer.poll_record());
  x.say(write_key_method(record_of(role::client), role::client).view());
  CAF_CHECK_EQUAL(joined(events_of(x.x)), "exchanged :; ");
  auto first = x.peer.poll_record();
  CAF_REQUIRE(first);
  CAF_CHECK(read_key_method(first->view(), role::server));
  auto second = x.peer.poll_record();
  CAF_REQUIRE(second);
  CAF_CHECK(second->text() == std::string_view("too early\0", 10));
}

CAF_TEST(a client speaks first) {
  bare_pair x{role::client};
  auto record = x.peer.poll_record();
  CAF_REQUIRE(record);
  auto parsed = read_key_method(record->view(), role::client);
  CAF_REQUIRE(parsed);
  CAF_CHECK_EQUAL(parsed->username, "alice");
  CAF_CHECK(!x.x.exchanged());
  x.x.send_text("too early");
  x.drive();
  CAF_CHECK(!x.peer.poll_record());
}

CAF_TEST(texts are split at NUL and cleaned) {
  bare_pair x{role::client};
  x.say(write_key_method(record_of(role::server), role::server).view());
  events_of(x.x);
  auto received = [&](std::string_view record) {
    x.say(record);
    return joined(events_of(x.x));
  };
  using namespace std::string_view_literals;
  CAF_CHECK_EQUAL(received("one\0two\0"sv), "text one; text two; ");
  CAF_CHECK_EQUAL(received("AUTH_FAILED,no\r\n\0"sv), "text AUTH_FAILED,no; ");
  CAF_CHECK_EQUAL(received("no end"sv), "");
  CAF_CHECK_EQUAL(received("one\0tail"sv), "text one; ");
  CAF_CHECK_EQUAL(received("\0\0\r\n\0"sv), "");
  CAF_CHECK_EQUAL(x.x.bad_texts(), 0u);
  CAF_CHECK_EQUAL(received("a\x1b[2J\0good\0"sv), "text good; ");
  CAF_CHECK_EQUAL(received("a\nb\0"sv), "");
  CAF_CHECK_EQUAL(received("\xc3\xa4\0\x7f\0~ \0"sv),
                  "text \xc3\xa4; text ~ ; ");
  CAF_CHECK_EQUAL(x.x.bad_texts(), 3u);
  CAF_CHECK_EQUAL(received(std::string(16383, 'x') + '\0'),
                  "text " + std::string(16383, 'x') + "; ");
}

CAF_TEST(texts are UTF 8 without control characters) {
  bare_pair x{role::client};
  x.say(write_key_method(record_of(role::server), role::server).view());
  events_of(x.x);
  auto taken = [&](const std::string& text) {
    x.say("a" + text + "z" + std::string(1, '\0'));
    return joined(events_of(x.x)) == "text a" + text + "z; ";
  };
  // The first and the last code point of each length, and those around the
  // surrogates.
  for (auto text :
       {" ", "~", "\xc2\xa0", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
        "Gr\xc3\xbc\xc3\x9f"
        "e \xe2\x82\xac"})
    CAF_CHECK(taken(text));
  CAF_CHECK_EQUAL(x.x.bad_texts(), 0u);
  size_t bad = 0;
  auto refused = [&](const std::string& text) {
    return !taken(text) && x.x.bad_texts() == ++bad;
  };
  // Control characters: all of the lower half, DEL, all of the upper half.
  for (char c = 1; c < 0x20; ++c)
    CAF_CHECK(refused(std::string(1, c)));
  CAF_CHECK(refused("\x7f"));
  for (int c = 0x80; c <= 0x9f; ++c)
    CAF_CHECK(refused(std::string{"\xc2"} + static_cast<char>(c)));
  // No UTF-8: lone bytes, cut sequences, longer forms than needed, surrogates,
  // and what is beyond the last code point.
  for (auto text : {"\x80",
                    "\xbf",
                    "\xc3",
                    "\xe2\x82",
                    "\xf0\x9f\x98",
                    "\xc0\x80",
                    "\xc0\xaf",
                    "\xc1\xbf",
                    "\xe0\x80\xaf",
                    "\xe0\x9f\xbf",
                    "\xf0\x8f\xbf\xbf",
                    "\xf0\x80\x80\x80",
                    "\xed\xa0\x80",
                    "\xed\xbf\xbf",
                    "\xf4\x90\x80\x80",
                    "\xf5\x80\x80\x80",
                    "\xf8\x88\x80\x80\x80",
                    "\xfe",
                    "\xff",
                    "\xc3\xc3"})
    CAF_CHECK(refused(text));
}

CAF_TEST(a sequence that ends with its text is refused) {
  bare_pair x{role::client};
  x.say(write_key_method(record_of(role::server), role::server).view());
  events_of(x.x);
  using namespace std::string_view_literals;
  for (auto text : {"\xc3\0"sv, "\xe2\x82\0"sv, "\xf0\x9f\x98\0"sv})
    x.say(text);
  CAF_CHECK(events_of(x.x).empty());
  CAF_CHECK_EQUAL(x.x.bad_texts(), 3u);
}

CAF_TEST(a text is one record with one NUL) {
  bare_pair x{role::client};
  x.peer.poll_record();
  x.say(write_key_method(record_of(role::server), role::server).view());
  x.x.send_text(std::string("first\0second", 12));
  x.x.send_text(std::string(16383, 'y'));
  x.drive();
  auto record = x.peer.poll_record();
  CAF_REQUIRE(record);
  CAF_CHECK(record->text() == std::string_view("first\0", 6));
  record = x.peer.poll_record();
  CAF_REQUIRE(record);
  CAF_CHECK_EQUAL(record->size(), 16384u);
  events_of(x.x);
  x.x.send_text(std::string(16384, 'y'));
  CAF_CHECK_EQUAL(joined(events_of(x.x)),
                  "failed internal a text message of 16384 bytes does not fit "
                  "a TLS record; ");
}

CAF_TEST(silence ends with the hand window) {
  negotiation x{config(role::client), seeded(1), at(0s)};
  CAF_CHECK(x.poll_timeout() == at(60s).steady);
  // The window began when the negotiation was made.
  x.start(at(20s));
  CAF_CHECK(x.poll_timeout() == at(60s).steady);
  x.handle_timeout(at(60s - 1ns));
  CAF_CHECK(events_of(x).empty());
  x.handle_timeout(at(60s));
  CAF_CHECK_EQUAL(joined(events_of(x)),
                  "failed no_answer TLS key negotiation failed to occur "
                  "within 60 seconds; ");
  CAF_CHECK(!x.poll_timeout());
  x.handle_timeout(at(120s));
  CAF_CHECK(events_of(x).empty());
}

CAF_TEST(a peer that stops after TLS is another failure) {
  bare_pair x{role::client};
  CAF_CHECK_EQUAL(joined(events_of(x.x)), "established server; ");
  x.x.handle_timeout(at(61s));
  CAF_CHECK_EQUAL(joined(events_of(x.x)),
                  "failed tls_failed TLS key negotiation failed to occur "
                  "within 60 seconds; ");
}

CAF_TEST(the hand window is configurable and ends with the exchange) {
  auto cfg = config(role::client);
  cfg.hand_window = 7s;
  negotiation x{std::move(cfg), seeded(1), at(0s)};
  x.start(at(0s));
  x.handle_tls(bytes{}, at(7s));
  CAF_CHECK_EQUAL(joined(events_of(x)),
                  "failed no_answer TLS key negotiation failed to occur "
                  "within 7 seconds; ");
  negotiation_pair y;
  y.drive();
  CAF_CHECK(!y.client.poll_timeout());
  events_of(y.client);
  y.client.handle_timeout(at(1h));
  CAF_CHECK(events_of(y.client).empty());
}

CAF_TEST(a rejected certificate ends both negotiations) {
  auto client = client_tls_config();
  client.cert = pki().foreign_client.cert;
  client.key = secret{std::string_view{pki().foreign_client.key}};
  auto cfg = config(role::client);
  cfg.tls = make_tls(client);
  negotiation_pair x{std::move(cfg), config(role::server)};
  x.drive();
  auto at_server = events_of(x.server);
  CAF_REQUIRE_EQUAL(at_server.size(), 1u);
  CAF_CHECK(at_server[0].rfind("failed certificate_rejected the client's", 0)
            == 0);
  // TLS 1.3 tells the client late.
  auto at_client = events_of(x.client);
  CAF_REQUIRE_EQUAL(at_client.size(), 2u);
  CAF_CHECK_EQUAL(at_client[0], "established server");
  CAF_CHECK(at_client[1].rfind("failed certificate_rejected the server does "
                               "not accept our certificate",
                               0)
            == 0);
}

CAF_TEST(everything is ignored after a failure) {
  negotiation_pair x;
  x.client.handle_timeout(at(60s));
  CAF_CHECK_EQUAL(events_of(x.client).size(), 1u);
  while (x.client.poll_tls()) {
    // The ClientHello of before.
  }
  x.client.start(at(61s));
  x.client.send_text("hello");
  x.client.handle_tls(bytes(100, 0x16), at(61s));
  CAF_CHECK(events_of(x.client).empty());
  CAF_CHECK(!x.client.poll_tls());
  CAF_CHECK(!x.client.poll_timeout());
  CAF_CHECK(!x.client.derive(key_derivation::tls_ekm, client_sid, server_sid));
}

CAF_TEST(a peer that leaves after the exchange is a failure) {
  negotiation_pair x;
  x.drive();
  events_of(x.client);
  x.client.handle_tls(bytes(100, 0x16), at(2s));
  auto xs = events_of(x.client);
  CAF_REQUIRE_EQUAL(xs.size(), 1u);
  CAF_CHECK(xs[0].rfind("failed tls_failed TLS failed: ", 0) == 0);
  // The server learns it by an alert.
  events_of(x.server);
  x.drive();
  CAF_CHECK_EQUAL(events_of(x.server).size(), 1u);
}

CAF_TEST(bytes before the start begin the negotiation) {
  negotiation client{config(role::client), seeded(1), at(0s)};
  negotiation server{config(role::server), seeded(2), at(0s)};
  client.start(at(0s));
  negotiation_pair::exchange(client, server, 1000);
  CAF_CHECK(server.exchanged());
}

CAF_TEST(every cut of a record ends in one of two ways) {
  auto whole = write_key_method(record_of(role::server), role::server);
  for (size_t n = 1; n < whole.size(); n += n < 60 ? 13 : 1) {
    bare_pair x{role::client};
    events_of(x.x);
    x.say(whole.view().first(n));
    auto xs = joined(events_of(x.x));
    // Only trailing strings may be missing: three times two bytes.
    auto complete = n + 6 >= whole.size() && (whole.size() - n) % 2 == 0;
    CAF_CHECK_EQUAL(xs, complete ? "exchanged :; "
                                 : "failed tls_failed the peer's key method 2 "
                                   "record is malformed: truncated; ");
  }
}

CAF_TEST(records of random bytes never do harm) {
  std::mt19937 rng{99};
  for (auto round = 0; round < 150; ++round) {
    bare_pair x{round % 2 == 0 ? role::client : role::server};
    for (auto i = 0; i < 4 && !x.peer.failed(); ++i) {
      bytes xs(1 + rng() % 3000);
      for (auto& b : xs)
        b = static_cast<uint8_t>(rng());
      if (rng() % 2 == 0) {
        // A head that is fine, and strings that are not.
        std::fill_n(xs.begin(), std::min<size_t>(4, xs.size()), uint8_t{0});
        if (xs.size() > 4)
          xs[4] = 2;
      }
      x.say(xs);
    }
    for (auto& e : events_of(x.x))
      CAF_REQUIRE(e.rfind("text", 0) == 0 || e.rfind("failed", 0) == 0
                  || e.rfind("established", 0) == 0
                  || e.rfind("exchanged", 0) == 0);
    CAF_REQUIRE_EQUAL(ERR_peek_error(), 0u);
  }
}
