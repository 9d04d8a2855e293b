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
struct auth_failed {
  /// Text after the comma, empty when there is none.
  std::string reason;
  /// AUTH_FAILED,TEMP: try again after `backoff_seconds` (0: as usual).
  bool temporary = false;
  uint32_t backoff_seconds = 0;
};
struct auth_pending {
  /// Seconds the server will wait, 0 if it does not say.
  uint32_t timeout_seconds = 0;
};
/// INFO_PRE and INFO: something a person should see.
struct info_message {
  std::string text;
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
  = std::variant<push_request, push_reply, auth_failed, auth_pending,
                 info_message, server_stop, exit_message, unknown_message>;

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
