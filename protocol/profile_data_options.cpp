// One function per option about the data channel: ciphers, digests, framing of
// compressed packets, when keys are renewed.
// spec: openvpn-wire 8, 9, 10.4, 12.2
#include <openssl/evp.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

/// What IV_CIPHERS has room for.
constexpr size_t max_cipher_list = 127;

// -- ciphers and digests --

struct evp_deleter {
  void operator()(EVP_CIPHER* x) const { EVP_CIPHER_free(x); }
  void operator()(EVP_MD* x) const { EVP_MD_free(x); }
};

/// Names in a profile may be in small letters, unlike those on the wire.
std::optional<data_cipher> read_cipher(const std::string& name) {
  auto upper = to_upper(name);
  return parse_data_cipher(upper == "NONE" ? "none" : upper);
}

/// True for names that OpenVPN takes but this data channel does not.
bool is_other_cipher(const std::string& upper) {
  static constexpr std::string_view legacy[]
    = {"BF-CBC",  "CAST5-CBC", "DES-CBC", "DES-EDE-CBC",
       "RC2-CBC", "RC5-CBC",   "SEED-CBC"};
  if (std::find(std::begin(legacy), std::end(legacy), upper)
      != std::end(legacy))
    return true;
  std::unique_ptr<EVP_CIPHER, evp_deleter> cipher{
    EVP_CIPHER_fetch(nullptr, upper.c_str(), nullptr)};
  return cipher != nullptr;
}

outcome unknown_cipher(const std::string& name) {
  return bad("the cipher " + quoted(name) + " is unknown");
}

constexpr const char* in_clear
  = "with the cipher `none` packets are readable for everybody on the way";

outcome set_data_ciphers(builder& b, const use& x) {
  std::vector<data_cipher> ciphers;
  auto append = [&](data_cipher cipher) {
    if (std::find(ciphers.begin(), ciphers.end(), cipher) == ciphers.end())
      ciphers.push_back(cipher);
  };
  std::string left_out;
  std::string_view rest = x.words[1];
  for (auto more = true; more;) {
    auto end = rest.find(':');
    std::string name{rest.substr(0, end)};
    more = end != std::string_view::npos;
    rest.remove_prefix(more ? end + 1 : rest.size());
    auto optional = !name.empty() && name.front() == '?';
    auto upper = to_upper(optional ? name.substr(1) : name);
    if (auto cipher = read_cipher(upper)) {
      append(*cipher);
    } else if (upper == "DEFAULT") {
      append(data_cipher::aes_256_gcm);
      append(data_cipher::aes_128_gcm);
      append(data_cipher::chacha20_poly1305);
    } else if (!optional) {
      if (!is_other_cipher(upper))
        return unknown_cipher(name);
      left_out += (left_out.empty() ? "" : ", ") + upper;
    }
  }
  if (ciphers.empty())
    return bad("it names no cipher this program has: AES-256-GCM, "
               "AES-192-GCM, AES-128-GCM, CHACHA20-POLY1305, and the same AES "
               "with CBC for old servers");
  size_t length = 0;
  for (auto cipher : ciphers)
    length += to_string(cipher).size() + 1;
  if (length > max_cipher_list + 1)
    return bad("the list has more than 127 characters");
  b.ciphers = std::move(ciphers);
  if (!left_out.empty())
    return no_effect("these ciphers are not supported and left out: "
                     + left_out);
  if (std::find(b.ciphers->begin(), b.ciphers->end(), data_cipher::none)
      != b.ciphers->end())
    return no_effect(in_clear);
  return {};
}

outcome set_data_ciphers_fallback(builder& b, const use& x) {
  if (auto cipher = read_cipher(x.words[1])) {
    b.result.pull.fallback = cipher;
    return *cipher == data_cipher::none ? no_effect(in_clear) : outcome{};
  }
  auto upper = to_upper(x.words[1]);
  if (!is_other_cipher(upper))
    return unknown_cipher(x.words[1]);
  return no_effect("the cipher " + upper
                   + " is not supported; servers that cannot negotiate are "
                     "out of reach");
}

/// What it comes to depends on `data-ciphers` and `compat-mode`.
outcome set_cipher(builder& b, const use& x) {
  auto upper = to_upper(x.words[1]);
  b.old_cipher = read_cipher(upper);
  if (b.old_cipher)
    return {};
  if (!is_other_cipher(upper))
    return unknown_cipher(x.words[1]);
  return no_effect("the cipher " + upper
                   + " is not supported; one of `data-ciphers` is negotiated");
}

outcome set_auth(builder& b, const use& x) {
  if (to_upper(x.words[1]) == "NONE") {
    b.result.auth = "none";
    return {};
  }
  std::unique_ptr<EVP_MD, evp_deleter> digest{
    EVP_MD_fetch(nullptr, x.words[1].c_str(), nullptr)};
  if (digest == nullptr || EVP_MD_get_size(digest.get()) <= 0
      || EVP_MD_get_size(digest.get()) > 64 || x.words[1].size() > 64
      || (EVP_MD_get_flags(digest.get()) & EVP_MD_FLAG_XOF) != 0)
    return bad("the digest " + quoted(x.words[1]) + " is unknown");
  b.result.auth = x.words[1];
  return {};
}

// -- compression --

outcome set_allow_compression(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word == "no") {
    b.compression = compression_policy::no;
    return {};
  }
  if (word != "asym" && word != "yes")
    return bad(quoted(word) + " is neither no nor asym nor yes");
  if (b.compression == compression_policy::no)
    return bad("it was `no` above; say it once");
  b.compression = compression_policy::asym;
  if (word == "yes")
    return no_effect("nothing is compressed when sending, as with `asym`");
  return {};
}

constexpr const char* open_only
  = "packets that come compressed are opened, none is compressed when sending";

outcome set_framing(builder& b, const use& x) {
  if (x.count() == 1 && x.words[1] == "migrate" && x.name() == "compress")
    return no_effect("only a server migrates its clients");
  auto framing = parse_compression(x.words);
  if (!framing)
    return bad(quoted(x.words[1])
               + (x.name() == "compress"
                    ? " is none of stub, stub-v2, lzo, lz4 and lz4-v2"
                    : " is neither yes nor no nor adaptive"));
  b.result.pull.framing = *framing;
  return may_compress(*framing) ? no_effect(open_only) : outcome{};
}

// -- keys --

outcome set_reneg_sec(builder& b, const use& x) {
  auto& most = b.result.reneg_after;
  auto& least = b.result.reneg_min;
  if (auto result = read_seconds(most, x.words[1], 0); !result.error.empty())
    return result;
  // The last line counts as a whole.
  least.reset();
  if (x.count() == 1)
    return {};
  if (auto result = read_seconds(least.emplace(), x.words[2], 0);
      !result.error.empty())
    return result;
  if (most > duration::zero() && *least > most)
    return no_effect("the least time is longer than the longest, which holds");
  return {};
}

template <auto Member>
outcome set_limit(builder& b, const use& x) {
  return read_number(b.result.*Member, x.words[1], 0,
                     std::numeric_limits<int64_t>::max());
}

/// "2.4.1": what the defaults are to be like.
outcome set_compat_mode(builder& b, const use& x) {
  uint32_t parts[3] = {};
  std::string_view rest = x.words[1];
  for (auto& part : parts) {
    auto end = std::min(rest.find('.'), rest.size());
    auto number = parse_number(rest.substr(0, end), 0, 99);
    auto is_last = &part == &parts[2];
    if (!number || is_last != (end == rest.size()))
      return bad(quoted(x.words[1]) + " is not a version such as 2.4.0");
    part = *number;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  b.compatible_with = parts[0] * 10000 + parts[1] * 100 + parts[2];
  return {};
}

constexpr profile_option options[] = {
  {"allow-compression", set_allow_compression},
  {"auth", set_auth},
  {"cipher", set_cipher},
  {"comp-lzo", set_framing},
  {"compat-mode", set_compat_mode},
  {"compress", set_framing},
  {"data-ciphers", set_data_ciphers},
  {"data-ciphers-fallback", set_data_ciphers_fallback},
  {"ncp-ciphers", set_data_ciphers},
  {"reneg-bytes", set_limit<&profile::reneg_bytes>},
  {"reneg-pkts", set_limit<&profile::reneg_packets>},
  {"reneg-sec", set_reneg_sec},
};

} // namespace

profile_option_range data_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
