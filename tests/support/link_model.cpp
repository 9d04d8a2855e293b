// A lossy link as a user of the product's model of faults, see the header.
#include "tests/support/link_model.hpp"

namespace vpn::test {

using namespace protocol;

namespace {

double share(uint32_t of_a_thousand) {
  return of_a_thousand / 1000.0;
}

fault_knobs knobs_of(const link_faults& x) {
  fault_knobs result;
  result.drop = share(x.lose);
  result.duplicate = share(x.duplicate);
  result.corrupt = share(x.corrupt);
  result.reorder = share(x.reorder);
  result.reorder_by = x.reorder_by;
  result.delay = x.delay;
  // Times are whole milliseconds here, and all of them up to the longest are
  // equally likely, so that copies may arrive at the same instant.
  result.jitter = x.jitter + std::chrono::milliseconds{1} - duration{1};
  return result;
}

} // namespace

link_model::link_model(link_faults faults, uint64_t seed)
  : faults_(faults),
    model_(knobs_of(faults), seed, {}) {
}

void link_model::set_faults(const link_faults& x) {
  faults_ = x;
  model_.set_knobs(knobs_of(x), {});
}

std::vector<link_model::delivery> link_model::decide(byte_view datagram) {
  ++sent_;
  // Drawn in any case: what is lost while the link is down does not change the
  // fate of what follows.
  auto fate = model_.decide(kind_of_datagram(datagram), {});
  std::vector<delivery> result;
  if (fate.count == 0 || !up_) {
    ++lost_;
    return result;
  }
  duplicated_ += fate.count > 1 ? 1 : 0;
  for (size_t i = 0; i < fate.count; ++i) {
    auto& copy = fate.copies[i];
    delivery x{std::chrono::floor<std::chrono::milliseconds>(copy.after),
               datagram.copy()};
    if (copy.change.what != packet_change::kind::none && !x.data.empty())
      ++corrupted_;
    apply_change(copy.change, x.data);
    result.push_back(std::move(x));
  }
  return result;
}

} // namespace vpn::test
