// Reads a profile or a command line: lines, blocks and included files, each
// option looked up and handed to its handler, each error with its place.
#pragma once

#include "vpn/protocol/option_table.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "profile_builder.hpp"

namespace vpn::protocol {

class config_reader {
public:
  /// With `explained` each line is told there, and no error stops the reading.
  explicit config_reader(const file_reader& read_file,
                         std::vector<explained_line>* explained = nullptr);

  void read_text(std::string_view text, const std::string& name);
  void read_words(const std::vector<std::string>& words);
  /// The profile, or at least one error.
  expected<profile, std::vector<config_error>> finish();

private:
  /// What becomes of one option. Error and warning are whole sentences with
  /// the option's name, the effect is for a list that has the name already.
  struct verdict {
    option_class kind = option_class::accepted;
    std::string error;
    std::string warning;
    std::string effect;
  };

  void give_up(std::string text);
  void read_lines(std::string_view text, config_place first);
  void read_block(std::string_view tag, std::string_view& rest);
  void include(const std::string& path);
  void read_connection(std::string_view block);
  void apply(option_use use);
  verdict judge(const option_use& use, bool optional);
  verdict judge_unknown(const std::string& name, bool optional) const;
  verdict judge_known(const option_info& info, const option_use& use);
  option_outcome apply_accepted(const option_info& info, const option_use& use);
  void fail_line(const std::string& text);
  void explain(std::string text, option_class kind, std::string effect);

  profile_builder builder_;
  std::vector<explained_line>* explained_;
  size_t depth_ = 0;
  /// A file could not be read as a whole: what is missing may be in there.
  bool incomplete_ = false;
  /// The last file the command line named.
  std::string top_file_;
};

} // namespace vpn::protocol
