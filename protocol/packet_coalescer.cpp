// Joins packets to super-packets.
// spec: virtio 5.1.6 (virtio_net_hdr), RFC 9293 3.1, RFC 768, RFC 6864
//
// A packet joins the open group of its flow when the kernel, splitting the
// group again, would produce that very packet:
// - IPv4 without options, no fragment, header checksum right; IPv6 without
//   extension headers; lengths equal to the bytes there are;
// - same addresses, ports, TOS or traffic class and flow label, TTL, DF, and an
//   identification that counts up (it means nothing with DF, RFC 6864);
// - TCP: no flags but ACK, PSH and ECE; same ack, window, flags but PSH, urgent
//   pointer and options; the sequence number follows; some payload;
// - UDP: a checksum is there;
// - payload as large as the first one's; a smaller one or PSH closes the group;
// - layer-4 checksum right, on each member: we tell the kernel that it need not
//   look, and must not make a good packet out of a damaged one.
// Whatever does not join closes the flow's group first, so its order is kept.
#include "vpn/protocol/packet_coalescer.hpp"

#include <cstring>

namespace vpn::protocol {

namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;
constexpr uint8_t flag_psh = 0x08;
constexpr uint8_t flag_ack = 0x10;
constexpr uint8_t flag_ece = 0x40;
constexpr uint32_t max_packet = 65535;
constexpr uint32_t none = UINT32_MAX;

/// What parsing found out about one packet.
struct parsed {
  const uint8_t* data = nullptr;
  uint32_t size = 0;
  train_kind kind = train_kind::none;
  bool v4 = false;
  /// Belongs to a flow, and its ports are known.
  bool has_ports = false;
  /// May start a group or join one.
  bool joinable = false;
  uint32_t l4 = 0;
  uint32_t payload = 0;
  /// Ports and some address bits: a quick "no" before comparing the rest.
  uint64_t hint = 0;

  const uint8_t* transport() const noexcept { return data + l4; }
  uint32_t payload_size() const noexcept { return size - payload; }
  bool tcp() const noexcept { return kind != train_kind::udp; }
  bool pushes() const noexcept {
    return tcp() && (transport()[13] & flag_psh) != 0;
  }
  uint32_t sequence() const noexcept { return load_u32(transport() + 4); }
};

bool same(const uint8_t* x, const uint8_t* y, size_t n) noexcept {
  return std::memcmp(x, y, n) == 0;
}

uint32_t load_hint(const uint8_t* p) noexcept {
  uint32_t result;
  std::memcpy(&result, p, sizeof(result));
  return result;
}

bool same_addresses(const parsed& x, const parsed& y) noexcept {
  return x.v4 == y.v4
         && (x.v4 ? same(x.data + 12, y.data + 12, 8)
                  : same(x.data + 8, y.data + 8, 32));
}

bool same_flow(const parsed& x, const parsed& y) noexcept {
  return x.hint == y.hint && x.kind == y.kind && same_addresses(x, y);
}

bool checksum_valid(const parsed& x) noexcept {
  auto l4_size = x.size - x.l4;
  auto protocol = x.tcp() ? protocol_tcp : protocol_udp;
  auto pseudo = pseudo_header_sum(x.data, protocol, l4_size);
  return checksum_partial({x.transport(), l4_size}, pseudo) == 0xffff;
}

void parse_tcp(parsed& x) noexcept {
  auto* tcp = x.transport();
  uint32_t header = (tcp[12] >> 4) * 4u;
  if (header < 20 || x.l4 + header >= x.size)
    return;
  x.payload = x.l4 + header;
  x.joinable
    = (tcp[12] & 0x0f) == 0 && (tcp[13] & ~(flag_psh | flag_ece)) == flag_ack;
}

void parse_udp(parsed& x) noexcept {
  auto* udp = x.transport();
  x.payload = x.l4 + 8;
  x.joinable = x.payload < x.size && load_u16(udp + 4) == x.size - x.l4
               && load_u16(udp + 6) != 0;
}

/// Fills in what is known about `xs`. Everything starts as "stands alone".
parsed parse(byte_view xs) noexcept {
  parsed x;
  x.data = xs.data();
  x.size = static_cast<uint32_t>(xs.size());
  uint8_t protocol = 0;
  bool whole = false;
  if (x.size >= 20 && xs[0] >> 4 == 4) {
    x.v4 = true;
    x.kind = train_kind::tcp4;
    protocol = xs[9];
    x.l4 = 20;
    whole = xs[0] == 0x45 && load_u16(x.data + 2) == x.size
            && (load_u16(x.data + 6) & 0x3fff) == 0
            && checksum_partial(xs.first(20)) == 0xffff;
  } else if (x.size >= 40 && xs[0] >> 4 == 6) {
    x.kind = train_kind::tcp6;
    protocol = xs[6];
    x.l4 = 40;
    whole = load_u16(x.data + 4) + 40u == x.size;
  }
  if (protocol == protocol_udp)
    x.kind = train_kind::udp;
  uint32_t least = protocol == protocol_tcp ? 20 : 8;
  if (!whole || (protocol != protocol_tcp && protocol != protocol_udp)
      || x.size > max_packet || x.size < x.l4 + least)
    return x;
  x.has_ports = true;
  // The address bits are the last of the source and the first of the target.
  x.hint = (uint64_t{load_hint(x.transport())} << 32)
           | load_hint(x.data + (x.v4 ? 14 : 22));
  if (x.tcp())
    parse_tcp(x);
  else
    parse_udp(x);
  return x;
}

/// True when nothing but what splitting recreates differs in the IP headers.
/// `distance` is how many packets `y` comes after `x`.
bool ip_agrees(const parsed& x, const parsed& y, uint32_t distance) noexcept {
  if (!x.v4) // version, class and flow label; hop limit
    return same(x.data, y.data, 4) && x.data[7] == y.data[7];
  if (x.data[1] != y.data[1] || x.data[6] != y.data[6]
      || x.data[8] != y.data[8])
    return false;
  bool dont_fragment = (x.data[6] & 0x40) != 0;
  auto id = static_cast<uint16_t>(load_u16(x.data + 4) + distance);
  return dont_fragment || id == load_u16(y.data + 4);
}

/// The same for TCP. `sequence` is the number that must come next.
bool tcp_agrees(const parsed& x, const parsed& y, uint32_t sequence) noexcept {
  auto* p = x.transport();
  auto* q = y.transport();
  return y.sequence() == sequence && same(p + 8, q + 8, 5) // ack, data offset
         && ((p[13] ^ q[13]) & ~flag_psh) == 0
         && same(p + 14, q + 14, 2) // window
         && same(p + 18, q + 18, x.payload - x.l4 - 18);
}

/// Packets that become one write.
struct group {
  parsed first;
  uint32_t packets = 1;
  /// Bytes of payload of all packets, and the chain of those after the first.
  uint32_t payload = 0;
  uint32_t head = none;
  uint32_t tail = none;
  bool pushed = false;
  bool verified = false;
};

struct link {
  byte_view payload;
  uint32_t next = none;
};

} // namespace

struct packet_coalescer::impl {
  options opts;
  std::vector<group> groups;
  std::vector<link> links;
  /// Indexes of groups that may grow, the oldest first.
  std::array<uint32_t, max_open_flows> open{};
  size_t open_size = 0;
  std::vector<tun_write> writes;
  std::vector<byte_view> pieces;

  void close(size_t at) noexcept {
    --open_size;
    for (; at < open_size; ++at)
      open[at] = open[at + 1];
  }

  /// Closes what could be overtaken by a packet whose ports are unknown.
  void close_addresses(const parsed& x) noexcept {
    for (size_t i = open_size; i-- > 0;)
      if (same_addresses(groups[open[i]].first, x))
        close(i);
  }

  /// The place in `open` of the flow of `x`, or `open_size`.
  size_t find(const parsed& x) const noexcept {
    size_t i = 0;
    while (i < open_size && !same_flow(groups[open[i]].first, x))
      ++i;
    return i;
  }

  bool agrees(group& to, const parsed& x) const noexcept {
    auto size = x.payload_size();
    auto limit = x.tcp() ? max_tcp_segments : max_udp_segments;
    if (!x.joinable || size > to.first.payload_size() || to.packets == limit
        || x.payload != to.first.payload
        || to.first.payload + to.payload + size > max_packet
        || !ip_agrees(to.first, x, to.packets))
      return false;
    if (x.tcp() && !tcp_agrees(to.first, x, to.first.sequence() + to.payload))
      return false;
    if (!to.verified && !checksum_valid(to.first))
      return false;
    to.verified = true;
    return checksum_valid(x);
  }

  void append(group& to, const parsed& x) {
    auto index = static_cast<uint32_t>(links.size());
    links.push_back({{x.data + x.payload, x.payload_size()}, none});
    (to.tail == none ? to.head : links[to.tail].next) = index;
    to.tail = index;
    to.payload += x.payload_size();
    to.pushed = x.pushes();
    ++to.packets;
  }

  void take(byte_view packet) {
    auto x = parse(packet);
    bool wanted = x.tcp() ? opts.tcp : opts.udp;
    if (x.has_ports && wanted) {
      if (auto at = find(x); at != open_size) {
        auto& to = groups[open[at]];
        if (agrees(to, x)) {
          bool last = x.pushes() || x.payload_size() < to.first.payload_size();
          append(to, x);
          if (last)
            close(at);
          return;
        }
        close(at);
      }
    } else if (!x.has_ports && open_size != 0 && x.l4 != 0) {
      close_addresses(x);
    }
    auto index = static_cast<uint32_t>(groups.size());
    auto& created = groups.emplace_back();
    created.first = x;
    if (!x.joinable || !wanted || x.pushes())
      return;
    created.payload = x.payload_size();
    if (open_size == open.size())
      close(0);
    open[open_size++] = index;
  }

  /// Writes the headers of a whole train, as the kernel expects them.
  void describe(const group& from, tun_write& to) const noexcept {
    auto& first = from.first;
    auto field = static_cast<uint16_t>(first.tcp() ? 16 : 6);
    auto* head = to.head.data();
    auto put = [head](size_t at, uint32_t x) {
      auto value = static_cast<uint16_t>(x);
      std::memcpy(head + at, &value, sizeof(value));
    };
    head[0] = 1; // needs checksum
    head[1] = static_cast<uint8_t>(first.kind);
    put(2, first.payload);
    put(4, first.payload_size());
    put(6, first.l4);
    put(8, field);
    auto* ip = head + vnet_header_size;
    std::memcpy(ip, first.data, first.payload);
    auto length = first.payload + from.payload;
    auto l4_length = length - first.l4;
    if (first.v4) {
      store_u16(ip + 2, static_cast<uint16_t>(length));
      store_u16(ip + 10, 0);
      store_u16(ip + 10, checksum_field(checksum_partial({ip, 20})));
    } else {
      store_u16(ip + 4, static_cast<uint16_t>(length - 40));
    }
    auto* l4 = ip + first.l4;
    if (!first.tcp())
      store_u16(l4 + 4, static_cast<uint16_t>(l4_length));
    else if (from.pushed)
      l4[13] |= flag_psh;
    auto protocol = first.tcp() ? protocol_tcp : protocol_udp;
    store_u16(l4 + field, pseudo_header_sum(ip, protocol, l4_length));
    to.head_size = static_cast<uint32_t>(vnet_header_size) + first.payload;
  }

  void emit(const group& from) {
    auto& to = writes.emplace_back();
    to.first_piece = static_cast<uint32_t>(pieces.size());
    to.packets = from.packets;
    to.pieces = from.packets;
    auto& first = from.first;
    if (from.packets == 1) {
      pieces.push_back({first.data, first.size});
      return;
    }
    describe(from, to);
    pieces.push_back({first.data + first.payload, first.payload_size()});
    for (auto i = from.head; i != none; i = links[i].next)
      pieces.push_back(links[i].payload);
  }
};

packet_coalescer::packet_coalescer(options opts)
  : impl_(std::make_unique<impl>()) {
  impl_->opts = opts;
}
packet_coalescer::~packet_coalescer() = default;
packet_coalescer::packet_coalescer(packet_coalescer&&) noexcept = default;
packet_coalescer&
packet_coalescer::operator=(packet_coalescer&&) noexcept = default;

void packet_coalescer::join(const packet_slab& slab) {
  auto& x = *impl_;
  x.groups.clear();
  x.links.clear();
  x.writes.clear();
  x.pieces.clear();
  x.open_size = 0;
  for (auto& run : slab)
    x.take(slab.view(run));
  for (auto& from : x.groups)
    x.emit(from);
}

const std::vector<tun_write>& packet_coalescer::writes() const noexcept {
  return impl_->writes;
}

const std::vector<byte_view>& packet_coalescer::pieces() const noexcept {
  return impl_->pieces;
}

} // namespace vpn::protocol
