#include "transport.hpp"

#include "socket_options.hpp"
#include <sys/epoll.h>

namespace vpn::actors {

using protocol::proxy_kind;

transport::~transport() = default;

uint32_t transport::connect_events() const noexcept {
  return EPOLLOUT;
}

std::vector<layer_counter> transport::counters() const {
  return {
    {"link_read_bytes", bytes_in_},        {"link_write_bytes", bytes_out_},
    {"link_read_errors", receive_errors_}, {"link_write_errors", send_errors_},
    {"link_refusals", refusals_},          {"link_dropped", dropped_}};
}

transport::outcome transport::die(const std::string& what, int code) {
  return die(socket_failure(what, code));
}

transport::outcome transport::die(failure why) {
  error_ = std::move(why);
  return outcome::dead;
}

std::unique_ptr<transport> make_transport(const network_config& cfg) {
  if (cfg.tcp)
    return make_tcp_transport(cfg);
  if (cfg.proxy && cfg.proxy->kind != proxy_kind::none)
    return make_socks_udp_transport(cfg);
  return make_udp_transport(cfg);
}

} // namespace vpn::actors
