// Fault actors at home on a real loop.
#define CAF_SUITE actors.fault_actor_loop
#include "vpn/actors/fault_actor.hpp"
#include "vpn/actors/homed.hpp"
#include "vpn/actors/seat.hpp"

#include "tests/support/loop_fixture.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;

namespace {

using layer_like_actor
  = batch_up_actor::extend_with<tls_sink_actor>::extend_with<layer_actor>;

struct layer_like_state {
  static inline const char* name = "layer_like";
  layer_like_state() = default;
};

/// Answers from its home, and says whether it was there.
class layer_like final
  : public homed<layer_like_actor::stateful_base<layer_like_state>> {
public:
  layer_like(caf::actor_config& cfg, io_loop* home, test::channel<bytes>* heard)
    : homed(cfg, home),
      heard_(heard) {}

  behavior_type make_behavior() override {
    return {
      [this](atom::up, batch_ptr& x) {
        for (auto& run : *x)
          heard_->put(x->view(run).copy());
      },
      [this](tls_bytes& x) {
        heard_->put(std::move(x.data));
      },
      [](atom::shutdown) {
        return layer_status{};
      },
      [this](atom::status) {
        return layer_status{
          home()->on_own_thread() ? "at home" : "elsewhere", "", {}};
      },
    };
  }

private:
  test::channel<bytes>* heard_;
};

struct fixture : test::loop_fixture {
  test::channel<bytes> heard;
  layer_like_actor layer
    = own(layer_like_actor{sys.spawn<layer_like>(&loop, &heard)});

  auto start(const std::string& text, bool gate, const layer_like_actor& to) {
    auto spec = protocol::parse_fault_spec(text);
    CAF_REQUIRE(spec);
    fault_config cfg;
    cfg.spec = *spec;
    cfg.name = "x";
    cfg.gate = gate;
    cfg.clock = &loop;
    cfg.home = &loop;
    return own(spawn_fault(sys, cfg, to));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fault_actor_loop_tests, fixture)

CAF_TEST(a stall of one actor does not block the loop of all) {
  auto gate = start("muxer:stall=0s/1h", true, layer);
  auto before = self->request(gate, caf::infinite, atom::status_v);
  // The fault answers for itself, and others on the loop go on.
  auto x = ask<layer_status>(gate, atom::fault_v, atom::status_v);
  CAF_CHECK_EQUAL(x.text, "muxer:stall=0s/1h; stalls 1, held 1");
  CAF_CHECK_EQUAL(ask<layer_status>(layer, atom::status_v).layer, "at home");
  finish_round();
  self->send(gate, tls_bytes{{1}});
  self->send(gate, atom::pause_v, true);
  auto data = heard.take();
  CAF_REQUIRE(data);
  CAF_CHECK(*data == bytes{1});
  before.receive(
    [](layer_status& late) {
      CAF_CHECK_EQUAL(late.layer, "at home");
    },
    [&](caf::error& why) {
      CAF_FAIL(sys.render(why));
    });
}

CAF_TEST(a stall ends by itself) {
  auto gate = start("muxer:stall=0s/20ms", true, layer);
  CAF_CHECK_EQUAL(ask<layer_status>(gate, atom::status_v).layer, "at home");
}

CAF_TEST(a delayed packet comes by a timer) {
  auto fault = start("network:delay=5ms,jitter=5ms", false, layer);
  auto pool = caf::make_counted<batch_pool>(pool_config{1, 64, 1});
  auto batch = pool->get();
  batch->data[0] = 0x48;
  CAF_REQUIRE(batch->add(0, 1));
  self->send(fault, atom::up_v, std::move(batch));
  self->send(fault, tls_bytes{{2}});
  size_t size = 0;
  for (int i = 0; i < 2; ++i) {
    auto x = heard.take();
    CAF_REQUIRE(x);
    size += x->size();
  }
  CAF_CHECK_EQUAL(size, 2u);
}

CAF_TEST(a gate kills one after the other through a seat) {
  seat<layer_like_actor> place{sys};
  auto gate = start("muxer:kill=1ms,every=1ms", true, place.handle());
  for (int i = 0; i < 5; ++i) {
    layer_like_actor next{sys.spawn<layer_like>(&loop, &heard)};
    self->monitor(next);
    place.put(next);
    self->receive([&](const caf::down_msg& x) {
      CAF_CHECK(x.reason == caf::exit_reason::kill);
    });
    place.vacate();
  }
  self->send(gate, atom::fault_v, protocol::fault_spec{});
  place.put(layer);
  CAF_CHECK_EQUAL(ask<layer_status>(gate, atom::status_v).layer, "at home");
}

CAF_TEST_FIXTURE_SCOPE_END()
