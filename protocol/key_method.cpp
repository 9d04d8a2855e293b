// Key method 2 written and read, and the two texts inside it.
// spec: openvpn-rfc#peerinfo, openvpn-wire 5.2, 5.3, 6

#include "vpn/protocol/key_method.hpp"

#include <array>

namespace vpn::protocol {

namespace {

constexpr uint8_t key_method_2 = 2;

/// Limits of the strings with their NUL. Together with the fixed part they fit
/// one TLS record.
constexpr size_t max_options = 512;
constexpr size_t max_credential = 4096;
constexpr size_t max_peer_info = 4096;

bool is_printable(char c) {
  return c >= 0x20 && c <= 0x7e;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string_view up_to_nul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

/// What is sent of a text: a NUL inside would end it at the peer anyway.
std::string_view clip(std::string_view text, size_t limit) {
  return up_to_nul(text).substr(0, limit - 1);
}

void write_string(byte_writer& out, std::string_view text) {
  if (text.empty())
    return out.u16(0);
  out.u16(static_cast<uint16_t>(text.size() + 1));
  out.append(byte_view{text});
  out.u8(0);
}

/// One string whose length counts its NUL; empty when the record ends before.
/// The last byte counts as the NUL whatever it is.
std::string_view read_string(byte_reader& in) {
  if (in.remaining() == 0)
    return {};
  auto size = in.u16();
  auto text = in.take(size).text();
  return up_to_nul(text.substr(0, text.empty() ? 0 : text.size() - 1));
}

size_t digest_size(const std::string& name) {
  struct row {
    const char* name;
    size_t size;
  };
  static constexpr std::array<row, 6> rows{{{"none", 0},
                                            {"MD5", 16},
                                            {"SHA224", 28},
                                            {"SHA256", 32},
                                            {"SHA384", 48},
                                            {"SHA512", 64}}};
  for (const auto& x : rows)
    if (name == x.name)
      return x.size;
  return 20;
}

/// Appends one line unless the key is malformed or there already: servers look
/// keys up by searching, so a second one would only confuse.
void add_line(std::string& out, std::string_view key, std::string_view value) {
  auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z') || c == '_';
  };
  auto line = std::string{key} + "=";
  if (key.empty() || !std::all_of(key.begin(), key.end(), allowed)
      || ("\n" + out).find("\n" + line) != std::string::npos)
    return;
  for (auto c : value)
    line += is_printable(c) ? c : '_';
  out += line + "\n";
}

bool contains(const std::vector<std::string>& xs, const char* x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

} // namespace

secret write_key_method(const key_method_record& x, role from) {
  auto options = clip(x.options, max_options);
  auto username = clip(x.username, max_credential);
  auto password = clip(x.password.text(), max_credential);
  auto peer_info = clip(x.peer_info, max_peer_info);
  bytes buf;
  // Growing would leave copies of the secrets on the heap.
  buf.reserve(5 + 48 + 32 + 32 + 4 * 3 + options.size() + username.size()
              + password.size() + peer_info.size());
  byte_writer out{buf};
  out.u32(0);
  out.u8(key_method_2);
  if (from == role::client)
    out.append(x.source.pre_master.view());
  out.append(x.source.random1.view());
  out.append(x.source.random2.view());
  write_string(out, options);
  write_string(out, username);
  write_string(out, password);
  write_string(out, peer_info);
  secret result{byte_view{buf}};
  wipe(buf.data(), buf.size());
  return result;
}

expected<key_method_record> read_key_method(byte_view record, role from) {
  byte_reader in{record};
  key_method_record result;
  auto zero = in.u32();
  auto method = in.u8() & 0x0f;
  if (!in.ok())
    return errc::truncated;
  if (zero != 0 || method != key_method_2)
    return errc::bad_key_method;
  if (from == role::client)
    in.copy_to(result.source.pre_master);
  in.copy_to(result.source.random1);
  in.copy_to(result.source.random2);
  auto options_size = in.u16();
  if (!in.ok())
    return errc::truncated;
  if (options_size < 1 || options_size > max_options)
    return errc::bad_key_method;
  auto options = in.take(options_size).text();
  auto username = read_string(in);
  auto password = read_string(in);
  auto peer_info = read_string(in);
  if (!in.ok())
    return errc::truncated;
  if (username.size() >= max_credential || password.size() >= max_credential)
    return errc::bad_key_method;
  result.options = up_to_nul(options.substr(0, options.size() - 1));
  result.username = username;
  result.password = secret{password};
  result.peer_info = peer_info;
  for (auto& c : result.options)
    if (!is_printable(c))
      c = '_';
  for (auto& c : result.peer_info)
    if (!is_printable(c) && c != '\n')
      c = '_';
  // A user name may be any UTF-8.
  for (auto& c : result.username)
    if (is_control(c))
      c = '_';
  return result;
}

std::string make_options_string(const options_string_config& cfg) {
  auto is_client = cfg.self == role::client;
  // A 2.6 peer computes this for its placeholder cipher: opcode, IV, padding
  // and packet id around the payload, and the HMAC. Nobody uses the number.
  auto link_mtu = cfg.tun_mtu + 1 + 8 + 8 + 4 + digest_size(cfg.auth)
                  + (cfg.tcp ? 2 : 0) + (cfg.compression ? 1 : 0)
                  + (cfg.fragment ? 4 : 0);
  std::string result = "V4,dev-type tun,link-mtu " + std::to_string(link_mtu);
  result += ",tun-mtu " + std::to_string(cfg.tun_mtu);
  result += cfg.tcp ? ",proto TCP" : ",proto UDP";
  result += cfg.ipv6 ? "v6" : "v4";
  if (cfg.tcp)
    result += is_client ? "_CLIENT" : "_SERVER";
  // A server that migrates looks for the first of these.
  if (cfg.compression)
    result += ",comp-lzo";
  if (cfg.fragment)
    result += ",mtu-dynamic";
  if (cfg.key_direction >= 0)
    result += ",keydir " + std::to_string(cfg.key_direction);
  result += ",auth " + (cfg.auth == "none" ? "[null-digest]" : cfg.auth);
  result += ",keysize 128";
  if (cfg.tls_auth)
    result += ",tls-auth";
  result += ",key-method 2";
  result += is_client ? ",tls-client" : ",tls-server";
  return result;
}

namespace {

constexpr size_t max_differences = 16;

/// The items that count, as the other side should say them.
std::vector<std::string> items_of(std::string_view options, bool mirrored) {
  std::vector<std::string> result;
  while (!options.empty()) {
    auto item = options.substr(0, options.find(','));
    options.remove_prefix(std::min(item.size() + 1, options.size()));
    auto name = item.substr(0, item.find(' '));
    // Settled elsewhere, or different by nature. seen: openvpn 2.6
    constexpr std::string_view settled[]
      = {"key-method", "keydir", "proto", "tls-auth", "tun-ipv6", "cipher", ""};
    if (std::find(std::begin(settled), std::end(settled), name)
        != std::end(settled))
      continue;
    if (mirrored && item == "tls-client")
      item = "tls-server";
    else if (mirrored && item == "tls-server")
      item = "tls-client";
    if (result.size() < 4 * max_differences)
      result.emplace_back(item);
  }
  return result;
}

const std::string* find_item(const std::vector<std::string>& items,
                             std::string_view name) {
  for (const auto& x : items)
    if (std::string_view{x}.substr(0, x.find(' ')) == name)
      return &x;
  return nullptr;
}

} // namespace

std::vector<std::string> options_differences(std::string_view local,
                                             std::string_view remote) {
  std::vector<std::string> result;
  auto ours = items_of(local, true);
  auto theirs = items_of(remote, false);
  for (const auto& x : ours) {
    auto name = x.substr(0, x.find(' '));
    const auto* y = find_item(theirs, name);
    if (y == nullptr)
      result.push_back("'" + name
                       + "' is present in local config but missing in remote "
                         "config, local='"
                       + x + "'");
    else if (*y != x)
      result.push_back("'" + name + "' is used inconsistently, local='" + x
                       + "', remote='" + *y + "'");
  }
  for (const auto& x : theirs) {
    auto name = x.substr(0, x.find(' '));
    if (find_item(ours, name) == nullptr)
      result.push_back("'" + name
                       + "' is present in remote config but missing in local "
                         "config, remote='"
                       + x + "'");
  }
  if (result.size() > max_differences)
    result.resize(max_differences);
  return result;
}

std::string make_peer_info(const peer_info_config& cfg) {
  std::string result;
  add_line(result, "IV_VER", cfg.version);
  add_line(result, "IV_PLAT", "linux");
  add_line(result, "IV_TCPNL", "1");
  add_line(result, "IV_MTU", std::to_string(cfg.max_tun_mtu));
  // Promises exactly these two, to servers that know no cipher list.
  if (contains(cfg.ciphers, "AES-128-GCM")
      && contains(cfg.ciphers, "AES-256-GCM"))
    add_line(result, "IV_NCP", "2");
  std::string ciphers;
  for (const auto& x : cfg.ciphers)
    ciphers += (ciphers.empty() ? "" : ":") + x;
  if (!ciphers.empty())
    add_line(result, "IV_CIPHERS", ciphers);
  add_line(result, "IV_PROTO", std::to_string(cfg.proto));
  // A stub of LZO is promised where the real one is not.
  if (cfg.allow_compressed)
    for (auto name : {"IV_LZ4", "IV_LZ4v2", "IV_LZO"})
      add_line(result, name, "1");
  else
    add_line(result, "IV_LZO_STUB", "1");
  add_line(result, "IV_COMP_STUB", "1");
  add_line(result, "IV_COMP_STUBv2", "1");
  auto add_known = [&](const char* name, const std::string& value) {
    if (!value.empty())
      add_line(result, name, value);
  };
  add_known("IV_HWADDR", cfg.hardware_address);
  add_known("IV_SSL", cfg.tls_library);
  add_known("IV_PLAT_VER", cfg.platform_version);
  auto is_ours = [](const std::string& key) {
    return key.compare(0, 3, "IV_") == 0;
  };
  for (const auto& [key, value] : cfg.extra)
    if (!is_ours(key))
      add_line(result, key, value);
  // IV_GUI_VER and what else a profile sets.
  for (const auto& [key, value] : cfg.extra)
    if (is_ours(key))
      add_line(result, key, value);
  add_known("IV_SSO", cfg.sso);
  return result;
}

std::string peer_info_value(std::string_view peer_info, std::string_view key) {
  while (!peer_info.empty()) {
    auto line = peer_info.substr(0, peer_info.find('\n'));
    if (line.size() > key.size() && line[key.size()] == '='
        && line.substr(0, key.size()) == key)
      return std::string{line.substr(key.size() + 1)};
    peer_info.remove_prefix(std::min(line.size() + 1, peer_info.size()));
  }
  return {};
}

} // namespace vpn::protocol
