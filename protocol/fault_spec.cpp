// Parses and writes the text of a fault: see the header.
#include "vpn/protocol/fault_spec.hpp"

#include "vpn/protocol/fault_knobs.hpp"
#include "vpn/protocol/fault_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = std::optional<fault_error>;
using words = std::vector<std::string_view>;

const words& layer_names() {
  static const words result{"network",  "muxer",        "reliable", "control",
                            "tls",      "data_channel", "tun",      "host",
                            "resolver", "runner"};
  return result;
}

/// Layers that give each other packets. The others do work for SUPERVISOR, or
/// stand at the end of a link that has the name of the layer at its other end.
bool passes_packets(layer x) {
  switch (x) {
    case layer::network:
    case layer::muxer:
    case layer::reliable:
    case layer::control:
    case layer::data_channel:
      return true;
    case layer::tls:
    case layer::tun:
    case layer::host:
    case layer::resolver:
    case layer::runner:
      return false;
  }
  return false;
}

std::string without_packets(layer x) {
  auto result = "no packets pass " + to_string(x);
  if (x == layer::tun)
    result += "; its link is data_channel.up and data_channel.down";
  return result;
}

class parser {
public:
  explicit parser(std::string_view text) : text_(text) {}

  expected<fault_spec, fault_error> run() {
    if (auto wrong = read_head())
      return *wrong;
    if (auto wrong = read_knobs())
      return *wrong;
    apply_preset_first();
    if (auto wrong = check_together())
      return *wrong;
    return out_;
  }

private:
  struct item {
    const fault_knob* knob = nullptr;
    size_t position = 0;
    std::string_view value;
    size_t value_position = 0;
  };

  outcome read_head() {
    auto end = text_.find(':');
    auto head = text_.substr(0, end);
    auto dot = head.find('.');
    auto name = head.substr(0, dot);
    auto found = parse_fault_word(name, "layer", layer_names());
    if (!found)
      return found.error();
    out_.at = all_layers[*found];
    if (dot != std::string_view::npos) {
      if (auto wrong = read_direction(head.substr(dot + 1), dot + 1))
        return wrong;
    }
    if (end == std::string_view::npos)
      return fault_error{text_.size(), directed_ || !passes_packets(out_.at)
                                         ? "expected ':' and a knob"
                                         : "expected .up, .down or ':' and a "
                                           "knob"};
    at_ = end + 1;
    return {};
  }

  outcome read_direction(std::string_view name, size_t position) {
    auto found = parse_fault_word(name, "direction", {"up", "down"});
    if (!found)
      return fault_error{position + found.error().position, found.error().text};
    if (!passes_packets(out_.at))
      return fault_error{position, without_packets(out_.at)};
    directed_ = true;
    out_.up = *found == 0;
    out_.down = !out_.up;
    return {};
  }

  outcome read_knobs() {
    for (;;) {
      auto end = text_.find(',', at_);
      if (auto wrong = read_knob(text_.substr(at_, end - at_)))
        return wrong;
      if (end == std::string_view::npos)
        return {};
      at_ = end + 1;
    }
  }

  outcome read_knob(std::string_view text) {
    auto equals = text.find('=');
    auto name = text.substr(0, equals);
    item x;
    x.position = at_;
    auto wrong = find_knob(name, x);
    if (wrong)
      return wrong;
    auto wanted = std::string{name} + '=' + std::string{x.knob->value};
    if (equals == std::string_view::npos)
      return fault_error{at_ + text.size(), "expected " + wanted};
    x.value = text.substr(equals + 1);
    x.value_position = at_ + equals + 1;
    wrong = x.knob->read(x.value, out_);
    if (wrong)
      return fault_error{x.value_position + wrong->position,
                         wanted + ": " + wrong->text};
    items_.push_back(x);
    return {};
  }

  outcome find_knob(std::string_view name, item& x) {
    auto& rows = all_fault_knobs();
    words names;
    for (auto& row : rows)
      if (fits(row))
        names.push_back(row.name);
    for (auto& row : rows)
      if (row.name == name)
        x.knob = &row;
    if (x.knob == nullptr)
      return fault_error{at_,
                         parse_fault_word(name, "knob", names).error().text};
    auto quoted = quoted_fault_text(name);
    auto exist = "; knobs: " + join_words(names);
    if (!fits(*x.knob))
      return fault_error{at_, x.knob->scope == knob_scope::clock
                                ? quoted + " has no direction" + exist
                                : quoted + " is for packets; "
                                    + without_packets(out_.at) + exist};
    return check_repetition(*x.knob, quoted);
  }

  /// False if the knob has no meaning at this place.
  bool fits(const fault_knob& x) const {
    if (x.scope == knob_scope::packets)
      return passes_packets(out_.at);
    return x.scope != knob_scope::clock || !directed_;
  }

  outcome check_repetition(const fault_knob& x, const std::string& quoted) {
    auto& actor = out_.knobs.actor;
    switch (x.scope) {
      case knob_scope::actor:
        if (actor.size() < max_actor_faults)
          return {};
        return fault_error{at_, "more than " + std::to_string(max_actor_faults)
                                  + " times kill, crash and stall"};
      case knob_scope::last_actor:
        if (actor.empty())
          return fault_error{at_, quoted
                                    + " comes behind kill, crash or "
                                      "stall"};
        if (actor.back().every == duration::zero())
          return {};
        break;
      case knob_scope::packets:
      case knob_scope::fault:
      case knob_scope::clock:
        if (find(x.name) == nullptr)
          return {};
        break;
    }
    return fault_error{at_, quoted + " is there twice"};
  }

  const item* find(std::string_view name) const {
    for (auto& x : items_)
      if (x.knob->name == name)
        return &x;
    return nullptr;
  }

  /// What is said by name counts more than a preset, wherever that stands.
  void apply_preset_first() {
    auto preset = find("preset");
    if (preset == nullptr)
      return;
    auto plain = fault_spec{};
    plain.at = out_.at;
    plain.up = out_.up;
    plain.down = out_.down;
    out_ = plain;
    // All of them were read without an error a moment ago.
    preset->knob->read(preset->value, out_);
    for (auto& x : items_)
      if (&x != preset)
        x.knob->read(x.value, out_);
  }

  /// What is wrong with two knobs that are right each on its own.
  outcome check_together() const {
    auto& x = out_.knobs;
    if (auto up = find("up"); up && x.down_max == duration::zero())
      return fault_error{up->position, "'up' needs 'down': how long the link "
                                       "is down in between"};
    if (auto until = find("until"); until && x.until <= x.from)
      return fault_error{until->value_position, "until is not later than from ("
                                                  + write_fault_time(x.from)
                                                  + ')'};
    if (auto burst = find("burst");
        burst && x.burst > 1 && x.burst * (1 - x.drop) < x.drop)
      return fault_error{burst->value_position,
                         "runs of this length cannot lose "
                           + write_fault_number(x.drop)
                           + " of all packets: burst is at least "
                             "drop / (1 - drop)"};
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  bool directed_ = false;
  fault_spec out_;
  std::vector<item> items_;
};

} // namespace

bool fault_knobs::changes_packets() const noexcept {
  for (auto rate :
       {drop, duplicate, reorder, corrupt, truncate, extend, replay})
    if (rate > 0)
      return true;
  return delay > duration::zero() || jitter > duration::zero()
         || down_max > duration::zero();
}

expected<fault_spec, fault_error> parse_fault_spec(std::string_view text) {
  return parser{text}.run();
}

std::string to_string(const fault_spec& x) {
  auto result = to_string(x.at);
  if (x.up != x.down)
    result += x.up ? ".up" : ".down";
  auto separator = ':';
  auto append = [&](std::string_view name, const std::string& value) {
    result += separator;
    result += name;
    result += value;
    separator = ',';
  };
  for (auto& row : all_fault_knobs()) {
    if (row.write == nullptr)
      continue;
    if (auto value = row.write(x); !value.empty())
      append(row.name, '=' + value);
  }
  for (auto& fault : x.knobs.actor)
    append({}, write_actor_fault(fault));
  // A specification has at least one knob.
  if (separator == ':')
    append("seed=", std::to_string(x.seed));
  return result;
}

} // namespace vpn::protocol
