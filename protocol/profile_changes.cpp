// What differs between two readings of a configuration, and how far into a
// running client each difference reaches.
#include "vpn/protocol/profile_changes.hpp"

#include "vpn/protocol/option_table.hpp"
#include "vpn/protocol/secret.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>

namespace vpn::protocol {

namespace {

// -- digests --

/// Takes what may be a secret piece by piece, so that no copy of it is left.
class hasher {
public:
  hasher() : ctx_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(ctx_.get(), algorithm(), nullptr);
  }
  void add(byte_view content) {
    EVP_DigestUpdate(ctx_.get(), content.data(), content.size());
  }
  /// With its length, so that no two lists of pieces give the same bytes.
  void add_piece(byte_view content) {
    bytes length;
    byte_writer{length}.u64(content.size());
    add(length);
    add(content);
  }
  content_digest finish() {
    content_digest result{};
    EVP_DigestFinal_ex(ctx_.get(), result.data(), nullptr);
    return result;
  }

private:
  /// Looked up once: that takes longer than the digest of a line.
  static const EVP_MD* algorithm() {
    static const std::unique_ptr<EVP_MD, void (*)(EVP_MD*)> result{
      EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free};
    return result.get();
  }

  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> ctx_;
};

bool same(const content_digest& x, const content_digest& y) {
  return equal_in_constant_time({x.data(), x.size()}, {y.data(), y.size()});
}

// -- classes --

struct known_reach {
  std::string_view name;
  change_reach reach;
};

/// Everything else is the business of a session. So is `remap-usr1`, which also
/// says whether there is another try.
constexpr known_reach table[] = {
  // What they bring is compared by itself.
  {"config", change_reach::nothing},
  {"ignore-unknown-option", change_reach::nothing},
  // How much is told, and how.
  {"machine-readable-output", change_reach::process},
  {"status", change_reach::process},
  {"status-version", change_reach::process},
  {"suppress-timestamps", change_reach::process},
  {"verb", change_reach::process},
  // What is done once, before the first connection.
  {"cd", change_reach::start},
  {"daemon", change_reach::start},
  {"group", change_reach::start},
  {"log", change_reach::start},
  {"log-append", change_reach::start},
  {"mlock", change_reach::start},
  {"nice", change_reach::start},
  {"syslog", change_reach::start},
  {"user", change_reach::start},
  {"writepid", change_reach::start},
};

// -- comparing --

/// The digests of each option, in order: an option may stand there many times,
/// and the last one often wins.
using by_name = std::map<std::string_view, std::vector<const content_digest*>>;

by_name sort_by_name(const std::vector<given_option>& options) {
  by_name result;
  for (const auto& x : options)
    result[x.name].push_back(&x.digest);
  return result;
}

bool same_uses(const std::vector<const content_digest*>& x,
               const std::vector<const content_digest*>& y) {
  return x.size() == y.size()
         && std::equal(x.begin(), x.end(), y.begin(), [](auto* a, auto* b) {
              return same(*a, *b);
            });
}

std::vector<std::string_view>
session_order(const std::vector<given_option>& options) {
  std::vector<std::string_view> result;
  for (const auto& x : options)
    if (reach_of(x.name) == change_reach::session)
      result.push_back(x.name);
  return result;
}

} // namespace

content_digest digest_of(byte_view content) {
  hasher result;
  result.add(content);
  return result.finish();
}

given_option record_option(const std::vector<std::string>& words,
                           std::string_view block, bool in_connection,
                           byte_view files) {
  hasher all;
  bytes shape;
  byte_writer out{shape};
  out.u8(in_connection ? 1 : 0);
  out.u64(words.size());
  all.add(shape);
  for (const auto& x : words)
    all.add_piece(byte_view{x});
  all.add_piece(byte_view{block});
  all.add_piece(files);
  return {words.empty() ? std::string{} : words[0], all.finish()};
}

change_reach reach_of(std::string_view option) {
  auto i = std::find_if(std::begin(table), std::end(table), [&](auto& x) {
    return x.name == option;
  });
  if (i != std::end(table))
    return i->reach;
  auto* info = find_option(option);
  if (info != nullptr
      && (info->kind == option_class::silent
          || info->kind == option_class::ignored))
    return change_reach::nothing;
  return change_reach::session;
}

profile_changes compare_options(const std::vector<given_option>& before,
                                const std::vector<given_option>& after) {
  profile_changes result;
  auto note = [&](std::string_view name) {
    switch (reach_of(name)) {
      case change_reach::nothing:
        break;
      case change_reach::process:
        result.process.emplace_back(name);
        break;
      case change_reach::start:
        result.start.emplace_back(name);
        break;
      case change_reach::session:
        result.session.emplace_back(name);
        break;
    }
  };
  auto old_uses = sort_by_name(before);
  auto new_uses = sort_by_name(after);
  for (const auto& [name, uses] : old_uses) {
    auto i = new_uses.find(name);
    if (i == new_uses.end() || !same_uses(uses, i->second))
      note(name);
  }
  for (const auto& [name, uses] : new_uses)
    if (old_uses.find(name) == old_uses.end())
      note(name);
  for (auto* names : {&result.process, &result.start, &result.session})
    std::sort(names->begin(), names->end());
  // With the same uses of every name, the order of names says it all.
  result.reordered
    = result.session.empty() && session_order(before) != session_order(after);
  return result;
}

std::vector<given_option>
options_in_use(const std::vector<given_option>& before,
               const std::vector<given_option>& after) {
  auto is_of_start = [](const given_option& x) {
    return reach_of(x.name) == change_reach::start;
  };
  std::vector<given_option> result;
  std::remove_copy_if(after.begin(), after.end(), std::back_inserter(result),
                      is_of_start);
  std::copy_if(before.begin(), before.end(), std::back_inserter(result),
               is_of_start);
  return result;
}

std::string to_string(const profile_changes& x) {
  if (x.empty())
    return "nothing changed";
  std::string result;
  for (auto* names : {&x.session, &x.process, &x.start})
    for (const auto& name : *names)
      result += (result.empty() ? "" : ", ") + name;
  if (x.reordered)
    result += (result.empty() ? "" : ", ") + std::string{"order of options"};
  result += " changed";
  return x.concern_session() ? result + ", connecting anew" : result;
}

} // namespace vpn::protocol
