// One function per option about whom to trust: what the server's certificate
// must be, say and not be.
// spec: openvpn-wire 5.1
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

constexpr size_t max_fingerprints = 256;

outcome set_remote_cert_tls(builder& b, const use& x) {
  if (x.words[1] == "server")
    b.result.tls.usage = peer_usage::server;
  else if (x.words[1] == "client")
    b.result.tls.usage = peer_usage::client;
  else
    return bad(quoted(x.words[1]) + " is neither server nor client");
  return {};
}

/// Bits in hex, as OpenVPN counts them.
outcome set_remote_cert_ku(builder& b, const use& x) {
  std::vector<uint32_t> usages;
  for (auto i = x.words.begin() + 1; i != x.words.end(); ++i) {
    std::string_view digits = *i;
    if (digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0X")
      digits.remove_prefix(2);
    uint32_t bits = 0;
    auto end = digits.data() + digits.size();
    auto [stop, error] = std::from_chars(digits.data(), end, bits, 16);
    if (digits.empty() || error != std::errc{} || stop != end || bits == 0
        || bits > 0xffff)
      return bad(quoted(*i) + " is not a key usage in hex, such as a0");
    usages.push_back(bits);
  }
  if (usages.empty())
    usages.push_back(key_usage_required);
  b.result.tls.key_usages = std::move(usages);
  return {};
}

outcome set_remote_cert_eku(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word.empty() || word.size() > 256)
    return bad("an OID or the name of a purpose must follow");
  b.result.tls.extended_usage = word;
  return {};
}

outcome set_verify_x509_name(builder& b, const use& x) {
  auto check = name_check::subject;
  if (x.count() > 1) {
    if (x.words[2] == "name")
      check = name_check::name;
    else if (x.words[2] == "name-prefix")
      check = name_check::name_prefix;
    else if (x.words[2] != "subject")
      return bad(quoted(x.words[2])
                 + " is neither subject nor name nor name-prefix");
  }
  if (x.words[1].empty())
    return bad("an empty name would fit everybody");
  b.result.tls.check = check;
  b.result.tls.expected_name = x.words[1];
  return {};
}

/// The names of fields were once written in small letters.
outcome read_username_field(std::string& out, const std::string& word) {
  out = word;
  if (word.compare(0, 4, "ext:") == 0) {
    if (word != "ext:subjectAltName" && word != "ext:issuerAltName")
      return bad(quoted(word)
                 + " is not an extension that has names: ext:subjectAltName");
  } else if (word.size() > 64 || !is_word(word, ".-")) {
    return bad(quoted(word) + " is not the name of a field");
  } else if (std::none_of(word.begin(), word.end(), [](char c) {
               return c >= 'A' && c <= 'Z';
             })) {
    out = to_upper(word);
  }
  return {};
}

outcome set_username_field(builder& b, const use& x) {
  std::string fields, field;
  for (auto i = x.words.begin() + 1; i != x.words.end(); ++i) {
    if (auto result = read_username_field(field, *i); !result.error.empty())
      return result;
    fields += (fields.empty() ? "" : " ") + field;
  }
  b.result.tls.username_field = fields;
  return {};
}

// -- digests of certificates --

int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Pairs of hex digits with colons between them: as many as `size`.
std::optional<bytes> read_digest(std::string_view text, size_t size) {
  if (text.size() != 3 * size - 1)
    return std::nullopt;
  bytes result;
  for (size_t i = 0; i < text.size(); i += 3) {
    auto high = hex_value(text[i]);
    auto low = hex_value(text[i + 1]);
    if (high < 0 || low < 0 || (i + 2 < text.size() && text[i + 2] != ':'))
      return std::nullopt;
    result.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return result;
}

/// One digest per line, with comments between them.
outcome read_digests(std::vector<bytes>& out, const use& x, size_t size) {
  auto text = x.is_inline ? x.block : std::string_view{x.words[1]};
  while (!text.empty()) {
    auto line = take_line(text);
    auto begin = std::min(line.find_first_not_of(" \t"), line.size());
    line.remove_prefix(begin);
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    if (line.empty() || line.front() == '#' || line.front() == ';')
      continue;
    auto digest = read_digest(line, size);
    if (!digest)
      return bad(std::to_string(size)
                 + " bytes in hex with colons between them must follow, as "
                   "`openssl x509 -fingerprint` prints them");
    if (out.size() == max_fingerprints)
      return bad("more than 256 fingerprints");
    out.push_back(std::move(*digest));
  }
  if (out.empty())
    return bad("there is no fingerprint");
  return {};
}

outcome add_peer_fingerprint(builder& b, const use& x) {
  if (x.words[1] == "[inline]" && !x.is_inline)
    return {};
  std::vector<bytes> digests;
  auto result = read_digests(digests, x, 32);
  if (!result.error.empty())
    return result;
  if (!b.result.tls.verify_hash.empty())
    return bad("it excludes `verify-hash`");
  auto& fingerprints = b.result.tls.fingerprints;
  if (fingerprints.size() + digests.size() > max_fingerprints)
    return bad("more than 256 fingerprints");
  for (auto& digest : digests)
    std::copy(digest.begin(), digest.end(),
              fingerprints.emplace_back().begin());
  return {};
}

/// Of old a word is a SHA-1 digest, unlike a block.
outcome set_verify_hash(builder& b, const use& x) {
  if (x.words[1] == "[inline]" && !x.is_inline)
    return {};
  std::string digest = x.is_inline ? "SHA256" : "SHA1";
  if (x.count() > 1)
    digest = x.words[2];
  if (digest != "SHA1" && digest != "SHA256")
    return bad(quoted(digest) + " is neither SHA1 nor SHA256");
  std::vector<bytes> digests;
  size_t size = digest == "SHA1" ? 20 : 32;
  auto result = read_digests(digests, x, size);
  if (!result.error.empty())
    return result;
  auto& tls = b.result.tls;
  if (!tls.fingerprints.empty())
    return bad("it excludes `peer-fingerprint`");
  if (!tls.verify_hash.empty() && tls.verify_hash_digest != digest)
    return bad("it was given above with another kind of digest");
  if (tls.verify_hash.size() > max_fingerprints * size)
    return bad("more than 256 fingerprints");
  for (auto& one : digests)
    tls.verify_hash.insert(tls.verify_hash.end(), one.begin(), one.end());
  tls.verify_hash_digest = digest;
  return {};
}

// -- revocation --

outcome set_crl_verify(builder& b, const use& x) {
  if (x.count() > 1)
    return bad(x.words[2] == "dir"
                 ? "directories of revoked certificates are not read; name one "
                   "list (PEM) that the authority has signed"
                 : quoted(x.words[2]) + " is not known here");
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  if (text->text().find("-----BEGIN X509 CRL-----") == std::string_view::npos)
    return bad((x.is_inline ? std::string{"the block"} : quoted(x.words[1]))
               + " holds no PEM of a revocation list");
  b.result.tls.crl = std::string{text->text()};
  return result;
}

outcome set_cert_profile(builder& b, const use& x) {
  using strength = tls_config::profile;
  auto& word = x.words[1];
  auto& out = b.result.tls.certificates;
  if (word == "insecure")
    out = strength::insecure;
  else if (word == "legacy")
    out = strength::legacy;
  else if (word == "preferred")
    out = strength::preferred;
  else if (word == "suiteb")
    out = strength::suiteb;
  else
    return bad(quoted(word)
               + " is neither insecure nor legacy nor preferred nor suiteb");
  return {};
}

constexpr profile_option options[] = {
  {"crl-verify", set_crl_verify},
  {"peer-fingerprint", add_peer_fingerprint},
  {"remote-cert-eku", set_remote_cert_eku},
  {"remote-cert-ku", set_remote_cert_ku},
  {"remote-cert-tls", set_remote_cert_tls},
  {"tls-cert-profile", set_cert_profile},
  {"verify-hash", set_verify_hash},
  {"verify-x509-name", set_verify_x509_name},
  {"x509-username-field", set_username_field},
};

} // namespace

profile_option_range trust_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
