#include <caf/send.hpp>

#include "supervisor_state.hpp"

namespace vpn::actors {

void supervisor_state::close(std::function<void()> then) {
  begin_generation();
  doing = activity::closing;
  session.reset();
  next = std::move(then);
  closing_steps.clear();
  // Top-down: what a layer still has goes to the one below before that one is
  // asked. The device lives until the tree is killed, after HOST has undone
  // what hangs on it.
  auto step_done = [this, g = generation] {
    if (g == generation)
      close_next();
  };
  tree.for_each([this, step_done](const layer_actor& layer) {
    closing_steps.emplace_back([this, layer, step_done] {
      self->request(layer, layer_limit, atom::shutdown_v)
        .then(
          [step_done](const layer_status&) {
            step_done();
          },
          [step_done](const caf::error&) {
            step_done();
          });
    });
  });
  closing_steps.emplace_back([this, step_done] {
    self->request(host, closing_limit, atom::undo_v)
      .then(
        [step_done](const layer_status&) {
          step_done();
        },
        [step_done](const caf::error&) {
          step_done();
        });
  });
  if (script_ran && !cfg->down.empty())
    closing_steps.emplace_back([this, step_done] {
      run_script(cfg->down, "down", step_done);
    });
  script_ran = false;
  wake_at(cfg->clock->now().steady + closing_limit);
  close_next();
}

void supervisor_state::close_next() {
  if (closing_steps.empty()) {
    closed();
    return;
  }
  auto step = std::move(closing_steps.front());
  closing_steps.pop_front();
  step();
}

void supervisor_state::closed() {
  begin_generation(); // answers still under way belong to the past
  closing_steps.clear();
  tree.for_each([this](const layer_actor& layer) {
    self->demonitor(layer.address());
  });
  tree.kill();
  doing = activity::waiting;
  go_on();
}

void supervisor_state::finish(failure what) {
  if (doing == activity::done)
    return;
  doing = activity::done;
  begin_generation();
  end_helpers();
  if (stopping)
    what.why = stop_reason;
  self->send(cfg->listener, session_ended{what.why, what.text});
  self->quit();
}

void supervisor_state::end_helpers() {
  auto end = [](auto& hdl) {
    if (hdl)
      caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
    hdl = nullptr;
  };
  end(host);
  end(resolver);
  end(runner);
}

supervisor_state::~supervisor_state() {
  if (doing == activity::done || doing == activity::idle)
    return;
  tree.kill();
  end_helpers();
  caf::anon_send(cfg->listener,
                 session_ended{reason::internal, "the supervisor died"});
}

} // namespace vpn::actors
