// `dhcp-option`: each kind with what may follow it. Scripts and resolvers get
// these words, so they are held to the few characters they can have.
// spec: openvpn-wire 7.2
#include "tunnel_options_dhcp.hpp"

#include "vpn/protocol/option_lexer.hpp"

#include <algorithm>
#include <iterator>

#include "tunnel_options_dns.hpp"

namespace vpn::protocol {

namespace {

constexpr std::string_view dhcp_prefix = "dhcp-option ";
/// What a stock client takes of either family.
constexpr size_t max_dhcp_addresses = 4;

/// Nothing that a shell or a resolver's configuration file would take for more
/// than a name or an address. A slash is in URLs alone.
bool is_harmless_word(const std::string& word) {
  auto is_url
    = word.compare(0, 7, "http://") == 0 || word.compare(0, 8, "https://") == 0;
  auto is_harmless = [&](char c) {
    return is_letter_or_digit(c)
           || std::string_view{".:-_"}.find(c) != std::string_view::npos
           || (c == '/' && is_url);
  };
  return !word.empty() && word.size() <= 255 && word.front() != '-'
         && std::all_of(word.begin(), word.end(), is_harmless);
}

/// "DOMAIN-ROUTE": kinds that this program does not know look like that too.
bool is_type_name(const std::string& word) {
  return word.front() >= 'A' && word.front() <= 'Z'
         && std::all_of(word.begin(), word.end(), [](char c) {
              return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                     || c == '-' || c == '_';
            });
}

bool is_any_address(const std::string& word) {
  return static_cast<bool>(parse_ip(word));
}
bool is_address_v4(const std::string& word) {
  return static_cast<bool>(parse_ip(word, family::v4));
}
bool is_address_v6(const std::string& word) {
  return static_cast<bool>(parse_ip(word, family::v6));
}
bool is_domain(const std::string& word) {
  return is_domain_name(word);
}
bool is_netbios_node(const std::string& word) {
  return word == "1" || word == "2" || word == "4" || word == "8";
}
bool is_host(const std::string& word) {
  return is_any_address(word) || is_domain_name(word);
}
bool is_web_address(const std::string& word) {
  return word.compare(0, 7, "http://") == 0
         || word.compare(0, 8, "https://") == 0;
}

struct dhcp_type {
  std::string_view name;
  size_t min_values;
  size_t max_values;
  bool (*is_valid)(const std::string&);
  const char* wanted;
};

constexpr dhcp_type dhcp_types[] = {
  {"ADAPTER_DOMAIN_SUFFIX", 1, 1, is_domain, "a domain"},
  {"DISABLE-NBT", 0, 0, is_domain, "nothing"},
  {"DNS", 1, 1, is_any_address, "an address"},
  {"DNS6", 1, 1, is_address_v6, "an IPv6 address"},
  {"DOMAIN", 1, 1, is_domain, "a domain"},
  {"DOMAIN-SEARCH", 1, 1, is_domain, "a domain"},
  {"NBDD", 1, 1, is_address_v4, "an IPv4 address"},
  {"NBS", 1, 1, is_domain, "a scope"},
  {"NBT", 1, 1, is_netbios_node, "1, 2, 4 or 8"},
  {"NTP", 1, 1, is_address_v4, "an IPv4 address"},
  {"PROXY_AUTO_CONFIG_URL", 1, 1, is_web_address, "an http or https URL"},
  {"PROXY_BYPASS", 1, max_option_words, is_host, "hosts"},
  // Host and port.
  {"PROXY_HTTP", 1, 2, nullptr, "a host and a port"},
  {"PROXY_HTTPS", 1, 2, nullptr, "a host and a port"},
  {"WINS", 1, 1, is_address_v4, "an IPv4 address"},
};

bool fits(const dhcp_type& type, const option_words& words) {
  auto count = words.size() - 2;
  if (count < type.min_values || count > type.max_values)
    return false;
  if (type.is_valid == nullptr)
    return is_host(words[2])
           && (count == 1 || parse_number(words[3], 1, 0xffff));
  return std::all_of(words.begin() + 2, words.end(), type.is_valid);
}

/// Type and first value of a line of foreign options; empty when it is another
/// option.
std::pair<std::string_view, std::string_view>
split_dhcp_line(std::string_view line) {
  if (line.substr(0, dhcp_prefix.size()) != dhcp_prefix)
    return {};
  line.remove_prefix(dhcp_prefix.size());
  auto blank = std::min(line.find(' '), line.size());
  auto value = line.substr(std::min(blank + 1, line.size()));
  return {line.substr(0, blank), value};
}

bool is_server_type(std::string_view type) {
  return type == "DNS" || type == "DNS6";
}

} // namespace

option_outcome add_dhcp_option(tunnel_draft& draft, const option_words& words) {
  std::string line;
  for (auto& word : words) {
    // The word is not repeated: a terminal might obey it.
    if (!is_harmless_word(word))
      return not_applied("a word of it is empty, too long, or has characters "
                         "other than letters, digits and . : - _");
    line += (line.empty() ? "" : " ") + word;
  }
  option_outcome result;
  auto type
    = std::find_if(std::begin(dhcp_types), std::end(dhcp_types), [&](auto& x) {
        return x.name == words[1];
      });
  if (type == std::end(dhcp_types) && !is_type_name(words[1]))
    return not_applied(quoted(words[1]) + " is no kind of it");
  if (type == std::end(dhcp_types))
    result.warning = quoted(words[1]) + " is unknown and left to scripts";
  else if (!fits(*type, words))
    return not_applied("after " + words[1] + " belongs " + type->wanted);
  if (!add_once(draft.tunnel.foreign_options, line, max_foreign_options))
    return not_applied("more than 64 options of this kind");
  return result;
}

dns_config dns_of_dhcp_options(const std::vector<std::string>& foreign) {
  dns_config result;
  dns_server server;
  std::vector<std::string> search;
  size_t of_v4 = 0;
  size_t of_v6 = 0;
  for (auto& line : foreign) {
    auto [type, value] = split_dhcp_line(line);
    if (is_server_type(type)) {
      auto address = parse_ip(value);
      if (!address)
        continue;
      auto& count = address->kind == family::v6 ? of_v6 : of_v4;
      if (count < max_dhcp_addresses
          && add_once(server.addresses, {*address, 0, 0}, max_dns_addresses))
        ++count;
    } else if ((type == "DOMAIN" || type == "ADAPTER_DOMAIN_SUFFIX")
               && is_domain_name(value)) {
      add_once(result.search_domains, std::string{value}, max_search_domains);
    } else if (type == "DOMAIN-SEARCH" && is_domain_name(value)) {
      search.emplace_back(value);
    }
  }
  // The domain of the connection is searched before the others.
  for (auto& x : search)
    add_once(result.search_domains, x, max_search_domains);
  if (!server.addresses.empty())
    result.servers.push_back(std::move(server));
  return result;
}

std::vector<std::string> foreign_options_of(const tunnel_config& tunnel) {
  auto implied = dns_of_dhcp_options(tunnel.foreign_options);
  auto replaces_servers = tunnel.dns.servers != implied.servers;
  auto replaces_search = tunnel.dns.search_domains != implied.search_domains;
  std::vector<std::string> result;
  for (auto& line : tunnel.foreign_options) {
    auto type = split_dhcp_line(line).first;
    if (!(replaces_servers && is_server_type(type))
        && !(replaces_search && type == "DOMAIN-SEARCH"))
      result.push_back(line);
  }
  // Scripts know no split view: they get the preferred server.
  if (replaces_servers && !tunnel.dns.servers.empty())
    for (auto& x : tunnel.dns.servers.front().addresses)
      result.push_back(std::string{dhcp_prefix}
                       + (x.address.kind == family::v6 ? "DNS6 " : "DNS ")
                       + to_string(x.address));
  if (replaces_search)
    for (auto& x : tunnel.dns.search_domains)
      result.push_back(std::string{dhcp_prefix} + "DOMAIN-SEARCH " + x);
  return result;
}

} // namespace vpn::protocol
