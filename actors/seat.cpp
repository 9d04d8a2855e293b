#include "vpn/actors/seat.hpp"

#include "vpn/actors/packet_batch.hpp"

#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

namespace vpn::actors {

namespace {

template <class T>
bool holds(const caf::mailbox_element& x, size_t position) {
  auto& content = x.content();
  return content.size() > position && content.match_element<T>(position);
}

} // namespace

seat_actor::seat_actor(caf::actor_config& cfg) : caf::monitorable_actor(cfg) {
}

const char* seat_actor::name() const {
  return "seat";
}

bool seat_actor::may_wait(const caf::mailbox_element& x) {
  // Packets are worth nothing later, and pin memory of a pool. An exit was
  // meant for the one who is gone, not for the next one.
  return !holds<batch_ptr>(x, 1) && !holds<caf::exit_msg>(x, 0);
}

void seat_actor::bounce(const caf::mailbox_element& x) {
  caf::detail::sync_request_bouncer answer{
    caf::make_error(caf::sec::request_receiver_down)};
  answer(x);
}

void seat_actor::enqueue(caf::mailbox_element_ptr what,
                         caf::execution_unit* host) {
  if (signs_ && !what->mid.is_request())
    what->sender = caf::strong_actor_ptr{ctrl()};
  caf::strong_actor_ptr who;
  {
    std::lock_guard<std::mutex> guard{mutex_};
    who = who_;
    if (!who && !closed_ && waiting_.size() < max_waiting && may_wait(*what)) {
      waiting_.push_back(std::move(what));
      return;
    }
  }
  // Not under the lock: a message that ends here may hold the last handle to
  // an actor that owns seats, this one among them.
  if (who)
    who->get()->enqueue(std::move(what), host);
  else
    bounce(*what);
}

void seat_actor::seat(caf::strong_actor_ptr who) {
  std::lock_guard<std::mutex> guard{mutex_};
  if (closed_)
    return;
  // Under the lock, so that nobody who comes now overtakes those who waited.
  if (who) {
    for (auto& x : waiting_)
      who->get()->enqueue(std::move(x), nullptr);
    waiting_.clear();
  }
  who_.swap(who);
}

void seat_actor::vacate() {
  caf::strong_actor_ptr who;
  std::lock_guard<std::mutex> guard{mutex_};
  who_.swap(who);
}

void seat_actor::close() {
  caf::strong_actor_ptr who;
  std::deque<caf::mailbox_element_ptr> waiting;
  {
    std::lock_guard<std::mutex> guard{mutex_};
    closed_ = true;
    who_.swap(who);
    waiting_.swap(waiting);
  }
  for (auto& x : waiting)
    bounce(*x);
  // Whoever watches a seat hears that it is gone.
  cleanup(caf::make_error(caf::exit_reason::user_shutdown), nullptr);
}

} // namespace vpn::actors
