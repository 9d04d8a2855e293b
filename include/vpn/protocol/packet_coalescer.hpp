// Joins opened packets of one flow to super-packets, each of which TUN takes in
// a single write.
// spec: virtio 5.1.6 (virtio_net_hdr); the kernel's own GRO sets the rules
#pragma once

#include "vpn/protocol/inner_packet.hpp"

#include <array>
#include <memory>
#include <vector>

namespace vpn::protocol {

/// One write to TUN: the virtio header, then pieces of packets.
struct tun_write {
  /// vnet header, and for a joined train the IP and TCP/UDP header after it.
  std::array<uint8_t, vnet_header_size + 120> head{};
  uint32_t head_size = vnet_header_size;
  /// Index of the first piece and their number, in `packet_coalescer::pieces`.
  uint32_t first_piece = 0;
  uint32_t pieces = 0;
  /// Packets of the tunnel in this write.
  uint32_t packets = 0;
};

/// Joins packets of one flow that follow each other into super-packets the
/// kernel takes in one go. As strict as the kernel's own GRO: see the rules in
/// the source. Views point into the slab, which must stay until written.
class packet_coalescer {
public:
  struct options {
    /// Join TCP, and UDP (needs USO, kernel 6.2).
    bool tcp = true;
    bool udp = false;
  };
  /// Flows that can grow at the same time, and packets of one write.
  static constexpr size_t max_open_flows = 16;
  static constexpr uint32_t max_tcp_segments = 128;
  static constexpr uint32_t max_udp_segments = 64;

  explicit packet_coalescer(options opts);
  ~packet_coalescer();
  packet_coalescer(packet_coalescer&&) noexcept;
  packet_coalescer& operator=(packet_coalescer&&) noexcept;

  /// Takes all packets of a batch; `writes()` and `pieces()` describe the
  /// result, in an order that keeps every flow's own order. Overwrites the
  /// result of the call before.
  void join(const packet_slab& slab);

  const std::vector<tun_write>& writes() const noexcept;
  const std::vector<byte_view>& pieces() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vpn::protocol
