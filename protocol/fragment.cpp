// Packets in pieces: see the header.
// spec: openvpn-wire 13.4
#include "vpn/protocol/fragment.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// Sizes travel in units of four bytes.
constexpr size_t unit = 4;
/// The largest size that its 14 bits can tell.
constexpr size_t max_step = 0x3fff * unit;

enum class piece_kind : uint8_t { whole, part, last, test };

// Where the fields of the header are.
constexpr uint32_t sequence_shift = 2;
constexpr uint32_t index_shift = 10;
constexpr uint32_t size_shift = 15;

size_t divide_up(size_t x, size_t by) noexcept {
  return (x + by - 1) / by;
}

uint32_t header_of(piece_kind kind, uint8_t sequence, uint32_t index,
                   size_t step) noexcept {
  auto size = kind == piece_kind::last ? static_cast<uint32_t>(step / unit) : 0;
  return static_cast<uint32_t>(kind) | (uint32_t{sequence} << sequence_shift)
         | (index << index_shift) | (size << size_shift);
}

} // namespace

size_t fragment_payload(size_t length, size_t largest) noexcept {
  auto full = std::min(largest, max_step) / unit * unit;
  if (full == 0)
    return 0;
  auto pieces = divide_up(length, full);
  auto last = length % full;
  // A short last piece costs as much as any other: even pieces are as many,
  // and none of them is as large.
  if (pieces < 2 || last == 0 || last >= full / 4 * 3)
    return full;
  return divide_up(divide_up(length, pieces), unit) * unit;
}

// -- cutting --

expected<done_t> fragment_cutter::cut(uint8_t* packet, size_t length,
                                      size_t largest) noexcept {
  left_ = 0;
  index_ = 0;
  if (length == 0)
    return errc::bad_payload_size;
  if (length <= largest) {
    step_ = 0;
  } else {
    step_ = fragment_payload(length, largest);
    if (step_ == 0 || divide_up(length, step_) > max_fragments)
      return errc::bad_payload_size;
    ++sequence_;
  }
  at_ = packet;
  left_ = length;
  write_header();
  return done;
}

void fragment_cutter::write_header() noexcept {
  auto header = uint32_t{0};
  if (step_ != 0)
    header = header_of(left_ > step_ ? piece_kind::part : piece_kind::last,
                       sequence_, index_, step_);
  store_u32(at_ - fragment_header_size, header);
}

byte_view fragment_cutter::piece() const noexcept {
  if (left_ == 0)
    return {};
  auto payload = step_ == 0 ? left_ : std::min(left_, step_);
  return {at_ - fragment_header_size, fragment_header_size + payload};
}

void fragment_cutter::next_piece() noexcept {
  if (step_ == 0 || left_ <= step_) {
    left_ = 0;
    return;
  }
  at_ += step_;
  left_ -= step_;
  ++index_;
  write_header();
}

// -- joining --

fragment_joiner::fragment_joiner(size_t max_packet)
  : max_packet_(max_packet),
    // Not cleared: pages that no packet needs are never touched.
    memory_(new uint8_t[places * max_packet]) {
}

uint8_t* fragment_joiner::memory_of(const partial& x) noexcept {
  return memory_.get()
         + static_cast<size_t>(&x - partials_.data()) * max_packet_;
}

/// The place of a sequence id in the window of the newest 25. One far from it
/// starts the window anew.
fragment_joiner::partial& fragment_joiner::place_of(uint8_t sequence) noexcept {
  constexpr int size = places;
  int ahead = static_cast<int8_t>(sequence - newest_sequence_);
  if (ahead >= size || ahead <= -size) {
    for (auto& x : partials_)
      x.used = false;
    newest_sequence_ = sequence;
    return partials_[newest_];
  }
  for (; ahead > 0; --ahead) {
    newest_ = (newest_ + 1) % places;
    partials_[newest_].used = false;
    ++newest_sequence_;
  }
  return partials_[(newest_ + places - static_cast<size_t>(-ahead)) % places];
}

expected<mutable_byte_view> fragment_joiner::join(mutable_byte_view xs,
                                                  instant now) noexcept {
  byte_reader in{xs};
  auto header = in.u32();
  auto payload = in.rest();
  if (!in.ok() || payload.empty())
    return errc::truncated;
  auto kind = static_cast<piece_kind>(header & 3);
  auto sequence = static_cast<uint8_t>(header >> sequence_shift);
  uint32_t index = (header >> index_shift) & 31;
  if (kind == piece_kind::whole) {
    if (sequence != 0 || index != 0)
      return errc::bad_value;
    return mutable_byte_view{xs.data + fragment_header_size, payload.size()};
  }
  if (kind == piece_kind::test)
    return errc::bad_value;
  bool last = kind == piece_kind::last;
  auto step = last ? size_t{header >> size_shift} % (max_step / unit + 1) * unit
                   : payload.size();
  // A step of zero would put all pieces in one place; one of less than the last
  // piece would have made another piece of it.
  if (step == 0 || step % unit != 0 || payload.size() > step)
    return errc::bad_payload_size;
  auto offset = index * step;
  if (offset + payload.size() > max_packet_)
    return errc::bad_payload_size;
  auto& x = place_of(sequence);
  // Pieces of another size belong to another packet that has the same id.
  if (!x.used || x.step != step || now.steady >= x.touched + lifetime) {
    x = partial{};
    x.used = true;
    x.step = step;
  }
  // One number for the last piece, and nothing behind it.
  auto behind = x.have & ~((uint32_t{2} << index) - 1);
  if (last ? behind != 0 || (x.count != 0 && x.count != index + 1)
           : x.count != 0 && index + 1 >= x.count) {
    x.used = false;
    return errc::bad_value;
  }
  std::copy(payload.begin(), payload.end(), memory_of(x) + offset);
  x.have |= uint32_t{1} << index;
  x.touched = now.steady;
  if (last) {
    x.count = index + 1;
    x.length = offset + payload.size();
  }
  if (x.count == 0
      || x.have != static_cast<uint32_t>((uint64_t{1} << x.count) - 1))
    return mutable_byte_view{};
  x.used = false;
  return mutable_byte_view{memory_of(x), x.length};
}

} // namespace vpn::protocol
