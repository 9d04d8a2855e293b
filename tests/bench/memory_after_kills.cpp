// What a client holds after many deaths of its layers: a client and a server on
// the virtual clock, a layer of the client killed every few seconds. Prints one
// JSON object at each tenth of the way; `faults.sh d` shows them.
//
// KILLS (10000) in the environment says how many.
#include "tests/support/pair.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>

namespace {

using namespace vpn::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<const char*, 8> layers{"network", "muxer",        "tun",
                                            "host",    "data_channel", "tls",
                                            "control", "reliable"};

/// Far enough apart that no ten seconds see five deaths.
constexpr auto pause = milliseconds{2600};

size_t kills_wanted() {
  const auto* text = std::getenv("KILLS");
  auto result = text ? std::strtoul(text, nullptr, 10) : 10'000UL;
  return result < 10 ? 10 : result;
}

/// KiB that the process holds.
size_t resident() {
  std::ifstream in{"/proc/self/statm"};
  size_t total = 0, pages = 0;
  in >> total >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

/// KiB that are allocated.
size_t allocated() {
  return mallinfo2().uordblks / 1024;
}

/// What the test itself collects must not count.
void forget(session_record& saw) {
  saw.notices.clear();
  saw.phases = {vpn::protocol::phase::connected};
  saw.urls.clear();
  saw.questions.clear();
  saw.applied.clear();
  saw.lookups.clear();
  saw.runs.clear();
  saw.order.clear();
  saw.packets.clear();
}

void report(size_t kills, size_t actors) {
  std::printf("{\"figure\": \"memory\", \"kills\": %zu, \"kib\": %zu, "
              "\"allocated\": %zu, \"actors\": %zu}\n",
              kills, resident(), allocated(), actors);
  std::fflush(stdout);
}

/// False when nothing has died, or the session with it.
bool kill_one(vpn_pair& x, size_t number) {
  auto layer = std::string{layers[number % layers.size()]};
  auto deaths = [&] {
    return x.client.saw.times("layer " + layer + " died");
  };
  const auto before = deaths();
  x.fault(x.client, layer + ":kill=1ms");
  x.drive(pause);
  x.clear_faults(x.client);
  x.drive(milliseconds{1});
  if (deaths() == before)
    std::fprintf(stderr, "%s did not die\n", layer.c_str());
  else if (!vpn_pair::connected(x.client))
    std::fprintf(stderr, "the session did not outlive %s\n", layer.c_str());
  else
    return true;
  return false;
}

void memory_after_kills(benchmark::State& state) {
  for (auto _ : state) {
    vpn_pair x;
    x.start();
    if (!x.drive_to_connected(seconds{60})) {
      state.SkipWithError("it does not connect");
      return;
    }
    const auto wanted = kills_wanted();
    // The first of each kind are warm-up.
    for (size_t i = 0; i < layers.size(); ++i)
      if (!kill_one(x, i))
        return state.SkipWithError("no session after a kill");
    forget(x.client.saw);
    forget(x.server.saw);
    report(0, x.running());
    for (size_t i = 1; i <= wanted; ++i) {
      if (!kill_one(x, i))
        return state.SkipWithError("no session after a kill");
      if (i % 100 != 0 && i != wanted)
        continue;
      if (!x.carries())
        return state.SkipWithError("no traffic after a kill");
      forget(x.client.saw);
      forget(x.server.saw);
      if (i % (wanted / 10) == 0)
        report(i, x.running());
    }
  }
}

BENCHMARK(memory_after_kills)->Iterations(1)->Unit(benchmark::kSecond);

} // namespace
