// What a stream of rtnetlink messages says about this host. No system calls:
// datagrams go in, questions for the kernel and what has changed come out.
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/ip_address.hpp"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct nlmsghdr;

namespace vpn::actors {

class host_changes {
public:
  /// `port` is that of the netlink socket, which the answers to its questions
  /// carry.
  host_changes(uint32_t port, uint32_t process_id);

  // -- commands --

  /// Changes of this device are not told; empty for none.
  void ignore(std::string device) { ignored_ = std::move(device); }
  /// Asks for all links and addresses; to be called once at the beginning, and
  /// whenever messages were lost. `poll_question` has the first question.
  void survey();
  /// The kernel would not take the question.
  void give_up();

  // -- what happened --

  /// One datagram of the kernel.
  void handle(byte_view datagram);
  /// The kernel could not deliver: anything may have changed.
  void handle_loss();

  // -- polls --

  /// A request to send.
  std::optional<bytes> poll_question();
  /// Messages were lost since the last survey began.
  bool lossy() const noexcept { return lost_; }
  /// Answers are still to come.
  bool surveying() const noexcept { return stage_ != stage::none; }
  /// Something may have to be told.
  bool changed() const noexcept { return !devices_.empty() || !gone_.empty(); }
  /// What has changed since the last call, apart from the ignored device: the
  /// addresses that no device has any more. Nothing when nothing has.
  std::optional<std::vector<ip_address>> poll_changes();

private:
  enum class stage : uint8_t { none, links, addresses };
  struct link {
    std::string name;
    bool usable = false;
    /// Kept by name until its last changes are told.
    bool deleted = false;
  };
  /// An address and its family at one device.
  using place = std::pair<int, std::pair<family, std::array<uint8_t, 16>>>;

  bool is_answer(const nlmsghdr& h) const noexcept;
  void handle_message(const nlmsghdr& h, byte_view content);
  void handle_link(const nlmsghdr& h, byte_view content);
  void handle_address(const nlmsghdr& h, byte_view content);
  void handle_route(const nlmsghdr& h, byte_view content);
  void end_stage(bool answered);
  bool is_ignored(int device) const;

  uint32_t port_, process_id_;
  std::string ignored_;
  stage stage_ = stage::none;
  /// Its question was not asked yet.
  bool to_ask_ = false;
  bool lost_ = false;
  uint32_t sequence_ = 0;
  std::map<int, link> links_;
  std::set<place> addresses_;
  /// Of a survey: addresses that no answer has named.
  std::set<place> unseen_;
  /// What is to be told: devices on which something has changed, zero for
  /// changes of no one device, and addresses that went.
  std::set<int> devices_;
  std::set<place> gone_;
};

} // namespace vpn::actors
