// Turns the host and port of a `remote` line into endpoints. Blocks while the
// resolver works, so only RESOLVER calls it.
#include "vpn/actors/name_lookup.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace vpn::actors {

namespace {

/// A name server may answer with hundreds of addresses; trying them all would
/// take hours.
constexpr size_t max_endpoints = 16;

using answer = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// What a person typed, safe to show.
std::string quoted(const std::string& x) {
  std::string result = "'";
  for (auto c : x.substr(0, 255))
    result += c < ' ' || c > '~' ? '?' : c;
  return result + "'";
}

bool is_number(std::string_view x) {
  return !x.empty() && std::all_of(x.begin(), x.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

/// The port when `text` is a usable number.
std::optional<uint16_t> port_number(std::string_view text) {
  uint32_t result = 0;
  auto last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, result);
  if (error != std::errc{} || end != last || result == 0 || result > 65535)
    return std::nullopt;
  return static_cast<uint16_t>(result);
}

int to_af(family kind) {
  switch (kind) {
    case family::v4:
      return AF_INET;
    case family::v6:
      return AF_INET6;
    default:
      return AF_UNSPEC;
  }
}

/// What a person can do about it depends on whether the name is wrong or the
/// name server out of reach.
std::string lookup_error(int code, int system_code, family kind) {
  switch (code) {
    case EAI_AGAIN:
      return "no name server answered; this may pass";
    case EAI_NONAME:
      return "the name does not exist";
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return kind == family::unspecified
               ? "the name has no address"
               : std::string{"the name has no address of "}
                   + (kind == family::v4 ? "IPv4" : "IPv6");
    case EAI_FAIL:
      return "the name server refused to answer";
    case EAI_SYSTEM:
      return std::generic_category().message(system_code);
    default:
      return ::gai_strerror(code);
  }
}

std::optional<endpoint> to_endpoint(const addrinfo& x) {
  endpoint result;
  if (x.ai_family == AF_INET && x.ai_addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, x.ai_addr, sizeof(in));
    result.address.kind = family::v4;
    std::memcpy(result.address.octets.data(), &in.sin_addr, 4);
    result.port = ntohs(in.sin_port);
    return result;
  }
  if (x.ai_family == AF_INET6 && x.ai_addrlen >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, x.ai_addr, sizeof(in));
    result.address.kind = family::v6;
    std::memcpy(result.address.octets.data(), &in.sin6_addr, 16);
    result.port = ntohs(in.sin6_port);
    result.scope = in.sin6_scope_id;
    return result;
  }
  return std::nullopt;
}

/// Asks the resolver once. Zero on success, else the EAI code.
int ask(const std::string& host, const std::string& port, int flags, int af,
        bool tcp, answer& out) {
  addrinfo hints;
  std::memset(&hints, 0, sizeof(hints));
  hints.ai_flags = flags;
  hints.ai_family = af;
  hints.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM;
  addrinfo* found = nullptr;
  auto code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  out.reset(code == 0 ? found : nullptr);
  return code;
}

/// Nothing that a second question without AI_ADDRCONFIG could change.
bool is_final(int code) {
  return code != EAI_NONAME && code != EAI_NODATA && code != EAI_ADDRFAMILY;
}

} // namespace

expected<std::vector<endpoint>, failure> look_up(const std::string& host,
                                                 const std::string& port,
                                                 family kind, bool tcp) {
  // A NUL would hide the rest of the name from the resolver.
  if (host.empty() || host.find('\0') != std::string::npos)
    return failure{reason::bad_config, "the name of the host is missing"};
  auto numeric_port = is_number(port);
  auto number = numeric_port ? port_number(port) : std::nullopt;
  if (port.empty() || port.find('\0') != std::string::npos
      || (numeric_port && !number))
    return failure{reason::bad_config, "port " + quoted(port) + " of host "
                                         + quoted(host)
                                         + " is not a number of 1 to 65535"};
  if (auto address = parse_ip(host); address) {
    if (kind != family::unspecified && kind != address->kind)
      return failure{reason::resolve_failed,
                     "cannot use host " + quoted(host)
                       + ": it is not an address of "
                       + (kind == family::v4 ? "IPv4" : "IPv6")};
    if (number)
      return std::vector<endpoint>{{*address, *number, 0}};
  }
  answer found{nullptr, &::freeaddrinfo};
  auto flags = numeric_port ? AI_NUMERICSERV : 0;
  auto af = to_af(kind);
  // First only families this host has: on a host without IPv6 each AAAA
  // would cost a failed attempt. Some hosts look as if they had none at all.
  auto code = ask(host, port, flags | AI_ADDRCONFIG, af, tcp, found);
  if (code != 0 && !is_final(code))
    code = ask(host, port, flags, af, tcp, found);
  auto system_code = errno;
  if (code == EAI_SERVICE)
    return failure{reason::bad_config, "port " + quoted(port) + " of host "
                                         + quoted(host)
                                         + ": no service has this name"};
  if (code != 0)
    return failure{reason::resolve_failed,
                   "cannot resolve host " + quoted(host) + ": "
                     + lookup_error(code, system_code, kind)};
  std::vector<endpoint> result;
  for (auto* i = found.get(); i != nullptr && result.size() < max_endpoints;
       i = i->ai_next)
    if (auto x = to_endpoint(*i);
        x && std::find(result.begin(), result.end(), *x) == result.end())
      result.push_back(*x);
  if (result.empty())
    return failure{reason::resolve_failed, "cannot resolve host " + quoted(host)
                                             + ": it has no address"};
  return result;
}

} // namespace vpn::actors
