// Base64 and PEM for texts that hold secrets: every buffer is wiped.
// spec: openvpn-wire 2.8
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/secret.hpp"

#include <string>
#include <string_view>

namespace vpn::protocol::key_text {

constexpr std::string_view client_key_name = "OpenVPN tls-crypt-v2 client key";
constexpr std::string_view server_key_name = "OpenVPN tls-crypt-v2 server key";
constexpr std::string_view auth_token_name = "OpenVPN auth-token server key";

/// Turns a buffer into a secret and leaves nothing behind in it.
inline secret take(bytes& xs) {
  secret result{byte_view{xs}};
  wipe(xs.data(), xs.size());
  xs.clear();
  return result;
}

inline void append(bytes& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
}

/// The six bits of a character, -1 for one that is not of the alphabet.
inline int base64_value(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '+')
    return 62;
  return c == '/' ? 63 : -1;
}

/// White space is skipped; anything else that is not base64 is refused, as is
/// padding anywhere but at the end.
inline expected<secret> decode_base64(std::string_view text) {
  bytes out;
  // Reserved in advance, so that no growth leaves a copy behind.
  out.reserve(text.size() / 4 * 3 + 3);
  uint32_t group = 0;
  size_t digits = 0;
  size_t padding = 0;
  auto ok = true;
  for (auto c : text) {
    if (c == ' ' || (c >= '\t' && c <= '\r'))
      continue;
    auto value = base64_value(c);
    if (c == '=')
      ++padding;
    else if (value < 0 || padding > 0)
      ok = false;
    if (!ok)
      break;
    group = (group << 6) | static_cast<uint32_t>(c == '=' ? 0 : value);
    if (++digits % 4 == 0)
      for (auto shift : {16, 8, 0})
        out.push_back(static_cast<uint8_t>(group >> shift));
  }
  ok = ok && digits % 4 == 0 && padding <= 2 && padding <= out.size();
  if (ok)
    out.resize(out.size() - padding);
  auto result = take(out);
  if (!ok)
    return errc::bad_value;
  return result;
}

/// In lines of 64 characters.
inline void append_base64(byte_view xs, bytes& out) {
  constexpr std::string_view digits
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < xs.size(); i += 3) {
    auto n = std::min<size_t>(3, xs.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = (group << 8) | (k < n ? xs[i + k] : 0U);
    for (size_t k = 0; k < 4; ++k)
      out.push_back(static_cast<uint8_t>(
        k <= n ? digits[(group >> (18 - 6 * k)) & 63U] : '='));
    if ((i + 3) % 48 == 0 || i + 3 >= xs.size())
      out.push_back('\n');
  }
}

inline std::string pem_line(std::string_view word, std::string_view name) {
  return "-----" + std::string{word} + ' ' + std::string{name} + "-----";
}

/// A whole PEM text.
inline secret write_pem(std::string_view name, byte_view content) {
  bytes out;
  out.reserve(content.size() * 3 / 2 + 2 * name.size() + 64);
  append(out, pem_line("BEGIN", name) + '\n');
  append_base64(content, out);
  append(out, pem_line("END", name) + '\n');
  return take(out);
}

/// What stands between the two lines of `name`; whatever is before them is a
/// comment.
inline expected<secret> read_pem(std::string_view name, std::string_view text) {
  auto begin = pem_line("BEGIN", name);
  auto at = text.find(begin);
  if (at == std::string_view::npos)
    return errc::bad_key_material;
  text.remove_prefix(at + begin.size());
  auto end = text.find(pem_line("END", name));
  if (end == std::string_view::npos)
    return errc::bad_key_material;
  auto result = decode_base64(text.substr(0, end));
  if (!result)
    return errc::bad_key_material;
  return result;
}

} // namespace vpn::protocol::key_text
