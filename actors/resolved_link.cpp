// systemd-resolved, org.freedesktop.resolve1.Manager.
#include "resolved_link.hpp"

#include "vpn/actors/host_dns.hpp"

#include <algorithm>
#include <cstring>

#include <sys/socket.h>
#include <systemd/sd-bus.h>

namespace vpn::actors {

namespace {

using protocol::dns_config;
using protocol::dns_security;
using protocol::dns_server;
using protocol::dns_transport;

constexpr const char* service = "org.freedesktop.resolve1";
constexpr const char* object = "/org/freedesktop/resolve1";
constexpr const char* interface = "org.freedesktop.resolve1.Manager";
constexpr uint64_t limit_us = 2'000'000;

/// Ends a message however its scope ends.
struct message {
  sd_bus_message* get = nullptr;
  ~message() { sd_bus_message_unref(get); }
};
struct bus_error {
  sd_bus_error get{};
  ~bus_error() { sd_bus_error_free(&get); }
};

bool has_owner(sd_bus* bus) {
  bus_error error;
  message reply;
  int owned = 0;
  return sd_bus_call_method(bus, "org.freedesktop.DBus",
                            "/org/freedesktop/DBus", "org.freedesktop.DBus",
                            "NameHasOwner", &error.get, &reply.get, "s",
                            service)
           >= 0
         && sd_bus_message_read(reply.get, "b", &owned) >= 0 && owned != 0;
}

/// The most preferred server that resolved can ask.
const dns_server* choose(const dns_config& cfg) {
  auto i = std::find_if(cfg.servers.begin(), cfg.servers.end(), [](auto& x) {
    return x.transport != dns_transport::https && !x.addresses.empty();
  });
  return i == cfg.servers.end() ? nullptr : &*i;
}

int append_servers(sd_bus_message* m, const dns_server& x) {
  auto n = sd_bus_message_open_container(m, 'a', "(iayqs)");
  for (const auto& y : x.addresses) {
    n = std::min(n, sd_bus_message_open_container(m, 'r', "iayqs"));
    n = std::min(n,
                 sd_bus_message_append(
                   m, "i", y.address.kind == family::v6 ? AF_INET6 : AF_INET));
    n = std::min(n, sd_bus_message_append_array(m, 'y', y.address.octets.data(),
                                                y.address.size()));
    n = std::min(n, sd_bus_message_append(m, "qs", y.port, x.sni.c_str()));
    n = std::min(n, sd_bus_message_close_container(m));
  }
  return std::min(n, sd_bus_message_close_container(m));
}

/// Search domains, then domains that lead here without being searched; all of
/// them when the server has none of its own.
int append_domains(sd_bus_message* m, const dns_config& cfg,
                   const dns_server* server) {
  auto n = sd_bus_message_open_container(m, 'a', "(sb)");
  for (const auto& x : cfg.search_domains)
    n = std::min(n, sd_bus_message_append(m, "(sb)", x.c_str(), 0));
  if (server != nullptr) {
    for (const auto& x : server->resolve_domains)
      n = std::min(n, sd_bus_message_append(m, "(sb)", x.c_str(), 1));
    if (server->resolve_domains.empty())
      n = std::min(n, sd_bus_message_append(m, "(sb)", ".", 1));
  }
  return std::min(n, sd_bus_message_close_container(m));
}

const char* to_word(dns_security x) {
  switch (x) {
    case dns_security::yes:
      return "yes";
    case dns_security::optional:
      return "allow-downgrade";
    case dns_security::no:
      return "no";
    default:
      return "";
  }
}

} // namespace

/// Why a call failed; never leaves this file.
struct resolved_link::call_error {
  std::string text;
};

std::shared_ptr<sd_bus> open_system_bus(const std::string& address) {
  sd_bus* raw = nullptr;
  if (address.empty() ? sd_bus_open_system(&raw) < 0 : sd_bus_new(&raw) < 0)
    return nullptr;
  std::shared_ptr<sd_bus> bus{raw, sd_bus_flush_close_unref};
  if (!address.empty()
      && (sd_bus_set_address(raw, address.c_str()) < 0
          || sd_bus_set_bus_client(raw, 1) < 0 || sd_bus_start(raw) < 0))
    return nullptr;
  sd_bus_set_method_call_timeout(raw, limit_us);
  return bus;
}

std::unique_ptr<resolved_link>
resolved_link::connect(std::shared_ptr<sd_bus> bus) {
  if (!bus || !has_owner(bus.get()))
    return nullptr;
  return std::unique_ptr<resolved_link>{new resolved_link{std::move(bus)}};
}

template <class Fill>
void resolved_link::call(const char* method, Fill fill) {
  message m, reply;
  bus_error error;
  auto n = sd_bus_message_new_method_call(bus_.get(), &m.get, service, object,
                                          interface, method);
  if (n >= 0)
    n = sd_bus_message_append(m.get, "i", index_);
  if (n >= 0)
    n = fill(m.get);
  if (n >= 0)
    n = sd_bus_call(bus_.get(), m.get, limit_us, &error.get, &reply.get);
  if (n < 0)
    throw call_error{
      std::string{"systemd-resolved: "} + method + ": "
      + (error.get.message != nullptr ? error.get.message : std::strerror(-n))};
}

expected<std::vector<std::string>, failure>
resolved_link::apply(const dns_config& cfg, uint32_t device_index) {
  undo();
  index_ = static_cast<int32_t>(device_index);
  std::vector<std::string> warnings;
  const auto* server = choose(cfg);
  for (const auto& x : cfg.servers)
    if (&x != server)
      warnings.push_back("dns server " + std::to_string(x.priority)
                         + " is not used: systemd-resolved takes one set of "
                           "servers for each device");
  try {
    if (server != nullptr)
      call("SetLinkDNSEx", [&](sd_bus_message* m) {
        return append_servers(m, *server);
      });
    call("SetLinkDomains", [&](sd_bus_message* m) {
      return append_domains(m, cfg, server);
    });
    call("SetLinkDefaultRoute", [&](sd_bus_message* m) {
      return sd_bus_message_append(
        m, "b", server != nullptr && server->resolve_domains.empty() ? 1 : 0);
    });
    if (server != nullptr && server->dnssec != dns_security::unset)
      call("SetLinkDNSSEC", [&](sd_bus_message* m) {
        return sd_bus_message_append(m, "s", to_word(server->dnssec));
      });
    if (server != nullptr && server->transport == dns_transport::tls)
      call("SetLinkDNSOverTLS", [&](sd_bus_message* m) {
        return sd_bus_message_append(m, "s", "yes");
      });
  } catch (const call_error& x) {
    undo();
    return failure{reason::host_failed, x.text};
  }
  return warnings;
}

void resolved_link::adopt(uint32_t device_index) noexcept {
  index_ = static_cast<int32_t>(device_index);
}

void resolved_link::undo() {
  if (index_ == 0)
    return;
  try {
    call("RevertLink", [](sd_bus_message*) {
      return 0;
    });
  } catch (const call_error&) {
    // The link is gone, and its settings with it.
  }
  index_ = 0;
}

} // namespace vpn::actors
