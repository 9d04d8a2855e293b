// Key method 2: the one record each side sends when TLS is up; the options
// string and the peer info inside it.
// spec: openvpn-rfc#peerinfo, openvpn-wire 5.2, 5.3, 6
#pragma once

#include "vpn/protocol/key_derivation.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

struct key_method_record {
  key_source source;
  /// Options string ("V4,dev-type tun,..."), mandatory, at most 511 bytes.
  std::string options;
  std::string username;
  secret password;
  /// "KEY=value\n" lines.
  std::string peer_info;
};

/// The record that `from` sends; the result is wiped when it ends. Texts are
/// cut to what a peer accepts: 511 bytes of options, 4095 of each other.
secret write_key_method(const key_method_record& x, role from);

/// Parses the record that `from` sent. Missing trailing strings read as empty,
/// a string is cut at its first NUL, and control characters in options, user
/// name or peer info are replaced by '_'.
expected<key_method_record> read_key_method(byte_view record, role from);

struct options_string_config {
  role self = role::client;
  bool tcp = false;
  bool ipv6 = false;
  bool tls_auth = false;
  /// tls-auth's direction, or -1 for none.
  int key_direction = -1;
  uint32_t tun_mtu = 1500;
  std::string auth = "SHA1";
  /// Any compression framing, and `fragment`.
  bool compression = false;
  bool fragment = false;
};

/// Our view of the tunnel, for the peer's consistency check.
std::string make_options_string(const options_string_config& cfg);

/// What two ends of a tunnel say differently, a text for each, in OpenVPN's
/// words: "'mtu-dynamic' is present in remote config but missing in local
/// config, remote='mtu-dynamic'". Both strings are as their side sends them;
/// what the negotiation settles is left out. At most 16 texts.
std::vector<std::string> options_differences(std::string_view local,
                                             std::string_view remote);

/// IV_PROTO bits we implement.
/// spec: openvpn-wire 6
namespace iv_proto {
constexpr uint32_t data_v2 = 1u << 1;
constexpr uint32_t request_push = 1u << 2;
constexpr uint32_t tls_key_export = 1u << 3;
constexpr uint32_t auth_pending_keyword = 1u << 4;
constexpr uint32_t dns_option = 1u << 6;
constexpr uint32_t cc_exit_notify = 1u << 7;
constexpr uint32_t auth_fail_temp = 1u << 8;
constexpr uint32_t dynamic_tls_crypt = 1u << 9;
constexpr uint32_t data_epoch = 1u << 10;
constexpr uint32_t dns_option_v2 = 1u << 11;
constexpr uint32_t push_update = 1u << 12;
} // namespace iv_proto

struct peer_info_config {
  std::string version;
  std::vector<std::string> ciphers;
  uint32_t max_tun_mtu = 1600;
  uint32_t proto = iv_proto::data_v2 | iv_proto::request_push
                   | iv_proto::tls_key_export | iv_proto::auth_pending_keyword
                   | iv_proto::dns_option | iv_proto::cc_exit_notify
                   | iv_proto::auth_fail_temp | iv_proto::dynamic_tls_crypt
                   | iv_proto::data_epoch | iv_proto::dns_option_v2
                   | iv_proto::push_update;
  /// IV_LZO, IV_LZ4, IV_LZ4v2: compressed packets can be opened.
  bool allow_compressed = false;
  /// IV_SSO: ways to log in beside the tunnel, "webauth,openurl,crtext".
  std::string sso;
  /// `push-peer-info`: IV_HWADDR, IV_SSL, IV_PLAT_VER when not empty.
  std::string hardware_address, tls_library, platform_version;
  /// Extra lines, such as UV_ variables.
  std::vector<std::pair<std::string, std::string>> extra;
};

std::string make_peer_info(const peer_info_config& cfg);

/// The value of `key` in peer info text, empty if absent.
std::string peer_info_value(std::string_view peer_info, std::string_view key);

} // namespace vpn::protocol
