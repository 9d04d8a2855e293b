// Against a stock peer over a link that loses packets, ours is never slower
// than stock. On a clock that only jumps.
// spec: openvpn-wire 4.1, 4.2
#define CAF_SUITE protocol.reliable_link_race

#include "vpn/protocol/reliable_link.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <map>
#include <sstream>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t seeds = 150;
constexpr uint32_t rates[] = {0, 10, 20, 30, 40};

reliable_config ours() {
  return {};
}

/// What a stock peer does: numbers of the specification. Its bare acks have up
/// to eight ids, and as many as ours where only the waits shall differ.
reliable_config stock(size_t bare_acks = 8) {
  reliable_config result;
  result.measure = false;
  result.bare_acks = bare_acks;
  return result;
}

/// Messages of one side that are there at once, when all before have arrived.
struct flight {
  int from;
  uint32_t messages;
};
using exchange = std::vector<flight>;

/// Twelve each way at the same time.
const exchange both_ways = {{0, 12}};
/// Resets, hello, certificates of the server and of the client, keys, push.
const exchange handshake
  = {{0, 1}, {1, 1}, {0, 1}, {1, 4}, {0, 3}, {1, 1}, {0, 1}, {1, 1}};

struct path {
  /// Per cent, each way.
  uint32_t loss;
  duration one_way;
};

struct race {
  duration time{};
  size_t packets = 0;
  /// Everything arrived, and nobody did anything impossible.
  bool sane = true;
};

/// One exchange, `flights` after each other; or two at once, the second with
/// the sides exchanged.
race run(const reliable_config& client, const reliable_config& server,
         const exchange& flights, bool twice, const path& way, uint64_t seed) {
  // Whether the n-th packet of one side is lost does not depend on the other.
  test::seeded random[] = {test::seeded{2 * seed}, test::seeded{2 * seed + 1}};
  reliable_link ends[] = {reliable_link{client}, reliable_link{server}};
  std::multimap<time_point, std::pair<int, control_packet>> wire;
  uint32_t wanted[] = {0, 0};
  uint32_t sent[] = {0, 0};
  uint32_t received[] = {0, 0};
  instant now;
  race result;
  auto flight = flights.begin();
  auto begin = [&] {
    wanted[flight->from] += flight->messages;
    if (twice)
      wanted[1 - flight->from] += flight->messages;
  };
  auto complete = [&] {
    return received[0] == wanted[1] && received[1] == wanted[0];
  };
  begin();
  for (;;) {
    for (int i = 0; i < 2; ++i) {
      while (sent[i] < wanted[i] && ends[i].free_slots() > 0) {
        result.sane
          = result.sane && ends[i].send({opcode::control_v1, {}}, now);
        ++sent[i];
      }
      while (auto x = ends[i].poll_transmit(now)) {
        ++result.packets;
        auto lost = random[i].below(100) < way.loss;
        auto jitter = 1ms * random[i].below(5);
        if (!lost)
          wire.emplace(now.steady + way.one_way + jitter,
                       std::make_pair(1 - i, std::move(*x)));
      }
    }
    auto next = wire.empty() ? time_point::max() : wire.begin()->first;
    for (auto& end : ends)
      if (auto due = end.poll_timeout())
        next = std::min(next, *due);
    result.sane = result.sane && next >= now.steady;
    // Somebody always has something to do until everything has arrived.
    if (next == time_point::max() || result.packets > 10000) {
      result.sane = false;
      break;
    }
    now.steady = next;
    while (!wire.empty() && wire.begin()->first <= now.steady) {
      auto [to, pkt] = std::move(wire.begin()->second);
      wire.erase(wire.begin());
      static_cast<void>(ends[to].handle_packet(std::move(pkt), now));
      while (ends[to].poll_deliver())
        ++received[to];
    }
    if (!complete())
      continue;
    if (++flight == flights.end())
      break;
    begin();
  }
  result.time = now.steady - time_point{};
  return result;
}

struct results {
  std::vector<duration> times;
  size_t packets = 0;
  duration quantile(size_t percent) const {
    return times.at(times.size() * percent / 100);
  }
};

results run_all(const reliable_config& client, const reliable_config& server,
                const exchange& flights, bool twice, const path& way) {
  results all;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    auto x = run(client, server, flights, twice, way, seed);
    CAF_REQUIRE(x.sane);
    all.times.push_back(x.time);
    all.packets += x.packets;
  }
  std::sort(all.times.begin(), all.times.end());
  return all;
}

double seconds(duration x) {
  return std::chrono::duration<double>(x).count();
}

/// One row of the table, for whoever reads the log.
std::string text(const path& way, const results& x, const results& y) {
  std::ostringstream out;
  out << way.loss << " % lost, round trip " << 2 * seconds(way.one_way)
      << " s: median " << seconds(x.quantile(50)) << " s, stock "
      << seconds(y.quantile(50)) << " s; ninth of ten "
      << seconds(x.quantile(90)) << " s, stock " << seconds(y.quantile(90))
      << " s; packets " << x.packets / seeds << ", stock " << y.packets / seeds;
  return out.str();
}

} // namespace

CAF_TEST(twelve messages each way are never slower than between two of stock) {
  auto peer = stock(max_acks_sent);
  for (duration one_way : {duration{10ms}, duration{100ms}})
    for (auto loss : rates) {
      path way{loss, one_way};
      auto theirs = run_all(peer, peer, both_ways, true, way);
      for (bool server : {false, true}) {
        auto mixed = server ? run_all(peer, ours(), both_ways, true, way)
                            : run_all(ours(), peer, both_ways, true, way);
        CAF_MESSAGE(text(way, mixed, theirs));
        CAF_CHECK(mixed.quantile(50) <= theirs.quantile(50));
        CAF_CHECK(mixed.quantile(90) <= theirs.quantile(90));
        if (loss >= 20)
          CAF_CHECK(mixed.quantile(50) * 3 <= theirs.quantile(50) * 2);
      }
      auto two = run_all(ours(), ours(), both_ways, true, way);
      CAF_MESSAGE("both: " << text(way, two, theirs));
      CAF_CHECK(two.quantile(50) <= theirs.quantile(50));
      CAF_CHECK(two.quantile(90) <= theirs.quantile(90));
    }
}

CAF_TEST(a handshake takes at most three quarters when a tenth is lost) {
  for (duration one_way : {duration{10ms}, duration{100ms}})
    for (auto loss : rates) {
      path way{loss, one_way};
      auto theirs = run_all(stock(), stock(), handshake, false, way);
      for (bool server : {false, true}) {
        auto mixed = server ? run_all(stock(), ours(), handshake, false, way)
                            : run_all(ours(), stock(), handshake, false, way);
        CAF_MESSAGE(text(way, mixed, theirs));
        CAF_CHECK(mixed.quantile(50) <= theirs.quantile(50));
        CAF_CHECK(mixed.quantile(90) <= theirs.quantile(90));
        if (loss >= 10)
          CAF_CHECK(mixed.quantile(50) * 4 <= theirs.quantile(50) * 3);
        // Not by sending more: what is lost is found out sooner.
        CAF_CHECK(mixed.packets * 4 <= theirs.packets * 5);
      }
      auto two = run_all(ours(), ours(), handshake, false, way);
      CAF_MESSAGE("both: " << text(way, two, theirs));
      if (loss >= 10)
        CAF_CHECK(two.quantile(50) * 2 <= theirs.quantile(50));
    }
}

CAF_TEST(a slow path is not slower and carries few packets twice) {
  // A satellite: the first guess is wrong here.
  for (auto loss : rates) {
    path way{loss, 350ms};
    auto theirs = run_all(stock(), stock(), handshake, false, way);
    auto mixed = run_all(ours(), stock(), handshake, false, way);
    CAF_MESSAGE(text(way, mixed, theirs));
    CAF_CHECK(mixed.quantile(50) <= theirs.quantile(50));
    CAF_CHECK(mixed.quantile(90) <= theirs.quantile(90));
    if (loss == 0)
      CAF_CHECK(mixed.packets <= theirs.packets + 3 * seeds);
  }
}

CAF_TEST(without loss nothing is sent that stock would not send) {
  for (auto& flights : {both_ways, handshake}) {
    path way{0, 10ms};
    auto twice = &flights == &both_ways;
    auto peer = stock(max_acks_sent);
    auto theirs = run_all(peer, peer, flights, twice, way);
    auto two = run_all(ours(), ours(), flights, twice, way);
    CAF_CHECK(two.packets <= theirs.packets);
    CAF_CHECK(two.quantile(90) <= theirs.quantile(90));
  }
}
