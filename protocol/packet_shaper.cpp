// From an IP packet to plaintext and back: see the header.
// spec: openvpn-wire 10.1, 13.4
#include "vpn/protocol/packet_shaper.hpp"

namespace vpn::protocol {

namespace {

/// Of all framings.
constexpr size_t max_framing = 2;

} // namespace

packet_shaper::packet_shaper(const random_source& random) : random_(random) {
}

void packet_shaper::configure(const packet_shape& x) {
  drop();
  shape_ = x;
  nat_ = address_nat{x.nat};
  bool fragments = x.fragment_size != 0;
  if (fragments && !cutter_) {
    uint8_t first = 0;
    if (random_)
      random_(&first, 1);
    cutter_.emplace(first);
    joiner_.emplace(max_packet + max_framing);
  }
  outgoing_ = assembles() || !nat_.empty();
  incoming_
    = fragments || x.framing != compression_framing::none || !nat_.empty();
  if (assembles() && !scratch_)
    scratch_.reset(
      new uint8_t[fragment_header_size + max_framing + max_packet]);
  if (x.decompress && may_compress(x.framing) && !decompressed_)
    decompressed_.reset(new uint8_t[max_packet]);
}

/// True if packets are copied to where there is room around them.
bool packet_shaper::assembles() const noexcept {
  return shape_.fragment_size != 0 || adds_a_byte(shape_.framing);
}

// -- sending --

expected<done_t> packet_shaper::begin(mutable_byte_view packet,
                                      size_t largest) noexcept {
  drop();
  if (packet.size == 0 || packet.size > max_packet)
    return errc::bad_payload_size;
  nat_.outgoing(packet);
  if (!assembles()) {
    whole_ = packet;
    return done;
  }
  auto* at = scratch_.get() + fragment_header_size;
  auto size = write_framed(shape_.framing, packet, at);
  if (shape_.fragment_size == 0) {
    whole_ = {at, size};
    return done;
  }
  return cutter_->cut(
    at, size,
    largest > fragment_header_size ? largest - fragment_header_size : 0);
}

byte_view packet_shaper::piece() const noexcept {
  return shape_.fragment_size != 0 ? cutter_->piece() : whole_;
}

void packet_shaper::next_piece() noexcept {
  if (shape_.fragment_size != 0)
    cutter_->next_piece();
  else
    whole_ = {};
}

void packet_shaper::drop() noexcept {
  whole_ = {};
  if (cutter_)
    cutter_->drop();
}

byte_view packet_shaper::wrap_message(byte_view message) noexcept {
  auto head = shape_.fragment_size != 0 ? fragment_header_size : 0;
  if (head + max_framing + message.size() > message_.size())
    return {};
  // The header of a packet that goes whole.
  store_u32(message_.data(), 0);
  auto size = write_framed(shape_.framing, message, message_.data() + head);
  return {message_.data(), head + size};
}

// -- receiving --

expected<mutable_byte_view> packet_shaper::open(mutable_byte_view plain,
                                                instant now) noexcept {
  if (shape_.fragment_size != 0) {
    auto whole = joiner_->join(plain, now);
    if (!whole || whole->size == 0)
      return whole;
    plain = *whole;
  }
  auto result = open_framed(
    shape_.framing, shape_.decompress, plain,
    {decompressed_.get(), decompressed_ ? max_packet : size_t{0}});
  if (result && result->size > max_packet)
    return errc::bad_payload_size;
  return result;
}

void packet_shaper::restore_addresses(mutable_byte_view packet) const noexcept {
  nat_.incoming(packet);
}

} // namespace vpn::protocol
