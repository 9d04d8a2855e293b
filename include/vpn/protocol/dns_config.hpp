// Name servers and domains of a tunnel, from `dns` and from `dhcp-option`.
// spec: openvpn-wire 7.2
#pragma once

#include "vpn/protocol/ip_address.hpp"

#include <string>
#include <vector>

namespace vpn::protocol {

enum class dns_transport : uint8_t { plain, https, tls };
enum class dns_security : uint8_t { unset, no, optional, yes };

/// One `dns server N`.
struct dns_server {
  /// Lower is preferred: -128..127.
  int priority = 0;
  /// At most eight; port zero is the usual one of the transport.
  std::vector<endpoint> addresses;
  /// Only names below these go to it; empty: all names.
  std::vector<std::string> resolve_domains;
  dns_security dnssec = dns_security::unset;
  dns_transport transport = dns_transport::plain;
  std::string sni;
  friend bool operator==(const dns_server& x, const dns_server& y) {
    return x.priority == y.priority && x.addresses == y.addresses
           && x.resolve_domains == y.resolve_domains && x.dnssec == y.dnssec
           && x.transport == y.transport && x.sni == y.sni;
  }
};

struct dns_config {
  std::vector<std::string> search_domains;
  /// Sorted by priority.
  std::vector<dns_server> servers;
  bool empty() const noexcept {
    return search_domains.empty() && servers.empty();
  }
  friend bool operator==(const dns_config& x, const dns_config& y) {
    return x.search_domains == y.search_domains && x.servers == y.servers;
  }
};

} // namespace vpn::protocol
