// The TLS 1.0 PRF, the legacy data keys and the labels of epochs against
// published vectors.
// spec: openvpn-wire 15.1, 15.7, 15.9

#define CAF_SUITE protocol.key_derivation

#include "vpn/protocol/key_derivation.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

using namespace vpn;
using namespace vpn::protocol;

namespace {

std::string prf(std::string_view key, std::string_view label,
                std::string_view seed, size_t size) {
  bytes out(size, 0xee);
  if (!tls1_prf(byte_view{key}, label, byte_view{seed}, out.data(), size))
    return "failed";
  return to_hex(out);
}

std::string expand(byte_view key, std::string_view label, size_t size) {
  bytes out(size, 0xee);
  if (!expand_label(key, label, out.data(), size))
    return "failed";
  return to_hex(out);
}

template <class Array>
void count_from(Array& out, uint8_t first) {
  for (auto& x : out)
    x = first++;
}

std::string sha256(byte_view x) {
  bytes out(32);
  EVP_Q_digest(nullptr, "SHA256", nullptr, x.data(), x.size(), out.data(),
               nullptr);
  return to_hex(out);
}

struct own_vector {
  key_source client, server;
  session_id client_sid, server_sid;
  own_vector() {
    count_from(client.pre_master, 0x00);
    count_from(client.random1, 0x30);
    count_from(client.random2, 0x50);
    count_from(server.random1, 0x70);
    count_from(server.random2, 0x90);
    count_from(client_sid.value, 0xc0);
    count_from(server_sid.value, 0xd0);
  }
};

} // namespace

// Vectors: openvpn tests/unit_tests/openvpn/test_crypto.c, src/openvpn/crypto.c
// and minivpn internal/datachannel.
CAF_TEST(the prf agrees with published vectors) {
  CAF_CHECK_EQUAL(prf("Lorem ipsum dolor sit amet, consectetur adipisici elit, "
                      "sed eiusmod tempor incidunt ut labore et dolore magna "
                      "aliqua.",
                      "",
                      "Quis aute iure reprehenderit in voluptate velit esse "
                      "cillum dolore",
                      32),
                  "d98c8518c85e946927916acfc2d592fbb1567e4b4b1459e6a904ac2ddab"
                  "72d67");
  CAF_CHECK_EQUAL(prf("tls1-prf-test-secret", "tls1-prf-test", "", 8),
                  "7144fe2540737595");
  CAF_CHECK_EQUAL(prf("secret", "master key", "aaabbb", 16),
                  "67187c52acd24d959a55d31cdb978011");
}

CAF_TEST(label and seed are one text for the prf) {
  CAF_CHECK_EQUAL(prf("tls1-prf-test-secret", "tls1-", "prf-test", 8),
                  "7144fe2540737595");
}

CAF_TEST(a shorter output is a prefix of a longer one) {
  auto all = prf("key", "label", "seed", 100);
  for (size_t n = 1; n < 100; ++n)
    CAF_CHECK_EQUAL(prf("key", "label", "seed", n), all.substr(0, 2 * n));
}

CAF_TEST(the prf takes secrets of every small size) {
  for (size_t n = 0; n < 130; ++n)
    CAF_CHECK_NOT_EQUAL(prf(std::string(n, 'x'), "a", "b", 48), "failed");
  CAF_CHECK_NOT_EQUAL(prf("abc", "a", "b", 48), prf("abd", "a", "b", 48));
  CAF_CHECK_EQUAL(prf("abc", "a", "b", 0), "");
}

CAF_TEST(the master secret agrees with the interoperability vector) {
  own_vector x;
  bytes seed(x.client.random1.begin(), x.client.random1.end());
  seed.insert(seed.end(), x.server.random1.begin(), x.server.random1.end());
  bytes master(48);
  CAF_REQUIRE(tls1_prf(x.client.pre_master.view(), "OpenVPN master secret",
                       seed, master.data(), master.size()));
  CAF_CHECK_EQUAL(to_hex(master),
                  "229883ac5358fb9089fb5833c52bceac5f3a5e821e5b61ff489c250ed34"
                  "2fafbf9103f3999f2115fd917576ce0e1b7c5");
}

CAF_TEST(the key block agrees with the interoperability vector) {
  own_vector x;
  auto keys = derive_by_prf(x.client, x.server, x.client_sid, x.server_sid);
  CAF_REQUIRE(keys);
  CAF_CHECK_EQUAL(to_hex(keys->slice(0, 32)),
                  "e96b0305a0fb6050fee419048bf9d7079862cae4d8444e2e6c2bab3fbd0"
                  "7b31c");
  CAF_CHECK_EQUAL(to_hex(keys->slice(64, 20)),
                  "8025c2a1a5f1d8a5ad93a883a409bcc2d9da89d5");
  CAF_CHECK_EQUAL(to_hex(keys->slice(128, 32)),
                  "3774296caf0274ac0e875cdafa5aab4b229214cc74fdff6188660444f4c"
                  "cabd3");
  CAF_CHECK_EQUAL(to_hex(keys->slice(192, 20)),
                  "e32cd143ce88f0e86e63d3096f3dd792169fd349");
  CAF_CHECK_EQUAL(sha256(keys->view()),
                  "23e7a0eff9a0dfa4e0e5900aefd01439a1ec05e900f5a5cb14e48e5e19b"
                  "6843f");
}

CAF_TEST(every input changes the key block) {
  own_vector base;
  auto derive = [](const own_vector& x) {
    auto keys = derive_by_prf(x.client, x.server, x.client_sid, x.server_sid);
    return keys ? to_hex(keys->view()) : "failed";
  };
  auto expected = derive(base);
  auto changed = [&](auto&& change) {
    own_vector x;
    change(x);
    CAF_CHECK_NOT_EQUAL(derive(x), expected);
  };
  changed([](own_vector& x) {
    x.client.pre_master.data()[0] ^= 1;
  });
  changed([](own_vector& x) {
    x.client.pre_master.data()[47] ^= 1;
  });
  changed([](own_vector& x) {
    x.client.random1.data()[31] ^= 1;
  });
  changed([](own_vector& x) {
    x.client.random2.data()[31] ^= 1;
  });
  changed([](own_vector& x) {
    x.server.random1.data()[31] ^= 1;
  });
  changed([](own_vector& x) {
    x.server.random2.data()[31] ^= 1;
  });
  changed([](own_vector& x) {
    x.client_sid.value[7] ^= 1;
  });
  changed([](own_vector& x) {
    x.server_sid.value[7] ^= 1;
  });
  changed([](own_vector& x) {
    std::swap(x.client_sid, x.server_sid);
  });
}

CAF_TEST(derivation leaves no library error behind) {
  ERR_raise(ERR_LIB_SSL, 1);
  own_vector x;
  CAF_CHECK(derive_by_prf(x.client, x.server, x.client_sid, x.server_sid));
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

// Vectors: openvpn 2.7, tests/unit_tests/openvpn/test_crypto.c.
CAF_TEST(the labels of epochs agree with published vectors) {
  auto unit = from_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844"
                       "ad7c2b3e5");
  CAF_CHECK_EQUAL(expand(unit, "unit test", 16),
                  "185eaa1c7f228ab8eb29773214d92046");
  bytes epoch(32);
  epoch[0] = 0x13;
  epoch[1] = 0x0c;
  CAF_CHECK_EQUAL(expand(epoch, "data_key", 24),
                  "ed8533db1c28ace418e9006ab29c17417d60ebe6cd90bf0a");
  CAF_CHECK_EQUAL(expand(epoch, "data_iv", 12), "86890aabf032cb59f4cfa34e");
}

CAF_TEST(an expansion depends on all that goes in) {
  bytes key(32, 7);
  auto base = expand(key, "label", 32);
  CAF_CHECK_EQUAL(base.size(), 64u);
  CAF_CHECK_NOT_EQUAL(expand(bytes(32, 8), "label", 32), base);
  CAF_CHECK_NOT_EQUAL(expand(key, "labem", 32), base);
  // The size is part of the label, so this is no prefix.
  CAF_CHECK_NOT_EQUAL(expand(key, "label", 16), base.substr(0, 32));
}

CAF_TEST(an expansion has its limits) {
  bytes key(32, 7);
  CAF_CHECK_EQUAL(expand(key, "label", 0), "");
  CAF_CHECK_NOT_EQUAL(expand(key, std::string(250, 'x'), 32), "failed");
  CAF_CHECK_EQUAL(expand(key, std::string(251, 'x'), 32), "failed");
  CAF_CHECK_NOT_EQUAL(expand(key, "label", 255 * 32), "failed");
  CAF_CHECK_EQUAL(expand(key, "label", 255 * 32 + 1), "failed");
  // More than one block: no two are equal.
  auto two = expand(key, "label", 64);
  CAF_CHECK_NOT_EQUAL(two.substr(0, 64), two.substr(64));
}
