#include "actors/fault_batch.hpp"

#include <algorithm>
#include <cstring>

namespace vpn::actors {

using protocol::packet_change;
using protocol::packet_kind;
using protocol::packet_run;
using protocol::train_kind;

namespace {

uint64_t packets_of(const packet_run& x) {
  if (x.stride == 0 || x.train != train_kind::none)
    return 1;
  return (x.length + x.stride - 1) / x.stride;
}

} // namespace

const protocol::packet_copy* copy_in_place(const protocol::packet_fate& fate,
                                           bool may_grow) noexcept {
  for (uint8_t i = 0; i < fate.count; ++i) {
    auto& x = fate.copies[i];
    if (x.after == duration::zero()
        && (may_grow || x.change.what != packet_change::kind::extend))
      return &x;
  }
  return nullptr;
}

void apply_to(const packet_change& what, bytes& body) {
  if (!body.empty() && what.what != packet_change::kind::none)
    protocol::apply_change(what, body);
}

void batch_treatment::treat(packet_batch& batch, bool up, bool ip,
                            protocol::fault_model& model, held_messages& held,
                            instant now) {
  runs_.clear();
  for (auto& run : batch) {
    auto step = packets_of(run) == 1 ? run.length : uint32_t{run.stride};
    // Packets that go on side by side, as they came.
    auto part = run;
    part.length = 0;
    auto end_part = [&](uint32_t next) {
      if (part.length > 0)
        runs_.push_back(part);
      part.offset = next;
      part.length = 0;
    };
    for (uint32_t i = 0; i < run.length; i += step) {
      auto offset = run.offset + i;
      auto size = std::min(step, run.length - i);
      mutable_byte_view packet{batch.data + offset, size};
      auto kind = ip ? packet_kind::data : protocol::kind_of_datagram(packet);
      auto fate = model.decide(kind, now);
      auto stays = fate.passes()
                     ? size
                     : treat_one(fate, packet, run, batch.from, up, held, now);
      part.length += stays;
      if (stays < size)
        end_part(offset + size);
    }
    end_part(0);
    // Nothing can happen to nothing.
    if (run.length == 0)
      runs_.push_back(run);
  }
  for (; runs_.size() > batch.max_runs; runs_.pop_back())
    lost_ += packets_of(runs_.back());
  std::copy(runs_.begin(), runs_.end(), batch.runs);
  batch.count = static_cast<uint32_t>(runs_.size());
}

/// How many bytes of the packet stay where they are.
uint32_t batch_treatment::treat_one(const protocol::packet_fate& fate,
                                    mutable_byte_view packet,
                                    const packet_run& run, const path& from,
                                    bool up, held_messages& held, instant now) {
  // The checksum of such a packet is yet to come and would cover a change.
  bool fixed = run.train != train_kind::none || run.needs_checksum;
  auto stays = copy_in_place(fate, fixed);
  for (uint8_t i = 0; i < fate.count; ++i) {
    auto& copy = fate.copies[i];
    if (&copy == stays)
      continue;
    held_packet x{byte_view{packet}.copy(), run, from, up};
    if (run.train == train_kind::none)
      x.like.stride = 0;
    if (!fixed)
      apply_to(copy.change, x.data);
    held.hold(now.steady + copy.after, std::move(x));
  }
  if (stays == nullptr)
    return 0;
  if (fixed || stays->change.what == packet_change::kind::none)
    return static_cast<uint32_t>(packet.size);
  scratch_.assign(packet.data, packet.data + packet.size);
  apply_to(stays->change, scratch_);
  auto size = std::min(scratch_.size(), packet.size);
  std::memcpy(packet.data, scratch_.data(), size);
  return static_cast<uint32_t>(size);
}

} // namespace vpn::actors
