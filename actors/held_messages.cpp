#include "actors/held_messages.hpp"

#include "vpn/actors/messages.hpp"

#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/make_counted.hpp>
#include <caf/sec.hpp>

#include <cstring>

namespace vpn::actors {

namespace {

/// A batch each for what comes at once, and one packet of the largest size.
constexpr pool_config released{32, 1u << 16, 256};

bool same_path(const path& x, const path& y) {
  return x.remote == y.remote && x.local == y.local
         && x.interface == y.interface;
}

bool has_batch(const caf::message& x) {
  return x.size() > 1 && x.match_element<batch_ptr>(1);
}

} // namespace

taken_message taken_message::take(caf::mailbox_element& x) {
  taken_message result;
  result.id = x.mid;
  x.mid.mark_as_answered();
  result.sender = std::move(x.sender);
  result.stages = std::move(x.stages);
  result.content = x.move_content_to_message();
  return result;
}

void taken_message::pass_on(const caf::strong_actor_ptr& to,
                            caf::execution_unit* host) {
  if (to)
    to->enqueue(caf::make_mailbox_element(
                  std::move(sender), id, std::move(stages), std::move(content)),
                host);
}

void taken_message::refuse() const {
  caf::detail::sync_request_bouncer answer{
    caf::make_error(caf::sec::request_receiver_down)};
  answer(sender, id);
}

bool held_messages::hold(time_point due, taken_message x, size_t size) {
  auto pins = has_batch(x.content);
  return add(due, {std::move(x), size, pins});
}

bool held_messages::hold(time_point due, held_packet x) {
  auto size = x.data.size();
  return add(due, {std::move(x), size, false});
}

bool held_messages::add(time_point due, item x) {
  if (items_.size() == max_messages || x.size > max_bytes - bytes_
      || (x.pins_batch && batches_ == max_batches)) {
    ++lost_;
    if (auto message = std::get_if<taken_message>(&x.what))
      message->refuse();
    return false;
  }
  bytes_ += x.size;
  batches_ += x.pins_batch ? 1 : 0;
  items_.emplace(due, std::move(x));
  return true;
}

bool held_messages::release(time_point now, const caf::strong_actor_ptr& to,
                            caf::execution_unit* host) {
  bool room = true;
  for (auto i = items_.begin(); i != items_.end() && i->first <= now;) {
    if (auto message = std::get_if<taken_message>(&i->second.what)) {
      flush(to, host);
      message->pass_on(to, host);
    } else {
      room = write(std::get<held_packet>(i->second.what), to, host);
      if (!room)
        break;
    }
    bytes_ -= i->second.size;
    batches_ -= i->second.pins_batch ? 1 : 0;
    i = items_.erase(i);
  }
  flush(to, host);
  return room;
}

bool held_messages::write(const held_packet& x, const caf::strong_actor_ptr& to,
                          caf::execution_unit* host) {
  auto size = static_cast<uint32_t>(x.data.size());
  if (size > released.slab_bytes) {
    ++lost_;
    return true;
  }
  if (open_
      && (open_up_ != x.up || open_->full() || open_->room() < size
          || !same_path(open_->from, x.from)))
    flush(to, host);
  if (!open_) {
    if (!pool_)
      pool_ = caf::make_counted<batch_pool>(released);
    open_ = pool_->get();
    if (!open_)
      return false;
    open_->from = x.from;
    open_up_ = x.up;
  }
  auto run = x.like;
  run.offset = open_->used;
  run.length = size;
  if (size > 0)
    std::memcpy(open_->at(run), x.data.data(), size);
  open_->runs[open_->count++] = run;
  open_->used += size;
  return true;
}

void held_messages::flush(const caf::strong_actor_ptr& to,
                          caf::execution_unit* host) {
  if (!open_)
    return;
  auto send = [&](auto direction) {
    to->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                          direction, std::move(open_)),
                host);
  };
  if (to && open_up_)
    send(atom::up_v);
  else if (to)
    send(atom::down_v);
  open_ = nullptr;
}

void held_messages::clear() {
  for (auto& [due, x] : items_)
    if (auto message = std::get_if<taken_message>(&x.what))
      message->refuse();
  items_.clear();
  bytes_ = batches_ = 0;
  open_ = nullptr;
  pool_ = nullptr;
}

std::optional<time_point> held_messages::next_due() const {
  if (items_.empty())
    return std::nullopt;
  return items_.begin()->first;
}

} // namespace vpn::actors
