#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/socks_proxy.hpp"
#include "vpn/protocol/tcp_framing.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include "proxy_dialogue.hpp"
#include "socket_options.hpp"
#include <sys/uio.h>

namespace vpn::actors {

namespace {

using protocol::socks_header_size;

/// Bytes kept for a datagram that comes in: the largest packet we can process
/// and the proxy's header, rounded up.
constexpr size_t receive_slot = 9344;
static_assert(receive_slot >= protocol::max_frame_size + socks_header_size);
constexpr unsigned max_receive_messages = 32;
constexpr size_t max_send_messages = 64;

/// UDP to the relay of a SOCKS5 proxy. Each datagram has a header of its own,
/// so the kernel neither joins nor cuts them: this is the slow way.
class socks_udp_transport final : public transport {
public:
  explicit socks_udp_transport(const network_config& cfg)
    : cfg_(cfg),
      header_(protocol::socks_datagram_header(cfg.target)) {
    if (cfg.proxy->kind != protocol::proxy_kind::socks5)
      return;
    auto handshake = std::make_unique<protocol::socks_proxy>(*cfg.proxy);
    handshake_ = handshake.get();
    // `local` and `lport` are for the datagrams.
    dialogue_
      = std::make_unique<proxy_dialogue>(cfg, false, std::move(handshake));
  }

  // -- connecting --

  outcome open() override {
    if (!dialogue_)
      return die({reason::bad_config, "an HTTP proxy does not pass datagrams: "
                                      "use 'proto tcp' or a SOCKS proxy"});
    if (cfg_.target.address.kind != family::v4 || cfg_.target.port == 0)
      return die(
        {reason::bad_config, "datagrams through " + dialogue_->name()
                               + " need a server with an IPv4 address"});
    return follow(dialogue_->open());
  }

  outcome handle_connect() override { return follow(dialogue_->handle()); }

  uint32_t connect_events() const noexcept override {
    return dialogue_ ? dialogue_->events() : transport::connect_events();
  }

  int lifeline() const noexcept override { return lifeline_.get(); }

  outcome check_lifeline() override {
    std::array<uint8_t, 256> ignored;
    auto n
      = recv(lifeline_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT);
    if (n > 0)
      return outcome::more;
    if (n == 0)
      return die(dialogue_->name() + " has ended its relay", ECONNRESET);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
      return outcome::blocked;
    return die("the connection to " + dialogue_->name() + " was lost", errno);
  }

  // -- receiving --

  outcome receive(packet_batch& into) override {
    return receive_messages(into, false);
  }

  outcome receive_control_only(packet_batch& into) override {
    return receive_messages(into, true);
  }

  // -- sending --

  void queue(bytes control) override {
    if (control_.size() < max_control_queue)
      control_.push_back(std::move(control));
    else
      ++dropped_;
  }

  void queue(batch_ptr data) override { data_.push_back(std::move(data)); }

  outcome flush() override {
    while (!control_.empty()) {
      pieces_.clear();
      for (auto& x : control_)
        pieces_.push_back(x);
      auto n = send_pieces();
      control_.erase(control_.begin(),
                     control_.begin() + static_cast<ptrdiff_t>(n));
      if (n == 0)
        return outcome::blocked;
    }
    while (!data_.empty()) {
      collect(*data_.front());
      if (pieces_.empty()) {
        data_.pop_front();
        next_run_ = 0;
        continue;
      }
      auto n = send_pieces();
      if (n == 0)
        return outcome::blocked;
      for (size_t i = 0; i < n; ++i)
        advance(static_cast<uint32_t>(pieces_[i].size()));
    }
    return outcome::done;
  }

  int fd() const noexcept override {
    return fd_ || !dialogue_ ? fd_.get() : dialogue_->fd();
  }
  endpoint local() const override { return local_endpoint(fd_.get()); }
  std::string peer() const override {
    return dialogue_ ? dialogue_->name() : to_string(cfg_.remote);
  }

  std::string statistics() const override {
    return "datagrams in " + std::to_string(datagrams_in_) + " by "
           + std::to_string(receives_) + " receives, out "
           + std::to_string(datagrams_out_) + " by " + std::to_string(sends_)
           + " sends, receive errors " + std::to_string(receive_errors_)
           + ", send errors " + std::to_string(send_errors_) + ", refusals "
           + std::to_string(refusals_) + ", dropped " + std::to_string(dropped_)
           + ", through " + peer() + " at " + to_string(relay_);
  }

private:
  outcome follow(outcome how) {
    if (how == outcome::dead)
      return die(dialogue_->error());
    return how == outcome::done ? open_relay() : how;
  }

  outcome open_relay() {
    relay_ = handshake_->relay();
    // Many proxies do not know by which of their addresses we reach them.
    if (relay_.address.octets == ip_address{}.octets) {
      auto port = relay_.port;
      relay_ = cfg_.remote;
      relay_.port = port;
    }
    auto made = make_socket(cfg_, relay_, false, binding::local);
    if (!made)
      return die(made.error());
    auto sa = to_socket_address(relay_);
    if (connect(made->get(), sa.get(), sa.size) != 0)
      return die("cannot reach the relay " + to_string(relay_) + " of "
                   + dialogue_->name(),
                 errno);
    ignore_path_mtu(made->get(), relay_.address.kind);
    fd_ = std::move(*made);
    lifeline_ = dialogue_->take();
    return outcome::done;
  }

  outcome receive_messages(packet_batch& into, bool control_only) {
    std::array<mmsghdr, max_receive_messages> messages{};
    std::array<iovec, max_receive_messages> parts;
    auto n = std::min<unsigned>(
      {max_receive_messages,
       static_cast<unsigned>(into.capacity / receive_slot), into.max_runs});
    for (unsigned i = 0; i < n; ++i) {
      parts[i] = {into.data + i * receive_slot, receive_slot};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    auto got = recvmmsg(fd_.get(), messages.data(), n, MSG_DONTWAIT, nullptr);
    if (got < 0) {
      if (is_icmp_error(errno))
        ++refusals_;
      else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        ++receive_errors_;
      return outcome::blocked;
    }
    ++receives_;
    for (unsigned i = 0; i < static_cast<unsigned>(got); ++i) {
      auto cut = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
      auto offset = static_cast<uint32_t>(i * receive_slot);
      if (cut || !keep(into, offset, messages[i].msg_len, control_only))
        ++dropped_;
    }
    return static_cast<unsigned>(got) == n ? outcome::more : outcome::done;
  }

  /// Adds what is behind the header of a datagram, if it is for us.
  bool keep(packet_batch& into, uint32_t offset, uint32_t size,
            bool control_only) {
    ++datagrams_in_;
    auto from = protocol::parse_socks_datagram({into.data + offset, size});
    // The proxy relays whatever comes to its port, from anybody.
    if (!from || size <= socks_header_size
        || (!cfg_.floats
            && !(from->address == cfg_.target.address
                 && from->port == cfg_.target.port)))
      return false;
    auto begin = offset + static_cast<uint32_t>(socks_header_size);
    auto length = size - static_cast<uint32_t>(socks_header_size);
    bytes_in_ += length;
    if (control_only && protocol::is_data(into.data[begin]))
      return false;
    into.used = begin + length;
    return into.add(begin, length);
  }

  /// The next datagrams of a batch.
  void collect(const packet_batch& batch) {
    pieces_.clear();
    auto run = next_run_;
    auto offset = next_offset_;
    while (pieces_.size() < max_send_messages && run < batch.count) {
      const auto& x = batch.runs[run];
      auto stride = x.stride == 0 ? x.length : uint32_t{x.stride};
      auto size = std::min(stride, x.length - offset);
      pieces_.push_back({batch.at(x) + offset, size});
      offset += size;
      if (offset >= x.length) {
        ++run;
        offset = 0;
      }
    }
  }

  void advance(uint32_t size) {
    next_offset_ += size;
    if (next_offset_ >= data_.front()->runs[next_run_].length) {
      ++next_run_;
      next_offset_ = 0;
    }
  }

  /// Sends pieces from the first one on, and returns how many are done with;
  /// zero: the socket is full.
  size_t send_pieces() {
    std::array<mmsghdr, max_send_messages> messages{};
    std::array<iovec, 2 * max_send_messages> parts;
    auto n = std::min(pieces_.size(), max_send_messages);
    for (size_t i = 0; i < n; ++i) {
      parts[2 * i] = {header_.data(), header_.size()};
      parts[2 * i + 1]
        = {const_cast<uint8_t*>(pieces_[i].data()), pieces_[i].size()};
      messages[i].msg_hdr.msg_iov = &parts[2 * i];
      messages[i].msg_hdr.msg_iovlen = 2;
    }
    for (int retry = 0; retry <= buffer_retries; ++retry) {
      ++sends_;
      auto sent = sendmmsg(fd_.get(), messages.data(), static_cast<unsigned>(n),
                           MSG_DONTWAIT);
      if (sent > 0) {
        for (size_t i = 0; i < static_cast<size_t>(sent); ++i)
          bytes_out_ += pieces_[i].size();
        datagrams_out_ += static_cast<uint64_t>(sent);
        return static_cast<size_t>(sent);
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
      if (is_icmp_error(errno))
        ++refusals_;
      else if (errno != EINTR && errno != ENOBUFS)
        break;
    }
    // This one cannot be sent; the next one may.
    ++send_errors_;
    return 1;
  }

  network_config cfg_;
  std::unique_ptr<proxy_dialogue> dialogue_;
  /// Belongs to the dialogue.
  protocol::socks_proxy* handshake_ = nullptr;
  std::array<uint8_t, socks_header_size> header_;
  endpoint relay_;
  /// The relay lives as long as this connection.
  unique_fd lifeline_;
  unique_fd fd_;
  std::deque<bytes> control_;
  std::deque<batch_ptr> data_;
  /// Where the first batch of the queue stands.
  uint32_t next_run_ = 0;
  uint32_t next_offset_ = 0;
  /// Datagrams of one call.
  std::vector<byte_view> pieces_;
  uint64_t datagrams_in_ = 0, receives_ = 0, datagrams_out_ = 0, sends_ = 0;
};

} // namespace

std::unique_ptr<transport> make_socks_udp_transport(const network_config& cfg) {
  return std::make_unique<socks_udp_transport>(cfg);
}

} // namespace vpn::actors
