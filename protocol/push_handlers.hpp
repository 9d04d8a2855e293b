// Pushed options while they are applied: what came of them so far, and the
// handlers of those that do not shape the tunnel itself.
// spec: openvpn-wire 7.2
#pragma once

#include "vpn/protocol/push_options.hpp"

#include <optional>
#include <string>

#include "tunnel_options.hpp"

namespace vpn::protocol {

/// More options than this are not even looked at, nor longer ones.
constexpr size_t max_pushed = 8192;
constexpr size_t max_pushed_size = 1024;

struct push_state {
  explicit push_state(const pull_config& cfg);

  /// `name` in quotes, as `shown_name` makes it.
  void warn(const std::string& name, const std::string& text);
  /// The first failure counts.
  void fail(const std::string& text);

  const pull_config& own;
  tunnel_draft draft;
  negotiated_options result;
  /// The cipher as it was pushed.
  std::optional<std::string> cipher;
  /// The framing as it was pushed, and the option's words.
  std::optional<compression_framing> framing;
  std::string framing_text;
  bool wants_epoch = false;
  std::optional<failure> failed;
};

using push_handler = option_outcome (*)(push_state&, const option_words&);

/// Nothing when the option has no effect or shapes the tunnel.
push_handler find_push_handler(std::string_view name);

} // namespace vpn::protocol
