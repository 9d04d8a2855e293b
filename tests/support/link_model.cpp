// Decisions of a lossy link, see the header.
#include "tests/support/link_model.hpp"

namespace vpn::test {

link_model::link_model(link_faults faults, uint64_t seed)
  : faults_(faults),
    random_(seed) {
}

std::vector<link_model::delivery> link_model::decide(byte_view datagram) {
  ++sent_;
  // The same numbers are drawn for each datagram, whatever happens to it, so
  // that one more fault does not change the fate of all that follow.
  auto lose = happens(faults_.lose);
  auto twice = happens(faults_.duplicate);
  auto first = deliver(datagram);
  auto second = deliver(datagram);
  std::vector<delivery> result;
  if (lose || !up_) {
    ++lost_;
    return result;
  }
  result.push_back(std::move(first));
  if (twice) {
    ++duplicated_;
    result.push_back(std::move(second));
  }
  return result;
}

bool link_model::happens(uint32_t rate) {
  return random_.below(1000) < rate;
}

link_model::delivery link_model::deliver(byte_view datagram) {
  auto jitter
    = random_.below(static_cast<uint32_t>(faults_.jitter.count()) + 1);
  delivery result{faults_.delay + std::chrono::milliseconds{jitter},
                  datagram.copy()};
  auto corrupt = happens(faults_.corrupt);
  auto at = random_.below(UINT32_MAX);
  if (corrupt && !result.data.empty()) {
    ++corrupted_;
    result.data[at % result.data.size()]
      ^= static_cast<uint8_t>(1U << (at / 256 % 8));
  }
  return result;
}

} // namespace vpn::test
