#include "proxy_dialogue.hpp"

#include "vpn/protocol/http_proxy.hpp"
#include "vpn/protocol/socks_proxy.hpp"

#include <array>
#include <cerrno>

#include "socket_options.hpp"
#include <sys/epoll.h>

namespace vpn::actors {

using outcome = transport::outcome;
using protocol::proxy_step;

proxy_dialogue::proxy_dialogue(
  const network_config& cfg, bool bound,
  std::unique_ptr<protocol::proxy_handshake> handshake)
  : cfg_(cfg),
    bound_(bound),
    handshake_(std::move(handshake)) {
}

std::string proxy_dialogue::name() const {
  auto result = handshake_->name();
  auto address = to_string(cfg_.remote);
  // Unless that is what the name says already.
  auto ends_alike
    = result.size() > address.size()
      && result.compare(result.size() - address.size(), address.size(), address)
           == 0;
  return ends_alike ? result : result + " (" + address + ")";
}

uint32_t proxy_dialogue::events() const noexcept {
  return connecting_ || sent_ < output_.size() ? EPOLLOUT : EPOLLIN;
}

outcome proxy_dialogue::open() {
  if (fd_) {
    // A connection that was asked on in vain. Reset, it does not linger with
    // the port that the next one may have to be bound to.
    linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    fd_.reset();
  }
  auto made = make_socket(cfg_, cfg_.remote, true,
                          bound_ ? binding::local : binding::none);
  if (!made) {
    error_ = made.error();
    return outcome::dead;
  }
  fd_ = std::move(*made);
  auto sa = to_socket_address(cfg_.remote);
  connecting_ = true;
  // A connection that stands at once is writable at once.
  if (connect(fd_.get(), sa.get(), sa.size) == 0 || errno == EINPROGRESS)
    return outcome::blocked;
  return die("cannot connect to " + name(), errno);
}

outcome proxy_dialogue::handle() {
  if (!connecting_)
    return go_on();
  int code = 0;
  socklen_t size = sizeof(code);
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code != 0)
    return die("cannot connect to " + name(), code);
  return begin();
}

outcome proxy_dialogue::begin() {
  connecting_ = false;
  handshake_->begin();
  return go_on();
}

outcome proxy_dialogue::go_on() {
  while (true) {
    switch (handshake_->step()) {
      case proxy_step::open:
        return outcome::done;
      case proxy_step::reconnect:
        return outcome::reopen;
      case proxy_step::failed:
        error_ = handshake_->error();
        return outcome::dead;
      case proxy_step::talking:
        break;
    }
    if (auto how = write(); how != outcome::done)
      return how;
    if (auto how = read(); how != outcome::done)
      return how;
  }
}

outcome proxy_dialogue::write() {
  if (sent_ == output_.size()) {
    output_ = handshake_->take_output();
    sent_ = 0;
  }
  while (sent_ < output_.size()) {
    auto left = output_.view().from(sent_);
    auto n
      = send(fd_.get(), left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
      sent_ += static_cast<size_t>(n);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return outcome::blocked;
    else if (errno != EINTR)
      return die("the connection to " + name() + " was lost", errno);
  }
  output_.clear();
  sent_ = 0;
  return outcome::done;
}

outcome proxy_dialogue::read() {
  // Only looked at first: what follows the proxy's answer is the server's, and
  // stays in the kernel for who reads the connection next.
  std::array<uint8_t, 4096> buffer;
  auto n
    = recv(fd_.get(), buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) {
    if (errno == EINTR)
      return outcome::done;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return outcome::blocked;
    return die("the connection to " + name() + " was lost", errno);
  }
  if (n == 0) {
    handshake_->closed();
    return outcome::done;
  }
  auto taken = handshake_->receive({buffer.data(), static_cast<size_t>(n)});
  // These bytes are there, so this cannot give fewer.
  recv(fd_.get(), buffer.data(), taken, MSG_DONTWAIT);
  return outcome::done;
}

outcome proxy_dialogue::die(const std::string& what, int code) {
  error_ = socket_failure(what, code);
  return outcome::dead;
}

std::unique_ptr<proxy_dialogue> make_proxy_dialogue(const network_config& cfg) {
  if (!cfg.proxy)
    return nullptr;
  std::unique_ptr<protocol::proxy_handshake> handshake;
  switch (cfg.proxy->kind) {
    case protocol::proxy_kind::none:
      return nullptr;
    case protocol::proxy_kind::http:
      handshake = std::make_unique<protocol::http_proxy>(
        *cfg.proxy, cfg.target_host, cfg.target_port, openssl_random());
      break;
    case protocol::proxy_kind::socks5:
      handshake = std::make_unique<protocol::socks_proxy>(
        *cfg.proxy, cfg.target_host, cfg.target_port);
      break;
  }
  return std::make_unique<proxy_dialogue>(cfg, true, std::move(handshake));
}

} // namespace vpn::actors
