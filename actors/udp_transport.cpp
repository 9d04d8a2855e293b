#include "vpn/protocol/control_packet.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "socket_options.hpp"
#include "udp_socket.hpp"
#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#  define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#  define UDP_GRO 104
#endif

namespace vpn::actors {

namespace {

/// A GRO super-datagram is at most 64 KiB; a smaller buffer cuts it silently.
constexpr size_t receive_buffer = 65536;
/// Messages of one recvmmsg. Peers that send singles need many; when GRO joins
/// them a few are plenty and stay in the cache.
constexpr unsigned many_messages = 32;
constexpr unsigned few_messages = 4;
/// Runs of one sendmmsg.
constexpr size_t send_messages = 64;

class udp_transport final : public transport {
public:
  explicit udp_transport(const network_config& cfg) : cfg_(cfg) {}

  outcome open() override {
    auto made = open_udp_socket(cfg_);
    if (!made)
      return die(made.error());
    socket_ = std::move(*made);
    if (!socket_.kept) {
      auto second = socket_.fd.dup();
      cfg_.kept = second ? share(std::move(second)) : nullptr;
    }
    if (cfg_.floats)
      set_remote(cfg_.remote);
    return outcome::done;
  }

  outcome handle_connect() override { return outcome::done; }

  // -- receiving --

  outcome receive(packet_batch& into) override {
    // One sender for each batch, so that it can say where it came from.
    return receive_messages(into, cfg_.floats ? 1 : messages_, false);
  }

  outcome receive_control_only(packet_batch& into) override {
    return receive_messages(into, 1, true);
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
      auto& x = control_.front();
      if (send_one(x.data(), x.size()) == outcome::blocked)
        return outcome::blocked;
      control_.pop_front();
    }
    while (!data_.empty()) {
      if (!send_runs(*data_.front()))
        return outcome::blocked;
      data_.pop_front();
      next_run_ = 0;
      next_offset_ = 0;
    }
    return outcome::done;
  }

  void set_remote(const endpoint& x) override {
    if (!cfg_.floats || x.address.kind != cfg_.remote.address.kind)
      return;
    cfg_.remote = x;
    to_ = to_socket_address(x);
    name_ = to_.get();
    name_size_ = to_.size;
  }

  int fd() const noexcept override { return socket_.fd.get(); }
  shared_fd take_kept() override { return std::move(cfg_.kept); }
  endpoint local() const override { return socket_.local; }
  std::string peer() const override { return to_string(cfg_.remote); }

  std::string statistics() const override {
    return "datagrams in " + std::to_string(datagrams_in_) + " by "
           + std::to_string(receives_) + " receives, out "
           + std::to_string(datagrams_out_) + " by " + std::to_string(sends_)
           + " sends, receive errors " + std::to_string(receive_errors_)
           + ", send errors " + std::to_string(send_errors_) + ", dropped "
           + std::to_string(dropped_) + (socket_.gso ? "" : ", no GSO")
           + (socket_.gro ? "" : ", no GRO");
  }

private:
  outcome receive_messages(packet_batch& into, unsigned limit,
                           bool control_only) {
    alignas(cmsghdr)
      std::array<std::array<char, CMSG_SPACE(sizeof(int))>, many_messages>
        control;
    std::array<mmsghdr, many_messages> messages{};
    std::array<iovec, many_messages> parts;
    auto n = std::min<unsigned>(
      limit, static_cast<unsigned>(into.capacity / receive_buffer));
    for (unsigned i = 0; i < n; ++i) {
      parts[i] = {into.data + i * receive_buffer, receive_buffer};
      auto& h = messages[i].msg_hdr;
      h.msg_iov = &parts[i];
      h.msg_iovlen = 1;
      h.msg_control = control[i].data();
      h.msg_controllen = control[i].size();
    }
    socket_address sender;
    if (cfg_.floats) {
      messages[0].msg_hdr.msg_name = sender.get();
      messages[0].msg_hdr.msg_namelen = sizeof(sender.storage);
    }
    auto got
      = recvmmsg(socket_.fd.get(), messages.data(), n, MSG_DONTWAIT, nullptr);
    if (got < 0) {
      // ECONNREFUSED and its like are an ICMP answer to something we sent: the
      // socket lives, and the session's own timers decide.
      if (is_icmp_error(errno))
        ++refusals_;
      else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        ++receive_errors_;
      return outcome::blocked;
    }
    ++receives_;
    if (cfg_.floats && got > 0)
      into.from.remote = to_endpoint(sender);
    bool joined = false;
    for (int i = 0; i < got; ++i) {
      auto& h = messages[static_cast<size_t>(i)];
      joined |= add_message(into, static_cast<uint32_t>(i) * receive_buffer,
                            h.msg_len, stride_of(h.msg_hdr, h.msg_len),
                            control_only);
    }
    messages_ = joined                            ? few_messages
                : static_cast<unsigned>(got) == n ? many_messages
                                                  : messages_;
    return static_cast<unsigned>(got) == n ? outcome::more : outcome::done;
  }

  static uint32_t stride_of(msghdr& h, uint32_t length) {
    for (auto* c = CMSG_FIRSTHDR(&h); c != nullptr; c = CMSG_NXTHDR(&h, c))
      if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
        int stride = 0;
        std::memcpy(&stride, CMSG_DATA(c), sizeof(stride));
        if (stride > 0)
          return static_cast<uint32_t>(stride);
      }
    return length;
  }

  /// Adds the datagrams of one message; true when the kernel had joined some.
  bool add_message(packet_batch& into, uint32_t offset, uint32_t length,
                   uint32_t stride, bool control_only) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < length; at += stride, ++count) {
      auto size = std::min(stride, length - at);
      ++datagrams_in_;
      bytes_in_ += size;
      if (control_only && protocol::is_data(into.data[offset + at])) {
        ++dropped_;
        continue;
      }
      if (!into.add(offset + at, size))
        ++dropped_;
    }
    into.used = offset + length;
    return count > 1;
  }

  /// Sends what is left of a batch; false when the socket is full.
  bool send_runs(const packet_batch& batch) {
    while (next_run_ < batch.count) {
      if (next_offset_ > 0 || !socket_.gso) {
        if (!send_singly(batch))
          return false;
        continue;
      }
      alignas(cmsghdr)
        std::array<std::array<char, CMSG_SPACE(sizeof(uint16_t))>,
                   send_messages>
          control;
      std::array<mmsghdr, send_messages> messages{};
      std::array<iovec, send_messages> parts;
      auto n = std::min<size_t>(batch.count - next_run_, send_messages);
      for (size_t i = 0; i < n; ++i)
        describe(batch, batch.runs[next_run_ + i], messages[i].msg_hdr,
                 parts[i], control[i]);
      auto sent = sendmmsg(socket_.fd.get(), messages.data(),
                           static_cast<unsigned>(n), MSG_DONTWAIT);
      if (sent > 0) {
        ++sends_;
        for (int i = 0; i < sent; ++i) {
          bytes_out_ += batch.runs[next_run_].length;
          datagrams_out_ += datagrams_of(batch.runs[next_run_++]);
        }
        retries_ = 0;
        continue;
      }
      if (!handle_send_error(batch.runs[next_run_]))
        return false;
    }
    return true;
  }

  void describe(const packet_batch& batch, const protocol::packet_run& run,
                msghdr& h, iovec& part,
                std::array<char, CMSG_SPACE(sizeof(uint16_t))>& room) {
    h.msg_name = const_cast<sockaddr*>(name_);
    h.msg_namelen = name_size_;
    part = {const_cast<uint8_t*>(batch.at(run)), run.length};
    h.msg_iov = &part;
    h.msg_iovlen = 1;
    if (run.stride == 0 || run.stride >= run.length)
      return;
    h.msg_control = room.data();
    h.msg_controllen = room.size();
    auto* c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    std::memcpy(CMSG_DATA(c), &run.stride, sizeof(run.stride));
  }

  static uint64_t datagrams_of(const protocol::packet_run& run) {
    return run.stride == 0 ? 1 : (run.length + run.stride - 1) / run.stride;
  }

  /// Decides after an error about the first unsent run: false to wait.
  bool handle_send_error(const protocol::packet_run& run) {
    switch (errno) {
      case EINTR:
        return true;
      case EAGAIN:
        return false;
      case ENOBUFS:
        if (++retries_ <= buffer_retries)
          return true;
        break;
      case EIO:
      case EINVAL:
        // The device or the kernel cannot segment: never ask again. The packets
        // have spent their ids, so they leave one by one.
        if (run.stride != 0 && socket_.gso) {
          socket_.gso = false;
          return true;
        }
        break;
      case EMSGSIZE:
        // Larger than the path: this run leaves as single datagrams, which the
        // kernel may fragment.
        if (run.stride != 0 && run.stride < run.length)
          return send_singly(*data_.front());
        break;
      default:
        if (is_worth_another_try(errno) && ++retries_ <= buffer_retries)
          return true;
        break;
    }
    ++send_errors_;
    retries_ = 0;
    ++next_run_;
    return true;
  }

  /// After an error that says nothing about what was to be sent.
  bool is_worth_another_try(int error) {
    if (is_icmp_error(error)) {
      // The kernel told it instead of sending: nothing is lost yet.
      ++refusals_;
      return true;
    }
    // Somebody has taken the peer from the socket (`ss --kill`).
    return error == EDESTADDRREQ && connect_to(socket_.fd.get(), cfg_.remote);
  }

  /// Sends one datagram; what cannot be sent is counted.
  outcome send_one(const uint8_t* data, size_t size) {
    for (int i = 0; i <= buffer_retries; ++i) {
      ++sends_;
      if (sendto(socket_.fd.get(), data, size, MSG_DONTWAIT, name_, name_size_)
          >= 0) {
        ++datagrams_out_;
        bytes_out_ += size;
        return outcome::done;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        return outcome::blocked;
      if (errno != EINTR && !is_worth_another_try(errno))
        break;
    }
    ++send_errors_;
    return outcome::done;
  }

  /// Sends the datagrams of the current run one by one.
  bool send_singly(const packet_batch& batch) {
    const auto& run = batch.runs[next_run_];
    uint32_t stride = run.stride == 0 ? run.length : run.stride;
    while (next_offset_ < run.length) {
      auto size = std::min(stride, run.length - next_offset_);
      if (send_one(batch.at(run) + next_offset_, size) == outcome::blocked)
        return false;
      next_offset_ += size;
    }
    ++next_run_;
    next_offset_ = 0;
    return true;
  }

  network_config cfg_;
  udp_socket socket_;
  socket_address to_;
  /// Where datagrams go when the socket is not connected, else null.
  const sockaddr* name_ = nullptr;
  socklen_t name_size_ = 0;
  unsigned messages_ = many_messages;
  std::deque<bytes> control_;
  std::deque<batch_ptr> data_;
  /// Where the first batch of the queue stands: run, and byte within it when it
  /// leaves datagram by datagram.
  uint32_t next_run_ = 0;
  uint32_t next_offset_ = 0;
  int retries_ = 0;
  uint64_t datagrams_in_ = 0, receives_ = 0, datagrams_out_ = 0, sends_ = 0;
};

} // namespace

std::unique_ptr<transport> make_udp_transport(const network_config& cfg) {
  return std::make_unique<udp_transport>(cfg);
}

} // namespace vpn::actors
