// Text messages of the control channel: what they say.
// spec: openvpn-rfc#pushreply, openvpn-wire 7.5, 7.6
#pragma once

#include "vpn/protocol/error.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vpn::protocol {

struct push_request {};
struct push_reply {
  /// Options of this part, as pushed, without the push-continuation.
  std::vector<std::string> options;
  /// 2: another part follows.
  bool more = false;
};
/// PUSH_UPDATE of 2.7: options as pushed, each with its prefix "-", "?" or
/// "-?". spec: openvpn-wire 7.8
struct push_update {
  std::vector<std::string> options;
  bool more = false;
};
/// Where the next try goes after AUTH_FAILED,TEMP.
enum class advance : uint8_t {
  /// The same address.
  no,
  /// The next address of the same name.
  address,
  /// The next `remote`.
  remote,
};
struct auth_failed {
  /// Text after the comma (for TEMP after the colon), empty when there is none.
  std::string reason;
  /// AUTH_FAILED,TEMP: try again after `backoff_seconds` (0: as usual).
  bool temporary = false;
  /// What stood between TEMP and the colon: "[backoff 1,advance no]".
  std::string temporary_keys;
  uint32_t backoff_seconds = 0;
  advance where = advance::no;
};
struct auth_pending {
  /// Seconds the server will wait, 0 if it does not say.
  uint32_t timeout_seconds = 0;
};
/// INFO_PRE and INFO: something a person should see.
struct info_message {
  std::string text;
};
/// INFO_PRE with WEB_AUTH:flags:url or OPEN_URL:url. Only http and https.
struct open_url {
  std::string url;
  /// As the server worded them: "hidden,external".
  std::string flags;
};
/// INFO_PRE with CR_TEXT:flags:text: a challenge while the server waits.
struct challenge_text {
  std::string text;
  bool echo = false;
  bool needs_response = false;
};
/// CR_RESPONSE of a client, decoded (servers only).
struct challenge_response {
  std::string response;
};
/// RESTART and HALT. `keep_credentials` is [P], `next_remote` is [N].
struct server_stop {
  bool halt = false;
  bool keep_credentials = false;
  bool next_remote = false;
  std::string text;
};
struct exit_message {};
/// Anything else; ignored with a warning.
struct unknown_message {
  std::string text;
};

using text_message
  = std::variant<push_request, push_reply, push_update, auth_failed,
                 auth_pending, info_message, open_url, challenge_text,
                 challenge_response, server_stop, exit_message,
                 unknown_message>;

/// Never fails: what cannot be understood is `unknown_message`. `text` is one
/// message without its NUL, printable characters only.
text_message parse_text_message(std::string_view text);

/// "PUSH_REPLY,..." cut into messages of at most 1024 bytes with
/// push-continuation, as a server sends them. `bad_value` when one option alone
/// is too long or holds a comma.
/// spec: openvpn-wire 7.1
expected<std::vector<std::string>>
write_push_reply(const std::vector<std::string>& options);

} // namespace vpn::protocol
