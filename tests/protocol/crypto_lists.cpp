// The lists behind --show-ciphers and its like: every name works where a
// profile would use it.
// spec: openvpn-wire 5.1, 8

#define CAF_SUITE protocol.crypto_lists

#include "vpn/protocol/crypto_lists.hpp"

#include "vpn/protocol/data_key.hpp"

#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

using namespace vpn;
using namespace vpn::protocol;

namespace {

const listed_algorithm* find(const std::vector<listed_algorithm>& xs,
                             const std::string& name) {
  for (auto& x : xs)
    if (x.name == name)
      return &x;
  return nullptr;
}

bool holds(const std::vector<std::string>& xs, const std::string& name) {
  return std::find(xs.begin(), xs.end(), name) != xs.end();
}

std::string join(const std::vector<std::string>& xs) {
  std::string result;
  for (auto& x : xs)
    result += (result.empty() ? "" : ":") + x;
  return result;
}

} // namespace

CAF_TEST(every listed data cipher can be parsed and has its sizes) {
  auto xs = show_ciphers();
  CAF_CHECK_EQUAL(xs.size(), 7u);
  CAF_CHECK_EQUAL(xs.front().name, "AES-256-GCM");
  for (auto& x : xs) {
    auto cipher = parse_data_cipher(x.name);
    CAF_REQUIRE(cipher);
    CAF_CHECK_EQUAL(x.bits, key_length(*cipher) * 8);
    CAF_CHECK_EQUAL(x.note.empty(), is_aead(*cipher));
  }
  CAF_CHECK_EQUAL(find(xs, "AES-192-CBC")->bits, 192u);
  CAF_CHECK_EQUAL(find(xs, "AES-192-CBC")->block_bits, 128u);
  CAF_CHECK_EQUAL(find(xs, "CHACHA20-POLY1305")->bits, 256u);
  CAF_CHECK_EQUAL(find(xs, "CHACHA20-POLY1305")->block_bits, 0u);
}

CAF_TEST(every listed digest makes an HMAC of its size) {
  auto xs = show_digests();
  std::string before;
  for (auto& x : xs) {
    CAF_MESSAGE(x.name);
    CAF_CHECK(before < x.name);
    before = x.name;
    uint8_t out[EVP_MAX_MD_SIZE];
    size_t size = 0;
    CAF_REQUIRE(EVP_Q_mac(nullptr, "HMAC", nullptr, x.name.c_str(), nullptr,
                          "key", 3, nullptr, 0, out, sizeof(out), &size));
    CAF_CHECK_EQUAL(size * 8, x.bits);
  }
  // Spelled as upstream does, not as OpenSSL 3 names them.
  for (auto [name, bits] : {std::pair<const char*, size_t>{"SHA1", 160},
                            {"SHA256", 256},
                            {"SHA512", 512},
                            {"SHA512-256", 256},
                            {"SHA3-256", 256},
                            {"RIPEMD160", 160},
                            {"BLAKE2b512", 512}}) {
    auto* x = find(xs, name);
    CAF_REQUIRE(x != nullptr);
    CAF_CHECK_EQUAL(x->bits, bits);
  }
  for (auto name : {"SHAKE128", "NULL", "UNDEF", "KECCAK-KMAC-128"})
    CAF_CHECK(find(xs, name) == nullptr);
}

CAF_TEST(the default TLS suites are those of upstream in its order) {
  auto xs = show_tls();
  CAF_REQUIRE(xs);
  CAF_CHECK_EQUAL(join(xs->tls13),
                  "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                  "TLS_AES_128_GCM_SHA256");
  // What `openvpn --show-tls` of 2.6.14 prints with OpenSSL 3.0.
  const char* expected[] = {
    "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
    "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
    "TLS-DHE-RSA-WITH-AES-256-GCM-SHA384",
    "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256",
    "TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256",
    "TLS-DHE-RSA-WITH-CHACHA20-POLY1305-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
    "TLS-DHE-RSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-256-CBC-SHA384",
    "TLS-ECDHE-RSA-WITH-AES-256-CBC-SHA384",
    "TLS-DHE-RSA-WITH-AES-256-CBC-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-128-CBC-SHA256",
    "TLS-ECDHE-RSA-WITH-AES-128-CBC-SHA256",
    "TLS-DHE-RSA-WITH-AES-128-CBC-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-256-CBC-SHA",
    "TLS-ECDHE-RSA-WITH-AES-256-CBC-SHA",
    "TLS-DHE-RSA-WITH-AES-256-CBC-SHA",
    "TLS-ECDHE-ECDSA-WITH-AES-128-CBC-SHA",
    "TLS-ECDHE-RSA-WITH-AES-128-CBC-SHA",
    "TLS-DHE-RSA-WITH-AES-128-CBC-SHA",
  };
  CAF_CHECK_EQUAL(join(xs->tls12),
                  join({std::begin(expected), std::end(expected)}));
}

CAF_TEST(every listed TLS suite can be asked for by its name) {
  auto xs = show_tls();
  CAF_REQUIRE(xs);
  for (auto& name : xs->tls12) {
    tls_config cfg;
    cfg.ciphers = name;
    auto ys = show_tls(cfg);
    CAF_REQUIRE(ys);
    CAF_CHECK_EQUAL(join(ys->tls12), name);
  }
  for (auto& name : xs->tls13) {
    tls_config cfg;
    cfg.ciphersuites = name;
    auto ys = show_tls(cfg);
    CAF_REQUIRE(ys);
    CAF_CHECK_EQUAL(join(ys->tls13), name);
  }
}

CAF_TEST(the listed TLS suites obey the profile) {
  tls_config cfg;
  cfg.certificates = tls_config::profile::suiteb;
  auto xs = show_tls(cfg);
  CAF_REQUIRE(xs);
  CAF_CHECK_EQUAL(join(xs->tls12), "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256:"
                                   "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384");
  cfg = {};
  cfg.ciphers = "NO-SUCH-CIPHER";
  xs = show_tls(cfg);
  CAF_REQUIRE(!xs);
  CAF_CHECK_EQUAL(xs.error().text.rfind("tls-cipher: ", 0), 0u);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(excluded suites stay out in both spellings) {
  for (auto name : {"!TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
                    "!ECDHE-ECDSA-AES256-GCM-SHA384"}) {
    tls_config cfg;
    cfg.ciphers = std::string{"DEFAULT:"} + name;
    auto xs = show_tls(cfg);
    CAF_REQUIRE(xs);
    CAF_CHECK(holds(xs->tls12, "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"));
    CAF_CHECK(!holds(xs->tls12, "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384"));
  }
}

CAF_TEST(every listed group can be used in a profile) {
  auto xs = show_groups();
  for (auto name : {"secp256r1", "secp384r1", "x25519"})
    CAF_CHECK(find(xs, name) != nullptr);
  CAF_REQUIRE(find(xs, "ffdhe2048") != nullptr);
  CAF_CHECK_EQUAL(find(xs, "ffdhe2048")->note, "TLS 1.3 only");
  CAF_CHECK_EQUAL(find(xs, "secp256r1")->bits, 128u);
  for (auto& x : xs) {
    auto cfg = test::client_tls_config();
    cfg.groups = x.name;
    auto made = tls_context::make(cfg);
    CAF_CHECK(made);
    if (!made)
      CAF_MESSAGE(made.error().text);
  }
}

CAF_TEST(the default provider is listed and no error is left) {
  ERR_raise(ERR_LIB_SSL, 1);
  auto providers = show_engines();
  CAF_CHECK(find(providers, "default") != nullptr);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  for (auto round = 0; round < 3; ++round) {
    show_ciphers();
    show_digests();
    CAF_CHECK(show_tls());
    show_groups();
    CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  }
}
