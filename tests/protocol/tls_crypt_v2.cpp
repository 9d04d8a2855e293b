// Keys of tls-crypt-v2: published keys, wrapping and unwrapping, and everything
// a server must not unwrap.
// spec: openvpn-wire 2.8, 15.5

#define CAF_SUITE protocol.tls_crypt_v2

#include "vpn/protocol/tls_crypt_v2.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

// The keys of openvpn tests/unit_tests/openvpn/test_tls_crypt.c: the server's
// is 00..7f, the client's 00..ff with a timestamp of zero.
const std::string published_server_key
  = "-----BEGIN OpenVPN tls-crypt-v2 server key-----\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n"
    "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n"
    "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=\n"
    "-----END OpenVPN tls-crypt-v2 server key-----\n";
const std::string published_client_key
  = "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n"
    "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n"
    "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6P\n"
    "kJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/\n"
    "wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v\n"
    "8PHy8/T19vf4+fr7/P3+/xd9pcB0qUYZsWvkrLcfGmzPJPM8a7r0mEWdXwbDadSV\n"
    "LHg5bv2TwlmPR3HgaMr8o9LTh9hxUTkrH3S0PfKRNwcso86ua/dBFTyXsM9tg4aw\n"
    "3dS6ogH9AkaT+kRRDgNcKWkQCbwmJK2JlfkXHBwbAtmn78AkNuho6QCFqCdqGab3\n"
    "zh2vheFqGMPdGpukbFrT3rcO3VLxUeG+RdzXiMTCpJSovFBP1lDkYwYJPnz6daEh\n"
    "j0TzJ3BVru9W3CpotdNt7u09knxAfpCxjtrP3semsDew/gTBtcfQ/OoTFyFHnN5k\n"
    "RZ+q17SC4nba3Pp8/Fs0+hSbv2tJozoD8SElFq7SIWJsciTYh8q8f5yQxjdt4Wxu\n"
    "/Z5wtPCAZ0tOzj4ItTI77fBOYRTfEayzHgEr\n"
    "-----END OpenVPN tls-crypt-v2 client key-----\n";
const auto timestamp_zero = from_hex("010000000000000000");
const auto user_metadata = from_hex("000000410820c3");

secret server_key() {
  auto result = parse_crypt_v2_server_key(published_server_key);
  CAF_REQUIRE(result);
  return *result;
}

crypt_v2_client_key client_key() {
  auto result = parse_crypt_v2_client_key(published_client_key);
  CAF_REQUIRE(result);
  return *result;
}

template <class T>
bool refused_as(const expected<T>& x, errc wanted) {
  return !x && x.error() == wanted;
}

std::string replaced(std::string text, const std::string& from,
                     const std::string& to) {
  auto at = text.find(from);
  CAF_REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

} // namespace

CAF_TEST(the published keys are read) {
  auto server = server_key();
  CAF_REQUIRE_EQUAL(server.size(), 128u);
  for (size_t i = 0; i < server.size(); ++i)
    CAF_CHECK_EQUAL(server.view()[i], i);
  auto client = client_key();
  for (size_t i = 0; i < client.key.size(); ++i)
    CAF_CHECK_EQUAL(client.key.data()[i], i);
  CAF_CHECK_EQUAL(client.wrapped.size(), 299u);
  CAF_CHECK_EQUAL(to_hex(byte_view{client.wrapped}.first(16)),
                  "177da5c074a94619b16be4acb71f1a6c");
  CAF_CHECK_EQUAL(to_hex(byte_view{client.wrapped}.from(297)), "012b");
}

CAF_TEST(line ends and comments around a key do not matter) {
  std::string text = "# a comment\n";
  for (auto c : published_client_key)
    text += c == '\n' ? std::string{"\r\n"} : std::string{c};
  auto x = parse_crypt_v2_client_key(text + "more\n");
  CAF_REQUIRE(x);
  CAF_CHECK(x->wrapped == client_key().wrapped);
}

CAF_TEST(the published keys are unwrapped) {
  auto client = client_key();
  auto x = unwrap_client_key(server_key(), client.wrapped);
  CAF_REQUIRE(x);
  CAF_CHECK(x->key.view() == client.key.view());
  CAF_CHECK_EQUAL(to_hex(x->metadata), to_hex(timestamp_zero));
}

CAF_TEST(the published keys are reproduced) {
  auto client = client_key();
  auto x = wrap_client_key(server_key(), client.key, timestamp_zero);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(to_hex(*x), to_hex(client.wrapped));
  auto y = wrap_client_key(server_key(), client.key, user_metadata);
  CAF_REQUIRE(y);
  CAF_CHECK_EQUAL(y->size(), 297u);
  CAF_CHECK_EQUAL(to_hex(byte_view{*y}.first(16)),
                  "69eda75582aa170b8c9418fe28248cdb");
  auto z = unwrap_client_key(server_key(), *y);
  CAF_REQUIRE(z);
  CAF_CHECK_EQUAL(to_hex(z->metadata), to_hex(user_metadata));
}

CAF_TEST(metadata of any size that fits comes back) {
  auto key = client_key().key;
  for (size_t n : {0u, 1u, 9u, 733u, 734u}) {
    auto wrapped = wrap_client_key(server_key(), key, bytes(n, 7));
    CAF_REQUIRE(wrapped);
    CAF_CHECK_EQUAL(wrapped->size(), 290 + n);
    auto x = unwrap_client_key(server_key(), *wrapped);
    CAF_REQUIRE(x);
    CAF_CHECK(x->metadata == bytes(n, 7));
    CAF_CHECK(x->key.view() == key.view());
  }
  CAF_CHECK(refused_as(wrap_client_key(server_key(), key, bytes(735, 7)),
                       errc::bad_value));
}

CAF_TEST(the key of another server does not unwrap) {
  auto other = bytes(128, 9);
  CAF_CHECK(refused_as(
    unwrap_client_key(secret{byte_view{other}}, client_key().wrapped),
    errc::bad_tag));
  for (size_t n : {0u, 127u, 129u, 256u}) {
    auto odd = bytes(n, 1);
    secret key{byte_view{odd}};
    CAF_CHECK(refused_as(unwrap_client_key(key, client_key().wrapped),
                         errc::bad_key_material));
    CAF_CHECK(refused_as(wrap_client_key(key, {}, {}), errc::bad_key_material));
  }
}

CAF_TEST(a flipped bit anywhere in a wrapped key is refused) {
  auto good = client_key().wrapped;
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      auto bad = good;
      bad[i] ^= static_cast<uint8_t>(1 << bit);
      CAF_REQUIRE(!unwrap_client_key(server_key(), bad));
    }
}

CAF_TEST(every truncation and extension of a wrapped key is refused) {
  auto good = client_key().wrapped;
  for (size_t n = 0; n < good.size(); ++n) {
    CAF_REQUIRE(!unwrap_client_key(server_key(), byte_view{good}.first(n)));
    CAF_REQUIRE(!unwrap_client_key(server_key(), byte_view{good}.from(n + 1)));
  }
  auto longer = good;
  while (longer.size() < 1100) {
    longer.push_back(0);
    CAF_REQUIRE(!unwrap_client_key(server_key(), longer));
    auto right_length = longer;
    store_u16(right_length.data() + right_length.size() - 2,
              static_cast<uint16_t>(right_length.size()));
    CAF_REQUIRE(!unwrap_client_key(server_key(), right_length));
  }
}

CAF_TEST(no length but its own opens a wrapped key) {
  auto x = client_key().wrapped;
  for (uint32_t n = 0; n < 0x10000; ++n) {
    store_u16(x.data() + 297, static_cast<uint16_t>(n));
    CAF_REQUIRE_EQUAL(static_cast<bool>(unwrap_client_key(server_key(), x)),
                      n == 299);
  }
}

CAF_TEST(keys of other sizes are refused by the parsers) {
  auto pem = [](const char* name, size_t groups) {
    std::string result = "-----BEGIN " + std::string{name} + "-----\n";
    for (size_t i = 0; i < groups; ++i)
      result += "AAAA";
    return result + "\n-----END " + std::string{name} + "-----\n";
  };
  auto client_name = "OpenVPN tls-crypt-v2 client key";
  auto server_name = "OpenVPN tls-crypt-v2 server key";
  // 256 and the sizes of a wrapped key around its limits.
  for (size_t groups = 0; groups < 500; ++groups) {
    auto fits = 3 * groups >= 256 + 290 && 3 * groups <= 256 + 1024;
    CAF_CHECK_EQUAL(
      static_cast<bool>(parse_crypt_v2_client_key(pem(client_name, groups))),
      fits);
    // 128 is not a multiple of three.
    CAF_CHECK(!parse_crypt_v2_server_key(pem(server_name, groups)));
  }
}

CAF_TEST(one kind of key file is not another) {
  CAF_CHECK(refused_as(parse_crypt_v2_client_key(published_server_key),
                       errc::bad_key_material));
  CAF_CHECK(refused_as(parse_crypt_v2_server_key(published_client_key),
                       errc::bad_key_material));
}

CAF_TEST(every truncation of a key file is refused) {
  // The last line end is not missed.
  auto end = std::string{"-----END OpenVPN tls-crypt-v2 client key-----"};
  auto size = published_client_key.find(end) + end.size();
  for (size_t n = 0; n < size; ++n)
    CAF_REQUIRE(!parse_crypt_v2_client_key(published_client_key.substr(0, n)));
  CAF_CHECK(parse_crypt_v2_client_key(published_client_key.substr(0, size)));
}

CAF_TEST(what is not base64 is refused) {
  for (auto line : {"AAECAwQF_gc", "AAEC=wQFBgc", "A", "AA", "AAA",
                    "AAAA=", "AAAA==", "AAAA===", "AAAA====", "\xc3\xa4"}) {
    CAF_CHECK(!parse_crypt_v2_server_key(
      replaced(published_server_key, "AAECAwQFBgc", line)));
    CAF_CHECK(!parse_crypt_v2_server_key(
      replaced(published_server_key, "fn8=\n", "fn8=\n" + std::string{line})));
  }
  CAF_CHECK(
    !parse_crypt_v2_server_key(replaced(published_server_key, "fn8=", "fn8")));
  CAF_CHECK(!parse_crypt_v2_server_key(
    replaced(published_server_key, "AAECAwQF", std::string(8, '\0'))));
}

CAF_TEST(a packet is cut where its key begins) {
  auto wrapped = client_key().wrapped;
  for (size_t n : {9u, 10u, 54u, 1200u}) {
    bytes packet(n, 0x50);
    packet.insert(packet.end(), wrapped.begin(), wrapped.end());
    auto x = split_wrapped_key(packet);
    CAF_REQUIRE(x);
    CAF_CHECK(x->packet == bytes(n, 0x50));
    CAF_CHECK(x->wrapped == wrapped);
  }
}

CAF_TEST(a key never reaches into the head of its packet) {
  // All sizes of datagrams against all lengths that they may claim.
  for (size_t size = 0; size < 1500; size += size < 320 ? 1 : 37)
    for (uint32_t claim = 0; claim < 0x10000; claim += claim < 1100 ? 1 : 997) {
      bytes packet(size, 0x50);
      if (size >= 2)
        store_u16(packet.data() + size - 2, static_cast<uint16_t>(claim));
      auto fits = claim >= 290 && claim <= 1024 && claim + 9 <= size;
      auto x = split_wrapped_key(packet);
      CAF_REQUIRE_EQUAL(static_cast<bool>(x), fits);
      if (fits) {
        CAF_REQUIRE_EQUAL(x->packet.size() + x->wrapped.size(), size);
        CAF_REQUIRE_EQUAL(x->wrapped.size(), claim);
      }
    }
}

CAF_TEST(random bytes are never a key) {
  test::seeded random{31};
  auto key = server_key();
  for (int i = 0; i < 20000; ++i) {
    auto xs = random.some_bytes(1100);
    if (xs.size() > 2 && !random.one_in(4))
      store_u16(xs.data() + xs.size() - 2, static_cast<uint16_t>(xs.size()));
    CAF_REQUIRE(!unwrap_client_key(key, xs));
    auto text = replaced(published_client_key, "AAECAwQF",
                         std::string{byte_view{xs}.text()});
    CAF_REQUIRE(!parse_crypt_v2_server_key(text));
    static_cast<void>(parse_crypt_v2_client_key(text));
  }
}
