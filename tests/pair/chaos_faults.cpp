// The fault actors of the product between two real ends: the same seed is the
// same run, a pause lets everything pass, and what is cleared is gone.
// spec: design 7
#define CAF_SUITE pair.chaos_faults
#include "tests/support/chaos_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;

namespace {

/// Everything that is sent while the product's own faults work.
run_digest faulted(uint64_t seed, const std::string& fault) {
  seeded_run fixed{seed};
  vpn_pair x;
  x.client.cfg->session.reneg_after = 7s;
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
  run_digest result;
  result.watch(x);
  x.fault(x.client, fault);
  light_stream stream{x};
  stream.run(60s, 50ms);
  x.tap = nullptr;
  // Damage inside the tunnel is nobody's to notice.
  if (fault.find("data_channel") != 0)
    CAF_CHECK_EQUAL(stream.wrong(), 0u);
  return result;
}

} // namespace

CAF_TEST(a fault of the same seed is the same run) {
  for (auto* fault : {"network.down:drop=0.2,reorder=0.1,seed=",
                      "network.up:drop=0.2,duplicate=0.2,corrupt=0.1,seed=",
                      "network:drop=0.1,delay=20ms,jitter=30ms,seed=",
                      "muxer:drop=0.05,reorder=0.1,seed=",
                      "data_channel:drop=0.2,truncate=0.1,seed=",
                      "muxer:kill=10s,every=15s,seed="}) {
    auto name = std::string{fault};
    CAF_MESSAGE(name);
    auto first = faulted(1, name + "7");
    CAF_CHECK(first == faulted(1, name + "7"));
    CAF_CHECK(first.datagrams > 1000);
    if (name.find("kill") == std::string::npos)
      CAF_CHECK(!(first == faulted(1, name + "8")));
  }
}

CAF_TEST(faults pause and end) {
  vpn_pair x;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(10s));
  auto sent = [&] {
    auto before = x.client.link.sent();
    light_stream stream{x};
    stream.run(5s, 10ms);
    x.drive(100ms);
    CAF_CHECK_EQUAL(stream.wrong(), 0u);
    CAF_CHECK_EQUAL(stream.arrived_down(), stream.sent());
    CAF_CHECK(x.client.link.sent() - before >= stream.arrived_up());
    return stream.sent() - stream.arrived_up();
  };
  CAF_CHECK_EQUAL(sent(), 0u);
  x.fault(x.client, "network.down:drop=0.2,reorder=0.1,seed=7");
  auto lost = sent();
  CAF_CHECK(lost > 60 && lost < 140);
  caf::anon_send(x.client.supervisor, atom::pause_v, true);
  CAF_CHECK_EQUAL(sent(), 0u);
  caf::anon_send(x.client.supervisor, atom::pause_v, false);
  CAF_CHECK(sent() > 60);
  x.clear_faults(x.client);
  CAF_CHECK_EQUAL(sent(), 0u);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}
