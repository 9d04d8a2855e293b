// TLS on memory: handshakes, records, other programs, and broken input.
// spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_engine

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/tls_pair.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/pem.h>
#include <openssl/ssl.h>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

/// Any other program's TLS: plain OpenSSL with its defaults.
class plain_peer {
public:
  plain_peer(bool is_server, const identity& id) {
    ctx_ = SSL_CTX_new(TLS_method());
    use(id);
    ssl_ = SSL_new(ctx_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, in_, out_);
    if (is_server)
      SSL_set_accept_state(ssl_);
    else
      SSL_set_connect_state(ssl_);
  }
  plain_peer(const plain_peer&) = delete;
  plain_peer& operator=(const plain_peer&) = delete;
  ~plain_peer() {
    SSL_free(ssl_);
    SSL_CTX_free(ctx_);
    ERR_clear_error();
  }

  SSL* ssl() { return ssl_; }

  /// Exchanges bytes with `x` until both are silent.
  void drive(tls_engine& x) {
    for (auto busy = true; busy;) {
      busy = false;
      uint8_t buf[4096];
      if (auto n = SSL_read(ssl_, buf, sizeof(buf)); n > 0) {
        text_.append(buf, buf + n);
        busy = true;
      }
      if (error_ == 0)
        error_ = ERR_GET_REASON(ERR_peek_error());
      if (auto n = BIO_read(out_, buf, sizeof(buf)); n > 0) {
        x.handle_input({buf, static_cast<size_t>(n)});
        busy = true;
      }
      while (auto xs = x.poll_output()) {
        BIO_write(in_, xs->data(), static_cast<int>(xs->size()));
        busy = true;
      }
      ERR_clear_error();
    }
  }

  /// What has been received.
  const std::string& text() const { return text_; }
  /// Reason code of the first error.
  int error() const { return error_; }

private:
  void use(const identity& id) {
    auto* cert = BIO_new_mem_buf(id.cert.data(), -1);
    auto* key = BIO_new_mem_buf(id.key.data(), -1);
    auto* x = PEM_read_bio_X509(cert, nullptr, nullptr, nullptr);
    auto* k = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    CAF_REQUIRE(SSL_CTX_use_certificate(ctx_, x) == 1);
    CAF_REQUIRE(SSL_CTX_use_PrivateKey(ctx_, k) == 1);
    EVP_PKEY_free(k);
    X509_free(x);
    BIO_free(key);
    BIO_free(cert);
  }
  SSL_CTX* ctx_ = nullptr;
  SSL* ssl_ = nullptr;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string text_;
  int error_ = 0;
};

} // namespace

// -- what works --

CAF_TEST(two ends that trust the same authority shake hands) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client_tls_config(), version), server_tls_config()};
    CAF_CHECK(!x.client.established());
    x.drive();
    CAF_REQUIRE(x.both_up());
    auto name = version == tls12 ? "TLSv1.2, cipher " : "TLSv1.3, cipher ";
    CAF_CHECK(has(x.client.description(), name));
    CAF_CHECK(has(x.client.description(), ", peer certificate 256 bits EC"));
    CAF_CHECK_EQUAL(x.client.description(), x.server.description());
    talk(x);
  }
}

CAF_TEST(the newest version both ends have is used) {
  tls_pair x;
  x.drive();
  CAF_CHECK(has(x.client.description(), "TLSv1.3"));
  tls_pair y{client_tls_config(), only(server_tls_config(), tls12)};
  y.drive();
  CAF_CHECK(has(y.client.description(), "TLSv1.2"));
}

CAF_TEST(handshakes survive any cut of the bytes) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client_tls_config(), version), server_tls_config()};
    x.drive([](size_t) {
      return size_t{1};
    });
    CAF_REQUIRE(x.both_up());
    talk(x);
    std::mt19937 rng{static_cast<unsigned>(version)};
    for (auto round = 0; round < 10; ++round) {
      tls_pair y{only(client_tls_config(), version), server_tls_config()};
      y.drive([&](size_t n) {
        return 1 + rng() % std::min(n, size_t{500});
      });
      CAF_REQUIRE(y.both_up());
      talk(y);
    }
  }
}

CAF_TEST(the peers chain is told from its own certificate up) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client_tls_config(), version), server_tls_config()};
    CAF_CHECK(x.client.peer_chain().empty());
    x.drive();
    auto& chain = x.server.peer_chain();
    CAF_REQUIRE_EQUAL(chain.size(), 2u);
    CAF_CHECK_EQUAL(chain[0].depth, 0);
    CAF_CHECK_EQUAL(chain[0].subject, "C=DE, O=vpn tests, CN=client");
    CAF_CHECK_EQUAL(chain[0].common_name, "client");
    CAF_CHECK_EQUAL(chain[1].depth, 1);
    CAF_CHECK_EQUAL(chain[1].common_name, "test ca");
    CAF_CHECK_EQUAL(x.client.peer_chain().at(0).common_name, "server");
  }
}

CAF_TEST(intermediate certificates are sent) {
  auto server = with(server_tls_config(), pki().deep_server);
  tls_pair without{client_tls_config(), server};
  without.drive();
  CAF_CHECK(failed_with(without.client, reason::certificate_rejected,
                        {"depth 0", "CN=server"}));
  server.extra_certs = pki().intermediate;
  tls_pair extra{client_tls_config(), server};
  extra.drive();
  CAF_CHECK(extra.both_up());
  CAF_CHECK_EQUAL(extra.client.peer_chain().size(), 3u);
  server.extra_certs.clear();
  server.cert += pki().intermediate;
  tls_pair chained{client_tls_config(), server};
  chained.drive();
  CAF_CHECK(chained.both_up());
}

CAF_TEST(several authorities may be trusted) {
  auto client = client_tls_config();
  client.ca = pki().foreign_ca + client.ca;
  tls_pair x{client, server_tls_config()};
  x.drive();
  CAF_CHECK(x.both_up());
}

CAF_TEST(a server may do without client certificates) {
  auto server = server_tls_config();
  server.require_peer_certificate = false;
  auto client = client_tls_config();
  client.cert.clear();
  client.key.clear();
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client, version), server};
    x.drive();
    CAF_CHECK(x.both_up());
    CAF_CHECK(x.server.peer_chain().empty());
    CAF_CHECK(has(x.server.description(), "no peer certificate"));
  }
}

CAF_TEST(cipher lists are obeyed in both spellings) {
  auto client = only(client_tls_config(), tls12);
  client.ciphers = "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256:TLS-UNKNOWN";
  tls_pair x{client, server_tls_config()};
  x.drive();
  CAF_CHECK(has(x.client.description(), "ECDHE-ECDSA-AES128-GCM-SHA256"));
  client.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  tls_pair y{client, server_tls_config()};
  y.drive();
  CAF_CHECK(has(y.client.description(), "ECDHE-ECDSA-CHACHA20-POLY1305"));
  client = only(client_tls_config(), tls13);
  client.ciphersuites = "TLS-AES-128-GCM-SHA256";
  tls_pair z{client, server_tls_config()};
  z.drive();
  CAF_CHECK(has(z.client.description(), "TLS_AES_128_GCM_SHA256"));
}

CAF_TEST(only the groups that were asked for are offered) {
  // In TLS 1.2 the list also forbids certificates on another curve, of either
  // end: so one has RSA and the other nothing.
  authority ca{"rsa ca"};
  wanted_certificate wanted;
  wanted.common_name = "server";
  wanted.extended_key_usage = for_server;
  wanted.kind = key_kind::rsa_2048;
  auto id = ca.issue(wanted);
  for (auto version : {tls12, tls13}) {
    auto client = only(client_tls_config(), version);
    client.groups = "secp384r1";
    client.ca = ca.cert();
    client.ciphers = "ECDHE-RSA-AES256-GCM-SHA384";
    client.cert.clear();
    client.key.clear();
    auto server = with(server_tls_config(), id);
    server.require_peer_certificate = false;
    server.groups = "X25519:secp384r1";
    tls_pair x{client, server};
    x.drive();
    CAF_CHECK(x.both_up());
    server.groups = "X25519";
    tls_pair y{client, server};
    y.drive();
    CAF_CHECK(failed_with(y.client, reason::tls_failed,
                          {"the server refused TLS", "handshake failure"}));
  }
}

CAF_TEST(the newest version may be forbidden) {
  auto client = client_tls_config();
  client.max_version = tls12;
  tls_pair x{client, server_tls_config()};
  x.drive();
  CAF_CHECK(has(x.client.description(), "TLSv1.2"));
}

CAF_TEST(one record in is one record out) {
  tls_pair x;
  x.drive();
  for (auto n : {size_t{1}, size_t{2048}, size_t{16384}, size_t{7}}) {
    bytes xs(n, static_cast<uint8_t>(n));
    CAF_REQUIRE(x.client.send(xs));
  }
  x.drive([](size_t) {
    return size_t{1000};
  });
  for (auto n : {size_t{1}, size_t{2048}, size_t{16384}, size_t{7}}) {
    auto record = x.server.poll_record();
    CAF_REQUIRE(record);
    CAF_CHECK_EQUAL(record->size(), n);
  }
  CAF_CHECK(!x.server.poll_record());
}

CAF_TEST(a record has one byte to 16 KiB and needs an established connection) {
  tls_pair x;
  CAF_CHECK(x.client.send(bytes(1)).error() == errc::wrong_state);
  x.drive();
  CAF_CHECK(x.client.send({}).error() == errc::bad_payload_size);
  CAF_CHECK(x.client.send(bytes(16385)).error() == errc::bad_payload_size);
  CAF_CHECK(!x.client.failed());
  talk(x);
}

CAF_TEST(both ends export the same keys) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client_tls_config(), version), server_tls_config()};
    bytes a(256);
    bytes b(256);
    bytes c(256);
    auto made = x.client.export_key("EXPORTER-test", a.data(), a.size());
    CAF_CHECK(!made && made.error() == errc::wrong_state);
    x.drive();
    CAF_REQUIRE(x.client.export_key("EXPORTER-test", a.data(), a.size()));
    CAF_REQUIRE(x.server.export_key("EXPORTER-test", b.data(), b.size()));
    CAF_REQUIRE(x.server.export_key("EXPORTER-other", c.data(), c.size()));
    CAF_CHECK(a == b);
    CAF_CHECK(a != c);
    tls_pair y{only(client_tls_config(), version), server_tls_config()};
    y.drive();
    CAF_REQUIRE(y.client.export_key("EXPORTER-test", c.data(), c.size()));
    CAF_CHECK(a != c);
  }
}

CAF_TEST(engines can be moved in the middle of a handshake) {
  tls_pair x;
  tls_pair::carry(x.client, x.server, whole);
  tls_pair y;
  y.client = std::move(x.client);
  y.server = std::move(x.server);
  y.drive();
  CAF_CHECK(y.both_up());
  CAF_CHECK_EQUAL(y.server.peer_chain().at(0).common_name, "client");
}

CAF_TEST(a second start changes nothing) {
  tls_pair x;
  x.client.start();
  x.drive();
  x.client.start();
  x.server.start();
  x.drive();
  CAF_CHECK(x.both_up());
  talk(x);
}

CAF_TEST(an old error of the thread does no harm and none is left) {
  tls_pair x;
  for (auto round = 0; round < 20; ++round) {
    ERR_raise(ERR_LIB_SSL, 1);
    tls_pair::carry(x.client, x.server, whole);
    ERR_raise(ERR_LIB_SSL, 1);
    tls_pair::carry(x.server, x.client, whole);
  }
  CAF_REQUIRE(x.both_up());
  ERR_raise(ERR_LIB_SSL, 1);
  talk(x);
  ERR_raise(ERR_LIB_SSL, 1);
  x.client.description();
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

// -- other programs --

CAF_TEST(session tickets of a server are read and forgotten) {
  for (auto version : {tls12, tls13}) {
    plain_peer server{true, pki().server};
    SSL_set_max_proto_version(server.ssl(), version);
    tls_engine x{make_tls(client_tls_config()), pki_now};
    x.start();
    server.drive(x);
    CAF_REQUIRE(x.established());
    SSL_write(server.ssl(), "hello", 5);
    server.drive(x);
    CAF_CHECK_EQUAL(text_of(x.poll_record()), "hello");
    CAF_CHECK(!x.poll_record());
    CAF_CHECK(!x.failed());
  }
}

CAF_TEST(a new key of a TLS peer does not disturb the records) {
  plain_peer server{true, pki().server};
  tls_engine x{make_tls(client_tls_config()), pki_now};
  x.start();
  server.drive(x);
  CAF_REQUIRE(SSL_key_update(server.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  SSL_write(server.ssl(), "hello", 5);
  server.drive(x);
  CAF_CHECK_EQUAL(text_of(x.poll_record()), "hello");
  CAF_REQUIRE(x.send(byte_view{std::string_view{"again"}}));
  server.drive(x);
  CAF_CHECK_EQUAL(server.text(), "again");
}

CAF_TEST(a TLS renegotiation is not granted) {
  plain_peer client{false, pki().client};
  SSL_set_max_proto_version(client.ssl(), TLS1_2_VERSION);
  tls_engine x{make_tls(server_tls_config()), pki_now};
  client.drive(x);
  CAF_REQUIRE(x.established());
  CAF_CHECK_EQUAL(client.error(), 0);
  CAF_REQUIRE(SSL_renegotiate(client.ssl()) == 1);
  client.drive(x);
  CAF_CHECK_EQUAL(client.error(), SSL_R_NO_RENEGOTIATION);
}

CAF_TEST(a peer that says goodbye has failed) {
  plain_peer server{true, pki().server};
  tls_engine x{make_tls(client_tls_config()), pki_now};
  x.start();
  server.drive(x);
  SSL_write(server.ssl(), "bye", 3);
  SSL_shutdown(server.ssl());
  server.drive(x);
  CAF_CHECK_EQUAL(text_of(x.poll_record()), "bye");
  CAF_CHECK(failed_with(x, reason::tls_failed,
                        {"the server closed the TLS connection"}));
  CAF_CHECK(x.send(bytes(1)).error() == errc::wrong_state);
}

// -- failures --

CAF_TEST(ends without a common version fail) {
  tls_pair x{only(client_tls_config(), tls13),
             only(server_tls_config(), tls12)};
  x.drive();
  CAF_CHECK(failed_with(x.server, reason::tls_failed, {"TLS failed: "}));
  CAF_CHECK(failed_with(x.client, reason::tls_failed,
                        {"the server refused TLS", "70"}));
}

CAF_TEST(ends without a common cipher fail) {
  auto client = only(client_tls_config(), tls12);
  client.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  auto server = server_tls_config();
  server.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  tls_pair x{client, server};
  x.drive();
  CAF_CHECK(failed_with(x.server, reason::tls_failed, {"no shared cipher"}));
  CAF_CHECK(failed_with(x.client, reason::tls_failed, {"handshake failure"}));
}

CAF_TEST(a failure is final) {
  tls_pair x;
  auto hello = x.client.poll_output();
  x.server.handle_input(byte_view{std::string_view{"GET / HTTP/1.0\r\n\r\n"}});
  CAF_CHECK(failed_with(x.server, reason::tls_failed, {"TLS failed: "}));
  auto text = x.server.failed()->text;
  x.server.handle_input(*hello);
  x.server.start();
  CAF_CHECK(!x.server.established());
  CAF_CHECK_EQUAL(x.server.failed()->text, text);
}

CAF_TEST(a connection that breaks later keeps what came before) {
  tls_pair x;
  x.drive();
  CAF_REQUIRE(x.client.send(byte_view{std::string_view{"last words"}}));
  auto xs = x.client.poll_output();
  CAF_REQUIRE(xs);
  auto broken = *xs;
  broken[broken.size() / 2] ^= 1;
  xs->insert(xs->end(), broken.begin(), broken.end());
  x.server.handle_input(*xs);
  CAF_CHECK_EQUAL(text_of(x.server.poll_record()), "last words");
  CAF_CHECK(x.server.established());
  CAF_CHECK(failed_with(x.server, reason::tls_failed, {"TLS failed: "}));
  // The alert travels, and it is not about a certificate.
  x.drive();
  CAF_CHECK(failed_with(x.client, reason::tls_failed,
                        {"the server refused TLS", "bad record mac"}));
}

CAF_TEST(endless bytes before the handshake are refused) {
  tls_pair x;
  x.server.handle_input(bytes(300 * 1024, 0x16));
  CAF_CHECK(failed_with(x.server, reason::tls_failed, {"too many bytes"}));
}

CAF_TEST(an engine without a context has failed from the start) {
  tls_engine x{nullptr, pki_now};
  x.start();
  x.handle_input(bytes(10));
  CAF_CHECK(x.failed());
  CAF_CHECK(!x.poll_output());
  CAF_CHECK(!x.poll_record());
  CAF_CHECK(!x.send(bytes(1)));
  CAF_CHECK_EQUAL(x.description(), "no TLS");
}

CAF_TEST(a flipped bit anywhere in the first flights prevents the handshake) {
  auto server = make_tls(server_tls_config());
  for (auto version : {tls12, tls13}) {
    auto client = make_tls(only(client_tls_config(), version));
    for (auto to_server : {true, false}) {
      for (size_t pos = 0;; ++pos) {
        tls_pair x{client, server};
        auto flight = x.client.poll_output();
        if (!to_server) {
          x.server.handle_input(*flight);
          flight = x.server.poll_output();
        }
        // Signatures vary in size, so each flight is asked anew.
        if (pos >= flight->size())
          break;
        (*flight)[pos] = static_cast<uint8_t>((*flight)[pos] ^ (1 << pos % 8));
        (to_server ? x.server : x.client).handle_input(*flight);
        CAF_REQUIRE_EQUAL(ERR_peek_error(), 0u);
        x.drive();
        // Nothing protects the minor version in the first record's header, and
        // nobody uses it.
        auto both = x.client.established() && x.server.established();
        CAF_CHECK_EQUAL(both, pos == 2);
      }
    }
  }
}

CAF_TEST(random bytes never establish anything) {
  std::mt19937 rng{4711};
  auto client = make_tls(client_tls_config());
  auto server = make_tls(server_tls_config());
  for (auto round = 0; round < 2000; ++round) {
    tls_engine x{round % 2 == 0 ? client : server, pki_now};
    x.start();
    for (auto part = 0; part < 5; ++part) {
      bytes xs(rng() % 300);
      for (auto& b : xs)
        b = static_cast<uint8_t>(rng());
      // Half of them look like a handshake or alert record.
      if (rng() % 2 == 0 && xs.size() > 9) {
        xs[0] = rng() % 4 == 0 ? 21 : 22;
        xs[1] = 3;
        xs[2] = 3;
        store_u16(&xs[3], static_cast<uint16_t>(xs.size() - 5));
        xs[5] = static_cast<uint8_t>(rng() % 25);
        xs[6] = 0;
        store_u16(&xs[7], static_cast<uint16_t>(xs.size() - 9));
      }
      x.handle_input(xs);
      while (x.poll_output()) {
        // Alerts are welcome.
      }
    }
    CAF_REQUIRE(!x.established());
    CAF_REQUIRE(!x.poll_record());
    CAF_REQUIRE_EQUAL(ERR_peek_error(), 0u);
  }
}
