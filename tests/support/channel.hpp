// What one thread hands to another one in a test: a queue to wait at.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace vpn::test {

/// Only what never comes takes so long.
constexpr auto long_enough = std::chrono::seconds{30};

template <class T>
class channel {
public:
  void put(T x) {
    // Told under the lock: who takes the last one may end the channel at once.
    std::lock_guard<std::mutex> guard{mutex_};
    queue_.push_back(std::move(x));
    filled_.notify_one();
  }

  /// The next one; nothing when none came for much too long.
  std::optional<T> take() {
    std::unique_lock<std::mutex> guard{mutex_};
    if (!filled_.wait_for(guard, long_enough, [this] {
          return !queue_.empty();
        }))
      return std::nullopt;
    std::optional<T> result{std::move(queue_.front())};
    queue_.pop_front();
    return result;
  }

  /// The next one if it is there already.
  std::optional<T> take_now() {
    std::lock_guard<std::mutex> guard{mutex_};
    if (queue_.empty())
      return std::nullopt;
    std::optional<T> result{std::move(queue_.front())};
    queue_.pop_front();
    return result;
  }

private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> queue_;
};

} // namespace vpn::test
