// Batches that hop between two loops and the scheduler until they are tired.
#define CAF_SUITE actors.io_loop_stress
#include "vpn/actors/homed.hpp"
#include "vpn/actors/interfaces.hpp"

#include "tests/support/loop_fixture.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

using namespace vpn;
using namespace vpn::actors;

namespace {

constexpr size_t actors_per_home = 12;
constexpr size_t tokens = 24;
constexpr uint32_t hops = 2000;

/// A player that has not heard of the others yet waits for this.
using player_actor = caf::typed_actor<
  caf::reacts_to<atom::attach, batch_up_actor>>::extend_with<batch_up_actor>;

struct player_state {
  static inline const char* name = "player";
  player_state() = default;
  std::vector<batch_up_actor> others;
};

class player final : public homed<player_actor::stateful_base<player_state>> {
public:
  player(caf::actor_config& cfg, io_loop* home, uint64_t seed,
         test::channel<bool>* tired)
    : homed(cfg, home),
      random_(seed),
      tired_(tired) {}

  behavior_type make_behavior() override {
    return {
      [this](atom::attach, const batch_up_actor& other) {
        state.others.push_back(other);
      },
      [this](atom::up, batch_ptr& batch) {
        at_home_ = at_home_ && (home() == nullptr || home()->on_own_thread());
        if (--batch->used == 0) {
          batch.reset();
          tired_->put(at_home_);
          return;
        }
        auto n = static_cast<uint32_t>(state.others.size());
        send(state.others[random_.below(n)], atom::up_v, std::move(batch));
      },
    };
  }

private:
  test::seeded random_;
  test::channel<bool>* tired_;
  bool at_home_ = true;
};

struct fixture : test::loop_fixture {
  io_loop other;
  fixture() { other.start(sys); }
  ~fixture() {
    end_actors();
    other.stop();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_stress_tests, fixture)

CAF_TEST(no batch is lost between two loops and the scheduler) {
  test::channel<bool> tired;
  auto pool = caf::make_counted<batch_pool>(pool_config{tokens, 64, 1});
  std::vector<player_actor> players;
  io_loop* homes[] = {&loop, &other, nullptr};
  for (auto home : homes)
    for (size_t i = 0; i < actors_per_home; ++i)
      players.push_back(
        own(player_actor{sys.spawn<player>(home, players.size(), &tired)}));
  for (auto& x : players)
    for (auto& y : players)
      caf::anon_send(x, atom::attach_v, batch_up_actor{y});
  // The last attach is handled before the first batch comes: same sender.
  for (size_t i = 0; i < tokens; ++i) {
    auto batch = pool->get();
    CAF_REQUIRE(batch);
    batch->used = hops;
    self->send(players[i % players.size()], atom::up_v, std::move(batch));
  }
  for (size_t i = 0; i < tokens; ++i) {
    auto x = tired.take();
    CAF_REQUIRE(x);
    CAF_CHECK(*x);
  }
  CAF_CHECK_EQUAL(pool->available(), tokens);
}

CAF_TEST_FIXTURE_SCOPE_END()
