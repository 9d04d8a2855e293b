// One function per option about sizes and the device: MTU, segments, fragments.
// spec: openvpn-wire 13.2, 13.3, 13.4
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

// -- device --

constexpr const char* no_tap
  = "Ethernet tunnels (tap) are not supported; use `dev tun` on both ends";

outcome set_dev(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word.compare(0, 3, "tap") == 0)
    return bad(no_tap);
  if (word.size() > 15 || !is_word(word, "-_.") || word.front() == '-'
      || word.front() == '.')
    return bad(quoted(word) + " is not the name of a device");
  b.draft.tunnel.device = word;
  return {};
}

outcome set_dev_type(builder& b, const use& x) {
  if (x.words[1] == "tap")
    return bad(no_tap);
  if (x.words[1] != "tun")
    return bad(quoted(x.words[1]) + " is no type of device: tun");
  b.has_dev_type = true;
  return {};
}

outcome set_txqueuelen(builder& b, const use& x) {
  return read_number(b.draft.tunnel.tx_queue_length, x.words[1], 0, 1000000);
}

outcome set_tun_mtu(builder& b, const use& x) {
  // A second word only goes into the options string, which nobody compares.
  uint32_t mtu = 0, told = 0;
  auto result = read_number(mtu, x.words[1], 100, 65535);
  if (x.count() > 1 && result.error.empty())
    result = read_number(told, x.words[2], 100, 65535);
  if (result.error.empty())
    b.connection().settings.tun_mtu = mtu;
  return result;
}

outcome set_tun_mtu_max(builder& b, const use& x) {
  uint32_t mtu = 0;
  auto result = read_number(mtu, x.words[1], 100, 65535);
  if (result.error.empty())
    b.connection().max_tun_mtu = mtu;
  return result;
}

// -- packets --

outcome set_mssfix(builder& b, const use& x) {
  auto& connection = b.connection();
  if (x.count() == 0) {
    connection.has_mssfix = false;
    connection.settings.mssfix = {};
    return {};
  }
  mssfix_config mssfix{mssfix_kind::udp_payload, 0};
  if (x.count() == 2) {
    if (x.words[2] == "mtu")
      mssfix.kind = mssfix_kind::outer_packet;
    else if (x.words[2] == "fixed")
      mssfix.kind = mssfix_kind::fixed;
    else
      return bad(quoted(x.words[2]) + " is neither mtu nor fixed");
  }
  if (x.words[1] == "0") {
    mssfix.kind = mssfix_kind::off;
  } else if (auto result
             = read_number(mssfix.size, x.words[1], min_control_packet, 65535);
             !result.error.empty()) {
    return result;
  }
  connection.has_mssfix = true;
  connection.settings.mssfix = mssfix;
  return {};
}

/// The limit of control packets is one for data too: both take the same path.
outcome set_max_packet_size(builder& b, const use& x) {
  auto& connection = b.connection();
  uint32_t size = 0;
  auto result = read_number(size, x.words[1], min_control_packet, 2048);
  if (!result.error.empty())
    return result;
  connection.settings.max_packet_size = size;
  connection.settings.mssfix = {mssfix_kind::outer_packet, size};
  connection.has_mssfix = true;
  return {};
}

outcome set_fragment(builder& b, const use& x) {
  fragment_config fragment;
  auto result = read_number(fragment.size, x.words[1], 68, 65535);
  if (!result.error.empty())
    return result;
  if (x.count() > 1) {
    if (x.words[2] != "mtu")
      return bad(quoted(x.words[2]) + " is not known here: mtu");
    fragment.outer_packet = true;
  }
  b.connection().settings.fragment = fragment;
  return {};
}

constexpr profile_option options[] = {
  {"dev", set_dev},
  {"dev-type", set_dev_type},
  {"fragment", set_fragment},
  {"max-packet-size", set_max_packet_size},
  {"mssfix", set_mssfix},
  {"tun-mtu", set_tun_mtu},
  {"tun-mtu-max", set_tun_mtu_max},
  {"txqueuelen", set_txqueuelen},
};

} // namespace

profile_option_range link_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
