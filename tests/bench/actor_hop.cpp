// What one hop of a batch between two actors costs: at home on one loop, and on
// CAF's scheduler.
#include "vpn/actors/config.hpp"
#include "vpn/actors/homed.hpp"
#include "vpn/actors/interfaces.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <future>

#include <benchmark/benchmark.h>

namespace {

using namespace vpn::actors;
namespace atom = vpn::atom;

using player_actor = caf::typed_actor<
  caf::reacts_to<atom::attach, batch_up_actor>>::extend_with<batch_up_actor>;

struct player_state {
  static inline const char* name = "player";
  player_state() = default;
  batch_up_actor other;
};

/// Passes a batch to the other one until `left` is used up.
class player final : public homed<player_actor::stateful_base<player_state>> {
public:
  player(caf::actor_config& cfg, io_loop* home, int64_t* left,
         std::promise<void>* done)
    : homed(cfg, home),
      left_(left),
      done_(done) {}

  behavior_type make_behavior() override {
    return {
      [this](atom::attach, const batch_up_actor& other) {
        state.other = other;
      },
      [this](atom::up, batch_ptr& batch) {
        if (--*left_ > 0)
          send(state.other, atom::up_v, std::move(batch));
        else
          done_->set_value();
      },
    };
  }

private:
  int64_t* left_;
  std::promise<void>* done_;
};

void measure(benchmark::State& state, bool at_home) {
  io_loop loop;
  config cfg;
  caf::actor_system sys{cfg};
  loop.start(sys);
  auto pool = caf::make_counted<batch_pool>(pool_config{1, 4096, 1});
  constexpr int64_t hops = 10000;
  for (auto _ : state) {
    auto left = hops;
    std::promise<void> done;
    auto* home = at_home ? &loop : nullptr;
    auto a = sys.spawn<player>(home, &left, &done);
    auto b = sys.spawn<player>(home, &left, &done);
    caf::anon_send(a, atom::attach_v, batch_up_actor{b});
    caf::anon_send(b, atom::attach_v, batch_up_actor{a});
    caf::anon_send(a, atom::up_v, pool->get());
    done.get_future().wait();
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(b, caf::exit_reason::user_shutdown);
    a = nullptr;
    b = nullptr;
    sys.await_all_actors_done();
  }
  state.SetItemsProcessed(state.iterations() * hops);
  loop.stop();
}

void hop_on_a_loop(benchmark::State& state) {
  measure(state, true);
}
void hop_on_the_scheduler(benchmark::State& state) {
  measure(state, false);
}

BENCHMARK(hop_on_a_loop)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(hop_on_the_scheduler)->Unit(benchmark::kMillisecond)->UseRealTime();

} // namespace
