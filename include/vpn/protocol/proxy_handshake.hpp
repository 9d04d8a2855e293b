// Asking a proxy for a way to the server: what all kinds of proxy share.
// spec: openvpn-wire 1.3, 1.4
#pragma once

#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/secret.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace vpn::protocol {

enum class proxy_step : uint8_t {
  /// Send `take_output`, then hand over what comes.
  talking,
  /// The proxy wants to be asked again, on a new connection: close this one,
  /// then call `begin` on the next one.
  reconnect,
  /// The way is free: what comes from now on is the server's.
  open,
  /// `error` says why.
  failed,
};

/// One dialogue with a proxy. How long it may take is its owner's business; how
/// much memory the proxy can make it use is bounded here.
class proxy_handshake {
public:
  virtual ~proxy_handshake() = default;

  /// A connection to the proxy stands.
  virtual void begin() = 0;

  /// Takes bytes of the proxy and returns how many of them were meant for us.
  /// The others belong to the server's stream.
  virtual size_t receive(byte_view xs) = 0;

  /// The proxy has closed the connection.
  void closed() {
    if (step_ == proxy_step::talking)
      fail("closed the connection before it had answered");
  }

  proxy_step step() const noexcept { return step_; }
  /// What is to be sent, each byte once. It may hold credentials.
  secret take_output() { return std::exchange(output_, secret{}); }
  const failure& error() const noexcept { return error_; }
  /// "HTTP proxy proxy.example:3128".
  const std::string& name() const noexcept { return name_; }

protected:
  proxy_handshake(std::string_view kind, std::string_view host,
                  std::string_view port)
    : name_(std::string{kind} + " " + shown(host) + ":" + shown(port)) {}

  /// Ends the dialogue; the text begins with the name of the proxy. A proxy
  /// that refuses is no reason to give up for good: another server's entry may
  /// have another way.
  void fail(const std::string& text, reason why = reason::transport_failed) {
    output_.clear();
    step_ = proxy_step::failed;
    error_ = {why, name_ + " " + text};
  }

  /// Somebody else's words, safe to show.
  static std::string shown(std::string_view text) {
    constexpr size_t limit = 80;
    std::string result;
    for (auto c : text.substr(0, limit))
      result += c >= ' ' && c <= '~' ? c : '?';
    return text.size() > limit ? result + "..." : result;
  }

  proxy_step step_ = proxy_step::talking;
  secret output_;

private:
  std::string name_;
  failure error_;
};

} // namespace vpn::protocol
