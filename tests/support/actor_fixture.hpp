// A whole actor system in one thread: a message is handled when the test says
// so, and time passes when the test says so. Include it last.
#pragma once

#include "vpn/actors/config.hpp"

#include "caf/test/dsl.hpp"

#include <memory>
#include <vector>

namespace vpn::test {

/// Never call run(): it fires timers until none is left. The base destructor
/// does call it, hence the exits here.
struct actor_fixture : test_coordinator_fixture<vpn::actors::config> {
  std::vector<caf::strong_actor_ptr> owned;

  /// Ends the actor when the test ends. It has started when this returns.
  template <class Handle>
  Handle own(Handle hdl) {
    owned.push_back(caf::actor_cast<caf::strong_actor_ptr>(hdl));
    consume_messages();
    return hdl;
  }

  /// Sends a message and has it handled, with everything that follows now.
  template <class Handle, class... Ts>
  void tell(const Handle& hdl, Ts&&... xs) {
    self->send(hdl, std::forward<Ts>(xs)...);
    consume_messages();
  }

  /// The answer to a request, or an error.
  template <class T, class Handle, class... Ts>
  caf::expected<T> ask(const Handle& hdl, Ts&&... xs) {
    auto answer = self->request(hdl, caf::infinite, std::forward<Ts>(xs)...);
    consume_messages();
    caf::expected<T> result{caf::sec::none};
    answer.receive(
      [&](T& x) {
        result = std::move(x);
      },
      [&](caf::error& x) {
        result = std::move(x);
      });
    return result;
  }

  /// The answer to a request, as soon as there is one.
  template <class T, class Handle, class... Ts>
  std::shared_ptr<caf::optional<caf::expected<T>>> ask_later(const Handle& hdl,
                                                             Ts... xs) {
    auto result = std::make_shared<caf::optional<caf::expected<T>>>();
    sys.spawn([=](caf::event_based_actor* asker) {
      asker->request(hdl, caf::infinite, xs...)
        .then(
          [=](T& x) {
            *result = caf::expected<T>{std::move(x)};
          },
          [=](caf::error& x) {
            *result = caf::expected<T>{std::move(x)};
          });
    });
    consume_messages();
    return result;
  }

  ~actor_fixture() override {
    for (auto& x : owned)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    owned.clear();
    consume_messages();
  }
};

} // namespace vpn::test
