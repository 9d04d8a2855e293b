// Who sits in a seat gets what is sent to it, and nobody else.
#define CAF_SUITE actors.seat
#include "vpn/actors/seat.hpp"

#include "vpn/actors/interfaces.hpp"

#include "tests/support/actor_fixture.hpp"
#include "tests/support/loop_fixture.hpp"
#include "tests/support/virtual_clock.hpp"

#include "caf/test/dsl.hpp"
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <thread>

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;

namespace {

/// Wears something of everything: packets, facts and requests.
using guest_actor
  = caf::typed_actor<caf::reacts_to<window_open>,
                     caf::replies_to<atom::status>::with<layer_status>>::
    extend_with<batch_up_actor>;

struct guest_record {
  std::vector<uint32_t> numbers;
  size_t batches = 0;
  /// Who the last message came from.
  caf::strong_actor_ptr sender;
};

guest_actor::behavior_type guest(guest_actor::pointer self, const char* name,
                                 guest_record* r) {
  return {
    [=](const window_open& x) {
      r->numbers.push_back(x.slots);
      r->sender = self->current_sender();
    },
    [=](atom::status) {
      return layer_status{name, "", {}};
    },
    [=](atom::up, batch_ptr&) {
      ++r->batches;
    },
  };
}

/// Passes requests on, by handle.
guest_actor::behavior_type relay(guest_actor::pointer self, guest_actor to) {
  return {
    [=](const window_open& x) {
      self->send(to, x);
    },
    [=](atom::status x) {
      return self->delegate(to, x);
    },
    [=](atom::up x, batch_ptr& batch) {
      self->send(to, x, std::move(batch));
    },
  };
}

struct fixture : test::actor_fixture {
  guest_record seen_a, seen_b;
  guest_actor a = own(sys.spawn(guest, "a", &seen_a));
  guest_actor b = own(sys.spawn(guest, "b", &seen_b));
  seat<guest_actor> place{sys};
  guest_actor hdl = place.handle();
  pool_ptr pool = caf::make_counted<batch_pool>(pool_config{4, 1024, 4});

  ~fixture() override { seen_a.sender = seen_b.sender = nullptr; }

  void tell_number(uint32_t x) { tell(hdl, window_open{x}); }
  /// Who answers; empty when nobody does.
  std::string asked(const guest_actor& whom) {
    auto x = ask<layer_status>(whom, atom::status_v);
    return x ? x->layer : sys.render(x.error());
  }
  static std::vector<uint32_t> up_to(uint32_t n) {
    std::vector<uint32_t> result;
    for (uint32_t i = 0; i < n; ++i)
      result.push_back(i);
    return result;
  }
  static size_t references(const guest_actor& x) {
    return caf::actor_cast<caf::actor_control_block*>(x)->strong_refs;
  }
};

const std::string receiver_down = "system_error(request_receiver_down)";

} // namespace

CAF_TEST_FIXTURE_SCOPE(seat_tests, fixture)

CAF_TEST(a message goes to who sits there with its sender) {
  place.put(a);
  tell_number(1);
  CAF_CHECK(seen_a.numbers == std::vector<uint32_t>{1});
  CAF_CHECK(seen_a.sender == self->ctrl());
  place.put(b);
  tell_number(2);
  CAF_CHECK(seen_a.numbers == std::vector<uint32_t>{1});
  CAF_CHECK(seen_b.numbers == std::vector<uint32_t>{2});
}

CAF_TEST(every way of sending reaches who sits there) {
  place.put(a);
  caf::anon_send(hdl, window_open{1});
  consume_messages();
  CAF_CHECK(!seen_a.sender);
  self->send<caf::message_priority::high>(hdl, window_open{2});
  self->delayed_send(hdl, 5s, window_open{4});
  self->scheduled_send(hdl, sched.clock().now() + 3s, window_open{3});
  consume_messages();
  advance_time(3s);
  consume_messages();
  CAF_CHECK((seen_a.numbers == std::vector<uint32_t>{1, 2, 3}));
  advance_time(2s);
  consume_messages();
  CAF_CHECK((seen_a.numbers == std::vector<uint32_t>{1, 2, 3, 4}));
  tell(hdl, atom::up_v, pool->get());
  CAF_CHECK_EQUAL(seen_a.batches, 1u);
}

CAF_TEST(a delayed message finds who sits there when it is due) {
  place.put(a);
  self->delayed_send(hdl, 5s, window_open{1});
  place.put(b);
  advance_time(5s);
  consume_messages();
  CAF_CHECK(seen_a.numbers.empty());
  CAF_CHECK(seen_b.numbers == std::vector<uint32_t>{1});
}

CAF_TEST(who sits there answers a request) {
  place.put(a);
  CAF_CHECK_EQUAL(asked(hdl), "a");
  auto answer = ask_later<layer_status>(hdl, atom::status_v);
  CAF_REQUIRE(*answer);
  CAF_CHECK_EQUAL((**answer)->layer, "a");
}

CAF_TEST(a request is passed on to a seat and answered from there) {
  place.put(a);
  auto before = own(sys.spawn(relay, hdl));
  CAF_CHECK_EQUAL(asked(before), "a");
  place.put(b);
  CAF_CHECK_EQUAL(asked(before), "b");
}

CAF_TEST(seats stand one behind the other) {
  seat<guest_actor> second{sys};
  place.put(second.handle());
  second.put(b);
  CAF_CHECK_EQUAL(asked(hdl), "b");
}

CAF_TEST(an exit ends who sits there and not the seat) {
  place.put(a);
  self->monitor(a);
  self->send_exit(hdl, caf::exit_reason::kill);
  consume_messages();
  bool down = false;
  self->receive([&](const caf::down_msg& x) {
    down = x.source == a.address() && x.reason == caf::exit_reason::kill;
  });
  CAF_CHECK(down);
  CAF_CHECK_EQUAL(asked(hdl), receiver_down);
  place.put(b);
  CAF_CHECK_EQUAL(asked(hdl), "b");
}

CAF_TEST(messages wait for the next one in order) {
  place.put(a);
  place.vacate();
  for (uint32_t i = 0; i < 10; ++i)
    tell_number(i);
  auto answer = ask_later<layer_status>(hdl, atom::status_v);
  CAF_CHECK(seen_a.numbers.empty());
  CAF_CHECK(!*answer);
  place.put(b);
  consume_messages();
  CAF_CHECK(seen_b.numbers == up_to(10));
  CAF_REQUIRE(*answer);
  CAF_CHECK_EQUAL((**answer)->layer, "b");
  place.put(a);
  consume_messages();
  CAF_CHECK(seen_a.numbers.empty());
}

CAF_TEST(messages wait in a new seat) {
  tell_number(0);
  place.put(a);
  consume_messages();
  CAF_CHECK(seen_a.numbers == up_to(1));
}

CAF_TEST(packets and exits do not wait) {
  place.vacate();
  tell(hdl, atom::up_v, pool->get());
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  self->send_exit(hdl, caf::exit_reason::kill);
  tell_number(0);
  place.put(a);
  consume_messages();
  CAF_CHECK_EQUAL(seen_a.batches, 0u);
  CAF_CHECK(seen_a.numbers == up_to(1));
  CAF_CHECK_EQUAL(asked(hdl), "a");
}

CAF_TEST(no more messages wait than there is room for) {
  auto n = static_cast<uint32_t>(seat_actor::max_waiting);
  for (uint32_t i = 0; i < n + 5; ++i)
    tell_number(i);
  CAF_CHECK_EQUAL(asked(hdl), receiver_down);
  place.put(a);
  consume_messages();
  CAF_CHECK(seen_a.numbers == up_to(n));
}

CAF_TEST(a closed seat answers requests and drops everything else) {
  place.put(a);
  place.vacate();
  auto answer = ask_later<layer_status>(hdl, atom::status_v);
  tell_number(0);
  place.close();
  consume_messages();
  CAF_REQUIRE(*answer);
  CAF_CHECK(!**answer);
  CAF_CHECK(!place);
  tell_number(1);
  tell(hdl, atom::up_v, pool->get());
  CAF_CHECK_EQUAL(asked(hdl), receiver_down);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  CAF_CHECK(seen_a.numbers.empty());
  CAF_CHECK_EQUAL(asked(a), "a");
}

CAF_TEST(nobody sits down in a closed seat) {
  // The owner lets go of its seat when it closes it, hence by hand.
  auto raw = caf::actor_cast<caf::abstract_actor*>(hdl);
  auto ptr = static_cast<seat_actor*>(raw);
  ptr->close();
  ptr->seat(caf::actor_cast<caf::strong_actor_ptr>(a));
  CAF_CHECK_EQUAL(asked(hdl), receiver_down);
  ptr->close();
}

CAF_TEST(who watches a seat hears when it closes) {
  place.put(a);
  self->monitor(hdl);
  place = seat<guest_actor>{};
  bool down = false;
  self->receive([&](const caf::down_msg& x) {
    down = x.source == hdl.address();
  });
  CAF_CHECK(down);
  CAF_CHECK_EQUAL(asked(a), "a");
}

CAF_TEST(an owner that ends closes its seat) {
  guest_actor left;
  {
    seat<guest_actor> brief{sys};
    left = brief.handle();
    brief.put(a);
    auto moved = std::move(brief);
    CAF_CHECK(!brief);
    CAF_CHECK_EQUAL(asked(left), "a");
  }
  CAF_CHECK_EQUAL(asked(left), receiver_down);
}

CAF_TEST(a closed seat holds nobody) {
  auto refs = references(a);
  place.put(a);
  // The seat's own handle goes round and comes back to it.
  seat<guest_actor> second{sys};
  second.put(hdl);
  seat<guest_actor> third{sys};
  self->send(third.handle(), window_open{1});
  self->send(third.handle(), window_open{2});
  CAF_CHECK_EQUAL(references(a), refs + 1);
  auto seat_refs = references(hdl);
  second.close();
  CAF_CHECK_EQUAL(references(hdl), seat_refs - 1);
  place.close();
  third.close();
  CAF_CHECK_EQUAL(references(a), refs);
  // Only this handle is left, so the seat ends with it.
  CAF_CHECK_EQUAL(references(hdl), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- real threads --

namespace {

using counting_actor
  = caf::typed_actor<caf::reacts_to<window_open>,
                     // Answers when everything before it is counted.
                     caf::replies_to<atom::status>::with<layer_status>>;

counting_actor::behavior_type count_up(counting_actor::pointer,
                                       std::atomic<uint64_t>* messages,
                                       std::atomic<uint64_t>* sum,
                                       std::atomic<uint64_t>* disorder) {
  // The last number heard from each sender, in the upper bits.
  auto last = std::make_shared<std::vector<uint32_t>>(16);
  return {
    [=](const window_open& x) {
      auto& before = (*last)[x.slots >> 24];
      auto number = x.slots & 0xFFFFFFu;
      *disorder += number <= before ? 1 : 0;
      before = number;
      *sum += number;
      ++*messages;
    },
    [](atom::status) {
      return layer_status{};
    },
  };
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(seat_thread_tests, vpn::test::loop_fixture)

CAF_TEST(nothing is lost while a seat is taken by one and the other) {
  constexpr uint32_t senders = 3, each = 20000;
  std::atomic<uint64_t> messages[2]{}, sum[2]{}, disorder{0};
  counting_actor guests[2];
  for (size_t i = 0; i < 2; ++i)
    guests[i] = own(sys.spawn(count_up, &messages[i], &sum[i], &disorder));
  seat<counting_actor> place{sys};
  place.put(guests[0]);
  auto hdl = place.handle();
  std::vector<std::thread> threads;
  std::atomic<uint32_t> done{0};
  for (uint32_t i = 0; i < senders; ++i)
    threads.emplace_back([=, &done] {
      for (uint32_t n = 1; n <= each; ++n)
        caf::anon_send(hdl, window_open{(i << 24) | n});
      ++done;
    });
  size_t changes = 0;
  while (changes < 1000 || done < senders)
    place.put(guests[++changes % 2]);
  for (auto& x : threads)
    x.join();
  for (auto& x : guests)
    ask<layer_status>(x, atom::status_v);
  CAF_CHECK_EQUAL(messages[0] + messages[1], uint64_t{senders} * each);
  CAF_CHECK_EQUAL(sum[0] + sum[1], uint64_t{senders} * each * (each + 1) / 2);
  CAF_CHECK_EQUAL(disorder, 0u);
}

CAF_TEST(a system ends while somebody still holds a seat) {
  std::atomic<uint64_t> messages{0}, sum{0}, disorder{0};
  seat<counting_actor> place{sys};
  place.put(own(sys.spawn(count_up, &messages, &sum, &disorder)));
  self->send(place.handle(), window_open{1});
  ask<layer_status>(place.handle(), atom::status_v);
  // Waits until no actor but `self` runs: a seat is none.
  end_actors();
  CAF_CHECK_EQUAL(sum, 1u);
  self->send(place.handle(), window_open{2});
  place.vacate();
  self->send(place.handle(), window_open{3});
}

CAF_TEST_FIXTURE_SCOPE_END()
