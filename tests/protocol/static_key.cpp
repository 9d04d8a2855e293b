// Static keys: the text form, its errors, and who uses which slot.
// spec: openvpn-wire 2.4

#define CAF_SUITE protocol.static_key

#include "vpn/protocol/static_key.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

const std::string begin = "-----BEGIN OpenVPN Static key V1-----\n";
const std::string end = "-----END OpenVPN Static key V1-----\n";

/// Bytes 00..ff in lines of 16 bytes.
std::string counting_digits() {
  std::string result;
  for (int i = 0; i < 256; ++i) {
    auto x = static_cast<uint8_t>(i);
    result += to_hex({&x, 1});
    if (i % 16 == 15)
      result += '\n';
  }
  return result;
}

bool is_counting(const key_block& key) {
  for (size_t i = 0; i < 256; ++i)
    if (key.view()[i] != i)
      return false;
  return true;
}

void refuses(const std::string& text) {
  auto key = parse_static_key(text);
  CAF_REQUIRE(!key);
  CAF_CHECK(key.error() == errc::bad_key_material);
}

} // namespace

CAF_TEST(a key file is parsed) {
  auto key = parse_static_key("#\n# 2048 bit OpenVPN static key\n#\n" + begin
                              + counting_digits() + end);
  CAF_REQUIRE(key);
  CAF_CHECK(is_counting(*key));
}

CAF_TEST(line ends and blanks and upper case do not matter) {
  std::string digits;
  for (auto c : counting_digits())
    if (c == '\n')
      digits += " \t\r\n";
    else
      digits += static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
  auto key = parse_static_key(begin + digits + end + "whatever follows");
  CAF_REQUIRE(key);
  CAF_CHECK(is_counting(*key));
}

CAF_TEST(a wrong number of digits is refused) {
  auto digits = counting_digits();
  refuses(begin + end);
  refuses(begin + digits.substr(2) + end);
  refuses(begin + digits.substr(1) + end);
  refuses(begin + digits + "0" + end);
  refuses(begin + digits + "00" + end);
}

CAF_TEST(a key without both marks is refused) {
  refuses("");
  refuses(counting_digits());
  refuses(begin + counting_digits());
  refuses(counting_digits() + end);
  refuses(end + counting_digits() + begin);
}

CAF_TEST(any character that is no digit is refused) {
  for (int i = 0; i < 256; ++i) {
    auto c = static_cast<char>(i);
    auto text = begin + counting_digits();
    if (std::string_view{" \t\r\n\v\f"}.find(c) != std::string_view::npos)
      continue;
    CAF_REQUIRE(!parse_static_key(text + c + end));
  }
}

CAF_TEST(every truncation of a key file is refused) {
  auto text = begin + counting_digits() + end;
  // The last character is the line end behind the mark.
  for (size_t n = 0; n + 1 < text.size(); ++n)
    CAF_REQUIRE(!parse_static_key(text.substr(0, n)));
}

CAF_TEST(random text between the marks is refused) {
  test::seeded random{2};
  for (int i = 0; i < 100000; ++i) {
    auto junk = random.some_bytes(64);
    auto text = begin + std::string{byte_view{junk}.text()} + end;
    CAF_REQUIRE(!parse_static_key(text));
    CAF_REQUIRE(!parse_static_key(byte_view{junk}.text()));
  }
}

CAF_TEST(opposite directions meet in the same slots) {
  auto key = parse_static_key(begin + counting_digits() + end);
  CAF_REQUIRE(key);
  auto normal = slots_of(*key, key_direction::normal);
  auto inverse = slots_of(*key, key_direction::inverse);
  CAF_CHECK_EQUAL(normal.send_cipher.data() - key->data(), 0);
  CAF_CHECK_EQUAL(normal.send_hmac.data() - key->data(), 64);
  CAF_CHECK_EQUAL(normal.receive_cipher.data() - key->data(), 128);
  CAF_CHECK_EQUAL(normal.receive_hmac.data() - key->data(), 192);
  CAF_CHECK(normal.send_cipher == inverse.receive_cipher);
  CAF_CHECK(normal.send_hmac == inverse.receive_hmac);
  CAF_CHECK(normal.receive_cipher == inverse.send_cipher);
  CAF_CHECK(normal.receive_hmac == inverse.send_hmac);
  CAF_CHECK_EQUAL(normal.receive_hmac.size(), 64u);
}

CAF_TEST(without a direction both ways use slot zero) {
  key_block key;
  auto both = slots_of(key, key_direction::bidirectional);
  CAF_CHECK_EQUAL(both.send_cipher.data() - key.data(), 0);
  CAF_CHECK_EQUAL(both.receive_cipher.data() - key.data(), 0);
  CAF_CHECK_EQUAL(both.send_hmac.data() - key.data(), 64);
  CAF_CHECK_EQUAL(both.receive_hmac.data() - key.data(), 64);
}
