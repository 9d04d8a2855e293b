// `dns`: domains to search, and name servers by priority, merged with what
// `dhcp-option` says.
// spec: openvpn-wire 7.2
#include "tunnel_options_dns.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "tunnel_options_dhcp.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_resolve_domains = 64;

/// "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53".
std::optional<endpoint> parse_server_address(std::string_view text) {
  endpoint result;
  auto kind = family::v4;
  auto host = text;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    auto end = text.find(']');
    if (end == std::string_view::npos)
      return std::nullopt;
    kind = family::v6;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (std::count(text.begin(), text.end(), ':') > 1) {
    kind = family::v6;
  } else if (auto colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  auto address = parse_ip(host, kind);
  if (!address)
    return std::nullopt;
  result.address = *address;
  if (port.empty())
    return result;
  auto number = parse_number(port.substr(1), 1, 0xffff);
  if (port.front() != ':' || !number)
    return std::nullopt;
  result.port = static_cast<uint16_t>(*number);
  return result;
}

/// A priority, -128..127; a server has only those from zero on.
std::optional<int> parse_priority(std::string_view text, bool pushed) {
  auto is_negative = !text.empty() && text.front() == '-';
  if (is_negative && pushed)
    return std::nullopt;
  auto number = parse_number(is_negative ? text.substr(1) : text, 0,
                             is_negative ? 128 : 127);
  if (!number)
    return std::nullopt;
  auto value = static_cast<int>(*number);
  return is_negative ? -value : value;
}

option_outcome add_domains(std::vector<std::string>& out,
                           const option_words& words, size_t first,
                           size_t limit) {
  auto all = out;
  for (auto i = first; i < words.size(); ++i) {
    if (!is_domain_name(words[i]))
      return not_applied("a word of it is not a domain");
    if (!add_once(all, words[i], limit))
      return not_applied("more than " + std::to_string(limit) + " domains");
  }
  out = std::move(all);
  return {};
}

option_outcome add_addresses(dns_server& server, const option_words& words) {
  for (size_t i = 4; i < words.size(); ++i) {
    auto address = parse_server_address(words[i]);
    if (!address)
      return not_applied(quoted(words[i])
                         + " is not an address with or without a port");
    if (!add_once(server.addresses, *address, max_dns_addresses))
      return not_applied("more than 8 addresses");
  }
  return {};
}

template <class T>
option_outcome choose(T& out, const option_words& words,
                      std::initializer_list<std::pair<const char*, T>> known) {
  if (words.size() == 5)
    for (auto& [name, value] : known)
      if (words[4] == name) {
        out = value;
        return {};
      }
  return not_applied("the value of " + words[3] + " is unknown");
}

option_outcome set_server(dns_server& server, const option_words& words) {
  auto& what = words[3];
  if (what == "address")
    return add_addresses(server, words);
  if (what == "resolve-domains")
    return add_domains(server.resolve_domains, words, 4, max_resolve_domains);
  if (what == "dnssec")
    return choose<dns_security>(server.dnssec, words,
                                {{"yes", dns_security::yes},
                                 {"no", dns_security::no},
                                 {"optional", dns_security::optional}});
  if (what == "transport")
    return choose<dns_transport>(server.transport, words,
                                 {{"plain", dns_transport::plain},
                                  {"DoH", dns_transport::https},
                                  {"DoT", dns_transport::tls}});
  if (what != "sni")
    return not_applied(quoted(what) + " of a server is unknown");
  if (words.size() != 5 || !is_domain_name(words[4]))
    return not_applied("the name after sni is not a domain");
  server.sni = words[4];
  return {};
}

option_outcome add_dns(tunnel_draft& draft, const option_words& words) {
  auto& dns = draft.tunnel.dns;
  if (words[1] == "search-domains" && words.size() > 2)
    return add_domains(dns.search_domains, words, 2, max_search_domains);
  if (words[1] != "server" || words.size() < 5)
    return not_applied("it is neither `search-domains DOMAIN...` nor `server "
                       "PRIORITY` with what is to be set and its value");
  auto priority = parse_priority(words[2], draft.pushed);
  if (!priority)
    return not_applied(quoted(words[2]) + " is not a priority from "
                       + (draft.pushed ? "0" : "-128") + " to 127");
  auto i = std::find_if(dns.servers.begin(), dns.servers.end(), [&](auto& x) {
    return x.priority == *priority;
  });
  auto server = i == dns.servers.end() ? dns_server{} : *i;
  server.priority = *priority;
  auto result = set_server(server, words);
  if (!result.error.empty())
    return result;
  if (i == dns.servers.end())
    dns.servers.push_back(std::move(server));
  else
    *i = std::move(server);
  return result;
}

constexpr tunnel_option options[] = {
  {"dhcp-option", add_dhcp_option, true},
  {"dns", add_dns, true},
};

} // namespace

const tunnel_option* find_dns_option(std::string_view name) {
  auto i = std::find_if(std::begin(options), std::end(options), [&](auto& x) {
    return x.name == name;
  });
  return i == std::end(options) ? nullptr : i;
}

bool is_domain_name(std::string_view text) {
  constexpr size_t max_name = 253;
  constexpr size_t max_label = 63;
  // One dot at the end says that the name is complete.
  if (!text.empty() && text.back() == '.')
    text.remove_suffix(1);
  if (text.empty() || text.size() > max_name)
    return false;
  for (;;) {
    auto label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > max_label || label.front() == '-'
        || !std::all_of(label.begin(), label.end(), [](char c) {
             return is_letter_or_digit(c) || c == '-' || c == '_';
           }))
      return false;
    if (label.size() == text.size())
      return true;
    text.remove_prefix(label.size() + 1);
  }
}

void reopen_dns(tunnel_draft& draft) {
  auto& dns = draft.tunnel.dns;
  auto implied = dns_of_dhcp_options(draft.tunnel.foreign_options);
  if (dns.servers == implied.servers)
    dns.servers.clear();
  if (dns.search_domains == implied.search_domains)
    dns.search_domains.clear();
  draft.own_servers = std::move(dns.servers);
  dns.servers.clear();
}

std::string finish_dns(tunnel_draft& draft) {
  std::string problem;
  auto& dns = draft.tunnel.dns;
  auto has = [&](int priority) {
    return std::any_of(dns.servers.begin(), dns.servers.end(), [&](auto& x) {
      return x.priority == priority;
    });
  };
  for (auto& x : draft.own_servers)
    if (!has(x.priority))
      dns.servers.push_back(std::move(x));
  draft.own_servers.clear();
  std::stable_sort(dns.servers.begin(), dns.servers.end(),
                   [](auto& x, auto& y) {
                     return x.priority < y.priority;
                   });
  auto i = std::find_if(dns.servers.begin(), dns.servers.end(), [](auto& x) {
    return x.addresses.empty();
  });
  if (i != dns.servers.end()) {
    problem = "server " + std::to_string(i->priority)
              + " has no address, so none of these options counts";
    dns = {};
  }
  auto implied = dns_of_dhcp_options(draft.tunnel.foreign_options);
  if (dns.servers.empty())
    dns.servers = std::move(implied.servers);
  if (dns.search_domains.empty())
    dns.search_domains = std::move(implied.search_domains);
  return problem;
}

} // namespace vpn::protocol
