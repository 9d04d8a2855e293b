// Texts of new key files: what is in them, and that the parsers read them.
// spec: openvpn-wire 2.4, 2.8, 5.7

#define CAF_SUITE protocol.key_files

#include "vpn/protocol/key_files.hpp"

#include "vpn/protocol/static_key.hpp"
#include "vpn/protocol/tls_crypt_v2.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

std::string text_of(const secret& x) {
  return std::string{x.text()};
}

random_source counting() {
  return [next = uint8_t{0}](uint8_t* out, size_t n) mutable {
    for (size_t i = 0; i < n; ++i)
      out[i] = next++;
  };
}

const instant now{{}, 0x61d3bf6c};

/// What a server finds in a client's new key file.
bytes metadata_in(const secret& server_file, const secret& client_file) {
  auto server = parse_crypt_v2_server_key(server_file.text());
  auto client = parse_crypt_v2_client_key(client_file.text());
  CAF_REQUIRE(server);
  CAF_REQUIRE(client);
  auto x = unwrap_client_key(*server, client->wrapped);
  CAF_REQUIRE(x);
  CAF_CHECK(x->key.view() == client->key.view());
  return x->metadata;
}

/// Base64 of zeros; `n` is a multiple of three.
std::string zeros(size_t n) {
  return std::string(n / 3 * 4, 'A');
}

size_t longest_line(const std::string& text) {
  size_t result = 0;
  for (size_t from = 0; from < text.size();) {
    auto to = text.find('\n', from);
    CAF_REQUIRE(to != std::string::npos);
    result = std::max(result, to - from);
    from = to + 1;
  }
  return result;
}

} // namespace

CAF_TEST(a static key file is one of stock) {
  auto text = text_of(make_static_key_file(counting()));
  auto head = std::string{"#\n# 2048 bit OpenVPN static key\n#\n"
                          "-----BEGIN OpenVPN Static key V1-----\n"
                          "000102030405060708090a0b0c0d0e0f\n"
                          "101112131415161718191a1b1c1d1e1f\n"};
  CAF_CHECK_EQUAL(text.substr(0, head.size()), head);
  auto key = parse_static_key(text);
  CAF_REQUIRE(key);
  for (size_t i = 0; i < key->size(); ++i)
    CAF_CHECK_EQUAL(key->data()[i], i);
  CAF_CHECK_EQUAL(text.substr(text.size() - 69),
                  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n"
                  "-----END OpenVPN Static key V1-----\n");
}

CAF_TEST(a server key file is one of stock) {
  CAF_CHECK_EQUAL(
    text_of(make_crypt_v2_server_file(counting())),
    "-----BEGIN OpenVPN tls-crypt-v2 server key-----\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n"
    "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n"
    "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=\n"
    "-----END OpenVPN tls-crypt-v2 server key-----\n");
}

CAF_TEST(a client key file holds the key and the key wrapped) {
  auto server = make_crypt_v2_server_file(counting());
  auto file
    = make_crypt_v2_client_file(server.text(), std::nullopt, {}, counting());
  CAF_REQUIRE(file);
  auto text = text_of(*file);
  // Both keys are the published ones, so this is the published file: its
  // first lines and its last one.
  CAF_CHECK(text.find("8PHy8/T19vf4+fr7/P3+/xd9pcB0qUYZsWvkrLcfGmzPJPM8a7r0mE"
                      "WdXwbDadSV\n")
            != std::string::npos);
  CAF_CHECK(text.find("\n/Z5wtPCAZ0tOzj4ItTI77fBOYRTfEayzHgEr\n"
                      "-----END OpenVPN tls-crypt-v2 client key-----\n")
            != std::string::npos);
  CAF_CHECK_EQUAL(longest_line(text), 64u);
}

CAF_TEST(a client key without metadata says when it was made) {
  auto server = make_crypt_v2_server_file(test::seeded{1}.source());
  auto file = make_crypt_v2_client_file(server.text(), std::nullopt, now,
                                        test::seeded{2}.source());
  CAF_REQUIRE(file);
  CAF_CHECK_EQUAL(to_hex(metadata_in(server, *file)), "010000000061d3bf6c");
}

CAF_TEST(metadata of the user arrives at the server) {
  auto server = make_crypt_v2_server_file(test::seeded{1}.source());
  auto with = [&](std::string_view base64) {
    return make_crypt_v2_client_file(server.text(), base64, now,
                                     test::seeded{2}.source());
  };
  auto x = with("AABBCCDDEEFF");
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(to_hex(metadata_in(server, *x)), "000000410820c3104145");
  auto empty = with("");
  CAF_REQUIRE(empty);
  CAF_CHECK_EQUAL(to_hex(metadata_in(server, *empty)), "00");
  // 733 bytes are the limit: 732 and a group of one.
  auto longest = with(zeros(732) + "AA==");
  CAF_REQUIRE(longest);
  CAF_CHECK_EQUAL(metadata_in(server, *longest).size(), 734u);
  for (auto& bad : {zeros(732) + "AAA=", zeros(735), std::string{"A"},
                    std::string{"no base64!"}, std::string{"AA=A"}}) {
    auto y = with(bad);
    CAF_CHECK(!y && y.error() == errc::bad_value);
  }
}

CAF_TEST(a client key needs a server key) {
  for (auto& file : {std::string{}, std::string{"no key"},
                     text_of(make_static_key_file(counting())),
                     text_of(make_auth_token_file(counting()))}) {
    auto x = make_crypt_v2_client_file(file, std::nullopt, now, counting());
    CAF_CHECK(!x && x.error() == errc::bad_key_material);
  }
}

CAF_TEST(an auth token secret has a name of its own) {
  auto text = text_of(make_auth_token_file(counting()));
  CAF_CHECK(text.rfind("-----BEGIN OpenVPN auth-token server key-----\nAAEC", 0)
            == 0);
  CAF_CHECK(text.find("fn8=\n-----END OpenVPN auth-token server key-----\n")
            != std::string::npos);
}

CAF_TEST(no two keys are the same) {
  auto random = test::seeded{3}.source();
  for (auto make :
       {make_static_key_file, make_crypt_v2_server_file, make_auth_token_file})
    CAF_CHECK(text_of(make(random)) != text_of(make(random)));
}
