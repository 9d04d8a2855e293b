#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/tcp_framing.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "proxy_dialogue.hpp"
#include "socket_options.hpp"
#include <sys/uio.h>

namespace vpn::actors {

namespace {

using protocol::frame_prefix_size;

/// Bytes of one read: no more than the descriptors of a slab can name, since
/// the smallest data packet has 22 bytes.
constexpr size_t read_size = 96 * 1024;
/// Packets of one gathered write, two parts each (IOV_MAX is 1024).
constexpr size_t packets_per_write = 256;

class tcp_transport final : public transport {
public:
  explicit tcp_transport(const network_config& cfg)
    : cfg_(cfg),
      dialogue_(make_proxy_dialogue(cfg)) {}

  // -- connecting --

  outcome open() override {
    if (dialogue_)
      return follow(dialogue_->open());
    auto made = make_socket(cfg_, cfg_.remote, true, binding::local);
    if (!made)
      return die(made.error());
    fd_ = std::move(*made);
    // No TCP_NODELAY unless it is asked for, as with stock: while data is under
    // way, small packets (the acknowledgements of a download) share segments,
    // which a stock server rewards with a faster download.
    auto sa = to_socket_address(cfg_.remote);
    if (connect(fd_.get(), sa.get(), sa.size) == 0)
      return outcome::done;
    if (errno == EINPROGRESS)
      return outcome::blocked;
    return die("cannot connect to " + peer(), errno);
  }

  outcome handle_connect() override {
    if (dialogue_)
      return follow(dialogue_->handle());
    int code = 0;
    socklen_t size = sizeof(code);
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0)
      return die("cannot connect to " + peer(), code);
    return outcome::done;
  }

  uint32_t connect_events() const noexcept override {
    return dialogue_ ? dialogue_->events() : transport::connect_events();
  }

  // -- receiving --

  outcome receive(packet_batch& into) override {
    return receive_frames(into, false);
  }

  outcome receive_control_only(packet_batch& into) override {
    return receive_frames(into, true);
  }

  // -- sending --

  void queue(bytes control) override {
    if (control_.size() >= max_control_queue) {
      ++dropped_;
      return;
    }
    bytes framed;
    byte_writer out{framed};
    out.u16(static_cast<uint16_t>(control.size()));
    out.append(control);
    control_.push_back(std::move(framed));
  }

  void queue(batch_ptr data) override { data_.push_back(std::move(data)); }

  outcome flush() override {
    while (true) {
      // A frame that has begun must end before anything else is written.
      if (partial_.empty() && !control_.empty()) {
        partial_ = std::move(control_.front());
        control_.pop_front();
        partial_at_ = 0;
        ++packets_out_;
        bytes_out_ += partial_.size() - frame_prefix_size;
      }
      if (!partial_.empty()) {
        auto how = write_partial();
        if (how != outcome::done)
          return how;
        continue;
      }
      if (data_.empty())
        return outcome::done;
      auto how = write_data(*data_.front());
      if (how != outcome::done)
        return how;
    }
  }

  int fd() const noexcept override {
    return dialogue_ && !fd_ ? dialogue_->fd() : fd_.get();
  }
  endpoint local() const override { return local_endpoint(fd_.get()); }
  std::string peer() const override {
    return dialogue_ ? dialogue_->name() : to_string(cfg_.remote);
  }

  std::string statistics() const override {
    return "packets in " + std::to_string(packets_in_) + " by "
           + std::to_string(reads_) + " reads, out "
           + std::to_string(packets_out_) + " by " + std::to_string(writes_)
           + " writes, dropped " + std::to_string(dropped_)
           + (dialogue_ ? ", through " + peer() : "");
  }

private:
  /// What the dialogue with the proxy came to.
  outcome follow(outcome how) {
    if (how == outcome::dead)
      return die(dialogue_->error());
    if (how == outcome::done)
      fd_ = dialogue_->take();
    return how;
  }

  outcome receive_frames(packet_batch& into, bool control_only) {
    // What was left of the last read comes first.
    std::copy(rest_.begin(), rest_.end(), into.data);
    auto size = rest_.size();
    auto room = std::min<size_t>(into.capacity - size, read_size);
    auto n = recv(fd_.get(), into.data + size, room, MSG_DONTWAIT);
    if (n == 0)
      return die("connection closed by " + peer(), ECONNRESET);
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return outcome::blocked;
      return die("connection to " + peer() + " lost", errno);
    }
    ++reads_;
    size += static_cast<size_t>(n);
    byte_view all{into.data, size};
    size_t at = 0;
    while (true) {
      auto found = protocol::next_frame(all, at);
      // A flood of frames too small to be packets is a broken stream, too.
      if (!found || (found->length > 0 && into.full())) {
        return die(
          {reason::transport_failed, "bad frame length from " + peer()});
      }
      if (found->length == 0)
        break;
      ++packets_in_;
      bytes_in_ += found->length;
      if (control_only && protocol::is_data(into.data[found->offset]))
        ++dropped_;
      else
        into.add(static_cast<uint32_t>(found->offset),
                 static_cast<uint32_t>(found->length));
      at = found->offset + found->length;
    }
    into.used = static_cast<uint32_t>(at);
    rest_.assign(all.begin() + at, all.end());
    return outcome::done;
  }

  outcome write_partial() {
    while (partial_at_ < partial_.size()) {
      auto n = send(fd_.get(), partial_.data() + partial_at_,
                    partial_.size() - partial_at_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EINTR)
          continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
          return outcome::blocked;
        return die("connection to " + peer() + " lost", errno);
      }
      ++writes_;
      partial_at_ += static_cast<size_t>(n);
    }
    partial_.clear();
    return outcome::done;
  }

  /// One gathered write of the next packets of a batch: prefix and packet in
  /// turn, without a copy.
  outcome write_data(const packet_batch& batch) {
    std::array<std::array<uint8_t, frame_prefix_size>, packets_per_write> heads;
    std::array<byte_view, packets_per_write> packets;
    std::array<iovec, 2 * packets_per_write> parts;
    size_t n = 0;
    auto run = next_run_;
    auto offset = next_offset_;
    while (n < packets_per_write && run < batch.count) {
      const auto& x = batch.runs[run];
      auto stride = x.stride == 0 ? x.length : uint32_t{x.stride};
      auto size = std::min(stride, x.length - offset);
      packets[n] = {batch.at(x) + offset, size};
      store_u16(heads[n].data(), static_cast<uint16_t>(size));
      parts[2 * n] = {heads[n].data(), frame_prefix_size};
      parts[2 * n + 1] = {const_cast<uint8_t*>(packets[n].data()), size};
      ++n;
      offset += size;
      if (offset >= x.length) {
        ++run;
        offset = 0;
      }
    }
    if (n == 0) {
      drop_front();
      return outcome::done;
    }
    msghdr h{};
    h.msg_iov = parts.data();
    h.msg_iovlen = 2 * n;
    auto sent = sendmsg(fd_.get(), &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR)
        return outcome::done;
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        return outcome::blocked;
      return die("connection to " + peer() + " lost", errno);
    }
    ++writes_;
    account(batch, packets.data(), n, static_cast<size_t>(sent));
    return outcome::done;
  }

  /// Moves on by what the kernel took; a frame it took in part is kept.
  void account(const packet_batch& batch, const byte_view* packets, size_t n,
               size_t sent) {
    for (size_t i = 0; i < n && sent > 0; ++i) {
      auto frame = frame_prefix_size + packets[i].size();
      if (sent < frame) {
        byte_writer out{partial_};
        out.u16(static_cast<uint16_t>(packets[i].size()));
        out.append(packets[i]);
        partial_at_ = sent;
        sent = 0;
      } else {
        sent -= frame;
      }
      ++packets_out_;
      bytes_out_ += packets[i].size();
      advance(batch, static_cast<uint32_t>(packets[i].size()));
    }
    if (next_run_ >= batch.count)
      drop_front();
  }

  void advance(const packet_batch& batch, uint32_t size) {
    next_offset_ += size;
    if (next_offset_ >= batch.runs[next_run_].length) {
      ++next_run_;
      next_offset_ = 0;
    }
  }

  void drop_front() {
    data_.pop_front();
    next_run_ = 0;
    next_offset_ = 0;
  }

  network_config cfg_;
  /// Null without a proxy.
  std::unique_ptr<proxy_dialogue> dialogue_;
  unique_fd fd_;
  /// Bytes after the last whole frame, at most one frame and what the
  /// descriptors did not hold.
  bytes rest_;
  std::deque<bytes> control_;
  std::deque<batch_ptr> data_;
  /// A frame that has begun to leave, and how much of it has left.
  bytes partial_;
  size_t partial_at_ = 0;
  uint32_t next_run_ = 0;
  uint32_t next_offset_ = 0;
  uint64_t packets_in_ = 0, reads_ = 0, packets_out_ = 0, writes_ = 0;
};

} // namespace

std::unique_ptr<transport> make_tcp_transport(const network_config& cfg) {
  return std::make_unique<tcp_transport>(cfg);
}

} // namespace vpn::actors
