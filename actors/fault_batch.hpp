// What a fault makes of the packets of one batch.
#pragma once

#include "vpn/protocol/fault_model.hpp"

#include "actors/held_messages.hpp"

namespace vpn::actors {

/// The copy of a packet that goes on at once and where it is; null if there is
/// none.
const protocol::packet_copy* copy_in_place(const protocol::packet_fate& fate,
                                           bool may_grow) noexcept;

/// Changes `body`. An empty one, such as the payload of an acknowledgement, has
/// nothing that could change.
void apply_to(const protocol::packet_change& what, bytes& body);

class batch_treatment {
public:
  /// Leaves in `batch`, in place, what goes on at once; what comes later or
  /// does not fit goes to `held`. `ip`: these are no datagrams.
  void treat(packet_batch& batch, bool up, bool ip,
             protocol::fault_model& model, held_messages& held, instant now);
  /// Packets that had no descriptor left.
  uint64_t lost() const noexcept { return lost_; }

private:
  uint32_t treat_one(const protocol::packet_fate& fate,
                     mutable_byte_view packet, const protocol::packet_run& run,
                     const path& from, bool up, held_messages& held,
                     instant now);

  uint64_t lost_ = 0;
  /// Kept for their memory.
  std::vector<protocol::packet_run> runs_;
  bytes scratch_;
};

} // namespace vpn::actors
