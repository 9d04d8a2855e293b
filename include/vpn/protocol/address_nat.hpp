// Option `client-nat`: IPv4 addresses of one network stand for those of
// another, inside this client.
// spec: openvpn-wire 7.2
#pragma once

#include "vpn/protocol/ip_address.hpp"

#include <vector>

namespace vpn::protocol {

/// One rule of `client-nat`: addresses of one network stand for those of
/// another of the same size. spec: openvpn-wire 7.2
struct nat_rule {
  /// snat: the source of what leaves; dnat: its destination.
  bool source = true;
  ip_prefix network;
  ip_address foreign;
};

/// Rewrites addresses and whatever checksum covers them. Host bits stay. The
/// first rule that fits an address is the one that changes it.
class address_nat {
public:
  /// Rules of another family than IPv4 are left out.
  explicit address_nat(const std::vector<nat_rule>& rules = {});
  bool empty() const noexcept { return rules_.empty(); }

  /// A complete packet on its way to the network: `network` becomes `foreign`.
  /// True when it was changed.
  bool outgoing(mutable_byte_view packet) const noexcept;
  /// The way back: the other address, the other way round.
  bool incoming(mutable_byte_view packet) const noexcept;

private:
  struct rule {
    bool source;
    uint32_t mask, network, foreign;
  };
  bool rewrite(mutable_byte_view packet, bool leaves) const noexcept;

  std::vector<rule> rules_;
};

} // namespace vpn::protocol
