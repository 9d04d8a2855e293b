// What a fault actor holds back: whole messages, and packets that were copied
// out of their batch.
#pragma once

#include "vpn/actors/packet_batch.hpp"
#include "vpn/protocol/clock.hpp"

#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>

#include <map>
#include <optional>
#include <variant>

namespace vpn::actors {

/// A message out of a mailbox. Whoever gets it next cannot tell that it has
/// been in another one: sender, request id and priority are as they were.
struct taken_message {
  caf::strong_actor_ptr sender;
  caf::message_id id;
  caf::mailbox_element::forwarding_stack stages;
  caf::message content;

  /// Empties `x`; its actor sends no answer.
  static taken_message take(caf::mailbox_element& x);
  void pass_on(const caf::strong_actor_ptr& to, caf::execution_unit* host);
  /// If it is a request, answers that nobody is there.
  void refuse() const;
};

/// One packet, or one train of TUN, on its own.
struct held_packet {
  bytes data;
  /// What its run said beside its place.
  protocol::packet_run like;
  path from;
  bool up = true;
};

class held_messages {
public:
  static constexpr size_t max_messages = 4096;
  static constexpr size_t max_bytes = size_t{4} << 20;
  /// Batches belong to pools that others need.
  static constexpr size_t max_batches = 4;

  // -- commands --
  /// False when there is no room: it is dropped then, a request answered.
  bool hold(time_point due, taken_message x, size_t size);
  bool hold(time_point due, held_packet x);
  /// Sends what is due by `now`, in order of time, then of coming. False when
  /// batches have run out and some of it must wait until they are back.
  bool release(time_point now, const caf::strong_actor_ptr& to,
               caf::execution_unit* host);
  /// Drops everything; requests are answered.
  void clear();

  // -- observers --
  std::optional<time_point> next_due() const;
  size_t count() const noexcept { return items_.size(); }
  /// How many found no room.
  uint64_t lost() const noexcept { return lost_; }

private:
  struct item {
    std::variant<taken_message, held_packet> what;
    size_t size = 0;
    bool pins_batch = false;
  };
  bool add(time_point due, item x);
  bool write(const held_packet& x, const caf::strong_actor_ptr& to,
             caf::execution_unit* host);
  void flush(const caf::strong_actor_ptr& to, caf::execution_unit* host);

  /// Equal times stand in the order in which they came.
  std::multimap<time_point, item> items_;
  size_t bytes_ = 0;
  size_t batches_ = 0;
  uint64_t lost_ = 0;
  /// Made when the first packet leaves: most faults never need it.
  pool_ptr pool_;
  /// The batch that is being filled, and which way it goes.
  batch_ptr open_;
  bool open_up_ = true;
};

} // namespace vpn::actors
