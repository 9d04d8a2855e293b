// Words for what is wrong, and OpenSSL's queue of errors.
// spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_handles

#include "protocol/tls_handles.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/ssl.h>

using namespace vpn;
using namespace vpn::protocol::tls_internal;

CAF_TEST(a quoted text has no control characters and fits a log line) {
  CAF_CHECK_EQUAL(quoted("a\r\n\x1b[31mb\x7f"), "'a___[31mb_'");
  CAF_CHECK_EQUAL(quoted(std::string_view{"a\0b", 3}), "'a_b'");
  CAF_CHECK_EQUAL(quoted("K\xc3\xb6ln"), "'K\xc3\xb6ln'");
  CAF_CHECK_EQUAL(protocol::tls_internal::quoted(std::string(200, 'x')).size(),
                  202u);
  CAF_CHECK_EQUAL(protocol::tls_internal::quoted(std::string(5000, 'x')).size(),
                  205u);
}

CAF_TEST(a refusal tells the first error and what to try) {
  // Otherwise the words are loaded with the first context.
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
  error_queue_guard guard;
  CAF_CHECK_EQUAL(refused("cert", "cannot be used").text,
                  "cert: cannot be used");
  ERR_raise(ERR_LIB_SSL, SSL_R_EE_KEY_TOO_SMALL);
  ERR_raise(ERR_LIB_SSL, SSL_R_NO_CIPHER_MATCH);
  auto x = refused("cert", "cannot be used");
  CAF_CHECK(x.why == reason::bad_config);
  CAF_CHECK_EQUAL(x.text.rfind("cert: cannot be used (ee key too small); ", 0),
                  0u);
  CAF_CHECK(x.text.find("`tls-cert-profile`") != std::string::npos);
}

CAF_TEST(a guard leaves no error and a mark leaves the older ones) {
  ERR_raise(ERR_LIB_SSL, SSL_R_NO_CIPHER_MATCH);
  {
    error_mark mark;
    ERR_raise(ERR_LIB_SSL, SSL_R_UNKNOWN_PROTOCOL);
  }
  CAF_CHECK_EQUAL(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_CIPHER_MATCH);
  {
    error_queue_guard guard;
    CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
    ERR_raise(ERR_LIB_SSL, SSL_R_UNKNOWN_PROTOCOL);
  }
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(a pass phrase is given only where it is and where it fits) {
  char buf[8];
  secret phrase{std::string_view{"sesame"}};
  passphrase_request req{&phrase, false};
  CAF_CHECK_EQUAL(give_passphrase(buf, 8, 0, &req), 6);
  CAF_CHECK(req.asked);
  CAF_CHECK_EQUAL(std::string_view(buf, 6), "sesame");
  CAF_CHECK_EQUAL(give_passphrase(buf, 5, 0, &req), -1);
  CAF_CHECK_EQUAL(give_passphrase(buf, -1, 0, &req), -1);
  CAF_CHECK_EQUAL(give_passphrase(buf, 8, 0, nullptr), -1);
  passphrase_request none;
  CAF_CHECK_EQUAL(give_passphrase(buf, 8, 0, &none), -1);
  CAF_CHECK(none.asked);
}

CAF_TEST(no text at all can be opened as well) {
  CAF_CHECK(open_text({}) != nullptr);
  auto in = open_text("abc");
  char buf[8];
  CAF_REQUIRE_EQUAL(BIO_read(in.get(), buf, 8), 3);
}
