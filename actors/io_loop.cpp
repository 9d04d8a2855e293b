#include "vpn/actors/io_loop.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_message.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>
#include <exception>
#include <system_error>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace vpn::actors {

namespace {

/// Messages one actor handles before the next one has its turn.
constexpr size_t messages_per_resume = 8;

/// Jobs between two looks at epoll, so that neither exit messages nor the other
/// direction starve.
constexpr size_t jobs_per_round = 64;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// The exception that is being handled, as `install_handlers` puts it.
caf::error what_was_thrown() {
  try {
    throw;
  } catch (const std::exception& x) {
    return caf::make_error(caf::sec::runtime_error, x.what());
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error, "unknown exception");
  }
}

} // namespace

struct io_loop::watch_entry {
  int fd = -1;
  uint32_t events = 0;
  std::atomic<bool> active{true};
  std::function<void(uint32_t)> call;
  caf::actor_addr owner;
};

struct io_loop::hook_entry {
  std::atomic<bool> active{true};
  std::function<void()> call;
  caf::actor_addr owner;
};

io_loop::io_loop() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0)
    fail("epoll_create1");
  event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_ < 0) {
    close(epoll_);
    fail("eventfd");
  }
  epoll_event ev{};
  ev.events = EPOLLIN;
  ev.data.ptr = nullptr;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &ev) != 0)
    fail("epoll_ctl");
  now_ = system_clock_source{}.now();
}

io_loop::~io_loop() {
  stop();
  close(event_);
  close(epoll_);
}

void io_loop::start(caf::actor_system& sys) {
  system_ = &sys;
  thread_ = std::thread{[this] {
    thread_id_ = std::this_thread::get_id();
    run();
  }};
}

void io_loop::stop() {
  stopped_ = true;
  wake();
  if (thread_.joinable())
    thread_.join();
}

void io_loop::exec_later(caf::resumable* job) {
  if (job->subtype() != caf::resumable::io_actor) {
    system().scheduler().enqueue(job);
  } else if (on_own_thread()) {
    jobs_.push_back(job);
  } else {
    {
      std::lock_guard<std::mutex> guard{inbox_mutex_};
      inbox_jobs_.push_back(job);
    }
    wake();
  }
}

void io_loop::post(std::function<void()> f) {
  {
    std::lock_guard<std::mutex> guard{inbox_mutex_};
    inbox_calls_.push_back(std::move(f));
  }
  wake();
}

void io_loop::wake() {
  // One write per nap is enough; `drain_inbox` resets the flag before it looks.
  if (notified_.exchange(true))
    return;
  uint64_t one = 1;
  [[maybe_unused]] auto n = write(event_, &one, sizeof(one));
}

std::unique_ptr<io_loop::watch>
io_loop::watch_fd(int fd, uint32_t events, std::function<void(uint32_t)> f,
                  caf::actor_addr owner) {
  auto entry = std::make_shared<watch_entry>();
  entry->fd = fd;
  entry->events = events;
  entry->call = std::move(f);
  entry->owner = std::move(owner);
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = entry.get();
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &ev) != 0)
    fail("epoll_ctl");
  watches_.push_back(entry);
  return std::make_unique<watch>(*this, std::move(entry));
}

std::unique_ptr<io_loop::hook> io_loop::at_end_of_round(flush_stage stage,
                                                        std::function<void()> f,
                                                        caf::actor_addr owner) {
  auto entry = std::make_shared<hook_entry>();
  entry->call = std::move(f);
  entry->owner = std::move(owner);
  hooks_[static_cast<size_t>(stage)].push_back(entry);
  return std::make_unique<hook>(std::move(entry));
}

io_loop::watch::~watch() {
  entry_->active = false;
  epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, entry_->fd, nullptr);
  // The entry may be named by an event of this round: the loop lets go of it
  // between rounds. A state may end on any thread, hence the inbox.
  auto bury = [&loop = loop_, entry = entry_] {
    auto& xs = loop.watches_;
    xs.erase(std::remove(xs.begin(), xs.end(), entry), xs.end());
    loop.retired_.push_back(entry);
  };
  if (loop_.on_own_thread())
    bury();
  else
    loop_.post(bury);
}

void io_loop::watch::set_events(uint32_t events) {
  if (entry_->events == events)
    return;
  entry_->events = events;
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = entry_.get();
  epoll_ctl(loop_.epoll_, EPOLL_CTL_MOD, entry_->fd, &ev);
}

uint32_t io_loop::watch::events() const noexcept {
  return entry_->events;
}

io_loop::hook::~hook() {
  // The loop drops inactive hooks before it calls any.
  entry_->active = false;
}

void io_loop::drain_inbox() {
  notified_ = false;
  std::vector<caf::resumable*> jobs;
  std::vector<std::function<void()>> calls;
  {
    std::lock_guard<std::mutex> guard{inbox_mutex_};
    jobs.swap(inbox_jobs_);
    calls.swap(inbox_calls_);
  }
  jobs_.insert(jobs_.end(), jobs.begin(), jobs.end());
  for (auto& f : calls) {
    try {
      f();
    } catch (...) {
      // Nobody is known who could be told.
    }
  }
}

bool io_loop::run_jobs() {
  for (size_t i = 0; i < jobs_per_round && !jobs_.empty(); ++i) {
    auto* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(this, messages_per_resume)) {
      case caf::resumable::resume_later:
        jobs_.push_back(job);
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        intrusive_ptr_release(job);
        break;
      case caf::resumable::shutdown_execution_unit:
        break;
    }
  }
  return jobs_.empty();
}

void io_loop::handle_event(void* ptr, uint32_t events) {
  if (ptr == nullptr) {
    uint64_t count = 0;
    [[maybe_unused]] auto n = read(event_, &count, sizeof(count));
    drain_inbox();
    return;
  }
  auto* entry = static_cast<watch_entry*>(ptr);
  if (entry->active)
    call(*entry, events);
}

// CAF turns an exception into the end of one actor where it runs handlers; what
// the loop calls itself it has to guard itself.

void io_loop::call(watch_entry& entry, uint32_t events) {
  try {
    entry.call(events);
  } catch (...) {
    silence(entry);
    end_owner(entry.owner, what_was_thrown());
  }
}

void io_loop::call(hook_entry& entry) {
  try {
    entry.call();
  } catch (...) {
    entry.active = false;
    end_owner(entry.owner, what_was_thrown());
  }
}

/// Its descriptor may stay ready for ever, and would keep the loop awake.
void io_loop::silence(watch_entry& entry) {
  if (entry.active.exchange(false))
    epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.fd, nullptr);
}

void io_loop::end_owner(const caf::actor_addr& owner, caf::error why) {
  if (!owner)
    return;
  // It may have stopped halfway: nothing of it is to run but its end.
  for (auto& x : watches_)
    if (x->owner == owner)
      silence(*x);
  for (auto& stage : hooks_)
    for (auto& x : stage)
      if (x->owner == owner)
        x->active = false;
  if (auto who = caf::actor_cast<caf::strong_actor_ptr>(owner))
    who->enqueue(nullptr, caf::make_message_id(caf::message_priority::high),
                 caf::make_message(caf::exit_msg{owner, std::move(why)}), this);
}

void io_loop::run() {
  std::array<epoll_event, 64> events{};
  // Work left over from the stage before may have come too late for the hooks
  // of that stage: then there is another round before the loop sleeps.
  bool idle = true;
  while (!stopped_) {
    auto n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                        idle ? -1 : 0);
    now_ = system_clock_source{}.now();
    // Only this thread writes: no locked instruction.
    rounds_.store(rounds() + 1, std::memory_order_relaxed);
    for (int i = 0; i < n; ++i)
      handle_event(events[static_cast<size_t>(i)].data.ptr,
                   events[static_cast<size_t>(i)].events);
    idle = true;
    for (auto& stage : hooks_) {
      idle = run_jobs() && idle;
      stage.erase(std::remove_if(stage.begin(), stage.end(),
                                 [](auto& x) {
                                   return !x->active;
                                 }),
                  stage.end());
      // A hook may add another one: index, not iterator.
      for (size_t i = 0; i < stage.size(); ++i) {
        auto entry = stage[i];
        if (entry->active)
          call(*entry);
      }
    }
    idle = idle && jobs_.empty();
    retired_.clear();
  }
  // What still stands in the queues belongs to actors whose system is gone.
}

} // namespace vpn::actors
