// The home of the data path: one thread with epoll that is an execution unit of
// CAF. Actors that live here run where their file descriptors become readable,
// one after the other, without locks between them.
#pragma once

#include "vpn/actors/clock_source.hpp"

#include <caf/actor_addr.hpp>
#include <caf/error.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace vpn::actors {

/// When a hook runs at the end of a round. Between two stages the messages the
/// first one caused are processed.
enum class flush_stage : uint8_t {
  /// DATA CHANNEL hands over what it has sealed.
  data_channel,
  /// NETWORK writes, TUN looks whether it may read again.
  edges,
};
constexpr size_t flush_stages = 2;

/// Lives longer than the `actor_system` whose actors call it home; but its
/// thread ends before that system does: `await_all_actors_done`, then `stop`,
/// then the end of the system. An actor counts as done a moment before the loop
/// lets go of it.
class io_loop : public caf::execution_unit, public clock_source {
public:
  class watch;
  class hook;

  io_loop();
  ~io_loop() override;

  // -- from any thread --
  /// Starts the thread. `sys` must live until all homed actors are done.
  void start(caf::actor_system& sys);
  /// Ends the thread after the round it is in. Idempotent. A thread that hangs
  /// is waited for, so a process whose loop hangs is left by `_exit`, which
  /// destroys nothing.
  void stop();
  /// Jobs of homed actors run here; all others go to CAF's scheduler, or every
  /// actor that a data actor talks to would end up on the data path.
  void exec_later(caf::resumable* job) override;
  /// Runs `f` on the loop's thread. What it throws is dropped.
  void post(std::function<void()> f);
  /// Makes the loop go through one round.
  void wake();
  /// How often the loop has gone round.
  uint64_t rounds() const noexcept {
    return rounds_.load(std::memory_order_relaxed);
  }
  bool on_own_thread() const noexcept {
    return std::this_thread::get_id() == thread_id_.load();
  }

  // -- from actors at home here --
  // An exception of theirs ends `owner` as one in a message handler would: the
  // loop goes on for the others, and calls nothing of this owner any more.
  // Without an owner only what has thrown is not called again.
  /// Calls `f` with the ready EPOLL bits of `fd`, level-triggered, until the
  /// returned object is gone. The descriptor stays the caller's.
  std::unique_ptr<watch> watch_fd(int fd, uint32_t events,
                                  std::function<void(uint32_t)> f,
                                  caf::actor_addr owner = {});
  /// Calls `f` at the end of each round until the returned object is gone.
  std::unique_ptr<hook> at_end_of_round(flush_stage stage,
                                        std::function<void()> f,
                                        caf::actor_addr owner = {});
  /// Time of the current round: one clock read for all packets in it.
  instant now() const override { return now_; }

private:
  struct watch_entry;
  struct hook_entry;
  void run();
  void drain_inbox();
  /// False when there are jobs left for another round.
  bool run_jobs();
  void handle_event(void* ptr, uint32_t events);
  void call(watch_entry& entry, uint32_t events);
  void call(hook_entry& entry);
  void silence(watch_entry& entry);
  void end_owner(const caf::actor_addr& owner, caf::error why);

  int epoll_ = -1;
  int event_ = -1;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> notified_{false};
  std::atomic<uint64_t> rounds_{0};
  instant now_;
  std::deque<caf::resumable*> jobs_;
  std::array<std::vector<std::shared_ptr<hook_entry>>, flush_stages> hooks_;
  /// Watches whose owner is gone, kept until no event can name them.
  std::vector<std::shared_ptr<watch_entry>> retired_;
  std::vector<std::shared_ptr<watch_entry>> watches_;
  std::mutex inbox_mutex_;
  std::vector<caf::resumable*> inbox_jobs_;
  std::vector<std::function<void()>> inbox_calls_;
};

/// A registered descriptor. Destroy it before the descriptor is closed.
class io_loop::watch {
public:
  watch(io_loop& loop, std::shared_ptr<watch_entry> entry)
    : loop_(loop),
      entry_(std::move(entry)) {}
  ~watch();
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  /// Changes the EPOLL bits that are waited for; zero pauses.
  void set_events(uint32_t events);
  uint32_t events() const noexcept;

private:
  io_loop& loop_;
  std::shared_ptr<watch_entry> entry_;
};

/// A registered end-of-round hook.
class io_loop::hook {
public:
  explicit hook(std::shared_ptr<hook_entry> entry) : entry_(std::move(entry)) {}
  ~hook();
  hook(const hook&) = delete;
  hook& operator=(const hook&) = delete;

private:
  std::shared_ptr<hook_entry> entry_;
};

} // namespace vpn::actors
