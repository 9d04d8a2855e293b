// Questions to a certificate: its names, numbers, digests and dates, in the
// spellings that OpenVPN's options and scripts use.
// spec: openvpn-wire 5.1

#include "protocol/tls_certificates.hpp"

#include "vpn/protocol/readable_text.hpp"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sstream>

namespace vpn::protocol::tls_internal {

namespace {

using names_ptr = handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using number_ptr = handle<BIGNUM, BN_free>;

std::string one_line(const X509_NAME* name) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  constexpr unsigned long style = XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN
                                  | ASN1_STRFLGS_UTF8_CONVERT
                                  | ASN1_STRFLGS_ESC_CTRL;
  if (!out || name == nullptr
      || X509_NAME_print_ex(out.get(), name, 0, style) < 0)
    return {};
  return written(out.get());
}

/// With its length: a NUL inside must not end any comparison early.
std::optional<std::string> utf8_of(const ASN1_STRING* x) {
  unsigned char* text = nullptr;
  auto size = x != nullptr ? ASN1_STRING_to_UTF8(&text, x) : -1;
  if (size < 0)
    return {};
  auto result = std::string{byte_view{text, static_cast<size_t>(size)}.text()};
  OPENSSL_free(text);
  return result;
}

byte_view bytes_of(const ASN1_STRING* x) {
  auto size = x != nullptr ? ASN1_STRING_length(x) : 0;
  if (size <= 0)
    return {};
  return {ASN1_STRING_get0_data(x), static_cast<size_t>(size)};
}

/// The last of the subject's fields of this kind.
std::optional<std::string> subject_field(const X509* cert,
                                         const std::string& field) {
  auto* name = X509_get_subject_name(cert);
  object_ptr kind{OBJ_txt2obj(field.c_str(), 0)};
  if (name == nullptr || !kind)
    return {};
  auto last = -1;
  for (auto i = last;
       (i = X509_NAME_get_index_by_OBJ(name, kind.get(), i)) >= 0;)
    last = i;
  if (last < 0)
    return {};
  return utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
}

int alternative_name_kind(const std::string& name) {
  auto nid = OBJ_txt2nid(name.c_str());
  return nid == NID_subject_alt_name || nid == NID_issuer_alt_name ? nid
                                                                   : NID_undef;
}

/// The last mail address among the alternative names. One with a NUL inside is
/// passed over: it is a forgery.
std::optional<std::string> alternative_name(const X509* cert,
                                            const std::string& kind) {
  std::optional<std::string> result;
  auto nid = alternative_name_kind(kind);
  if (nid == NID_undef)
    return result;
  names_ptr names{
    static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, nid, nullptr, nullptr))};
  for (auto i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_EMAIL)
      continue;
    auto text = utf8_of(name->d.rfc822Name);
    if (text && text->find('\0') == std::string::npos)
      result = std::move(text);
  }
  return result;
}

std::optional<std::string> field_of(const X509* cert,
                                    const std::string& field) {
  if (field.rfind("ext:", 0) == 0)
    return alternative_name(cert, field.substr(4));
  if (field == LN_serialNumber) {
    auto hex = to_hex(bytes_of(X509_get0_serialNumber(cert)));
    for (auto& c : hex)
      if (c >= 'a')
        c = static_cast<char>(c - 'a' + 'A');
    return "0x" + hex;
  }
  return subject_field(cert, field);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream in{text};
  for (std::string word; in >> word;)
    result.push_back(word);
  return result;
}

std::string decimal(const ASN1_INTEGER* x) {
  number_ptr number{ASN1_INTEGER_to_BN(x, nullptr)};
  auto* text = number ? BN_bn2dec(number.get()) : nullptr;
  if (text == nullptr)
    return {};
  std::string result = text;
  OPENSSL_free(text);
  return result;
}

std::vector<std::pair<std::string, std::string>> fields_of(const X509* cert) {
  std::vector<std::pair<std::string, std::string>> result;
  auto* name = X509_get_subject_name(cert);
  for (auto i = 0; name != nullptr && i < X509_NAME_entry_count(name); ++i) {
    auto* entry = X509_NAME_get_entry(name, i);
    auto nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    auto text = utf8_of(X509_NAME_ENTRY_get_data(entry));
    // A field without a name cannot name a variable.
    if (nid != NID_undef && text)
      result.emplace_back(OBJ_nid2sn(nid), make_readable(*text));
  }
  return result;
}

} // namespace

expected<std::vector<x509_ptr>, failure>
read_certificates(const std::string& part, std::string_view pem) {
  std::vector<x509_ptr> result;
  auto in = open_text(pem);
  if (!in)
    return refused(part, "cannot be read");
  passphrase_request none;
  ERR_clear_error();
  while (auto* x = PEM_read_bio_X509(in.get(), nullptr, give_passphrase, &none))
    result.emplace_back(x);
  // The text ends with "no start line"; any other error is a broken block.
  auto last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM
      || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return refused(part, "certificate " + std::to_string(result.size() + 1)
                           + " cannot be read");
  ERR_clear_error();
  if (result.empty())
    return bad_config(part + ": holds no certificate in PEM form");
  return result;
}

std::string subject_of(const X509* cert) {
  return one_line(X509_get_subject_name(cert));
}

std::string issuer_of(const X509* cert) {
  return one_line(X509_get_issuer_name(cert));
}

std::optional<std::string> username_of(const X509* cert,
                                       const std::string& fields) {
  std::optional<std::string> result;
  for (auto& field : words_of(fields)) {
    auto text = field_of(cert, field);
    if (!text)
      return {};
    result = result ? *result + "_" + *text : std::move(*text);
  }
  return result;
}

problem check_username_fields(const std::string& fields) {
  auto words = words_of(fields);
  if (words.empty())
    return bad_config("x509-username-field: is empty");
  for (auto& word : words) {
    auto is_extension = word.rfind("ext:", 0) == 0;
    auto known = is_extension
                   ? alternative_name_kind(word.substr(4)) != NID_undef
                   : object_ptr{OBJ_txt2obj(word.c_str(), 0)} != nullptr;
    if (!known)
      return bad_config("x509-username-field: " + quoted(word)
                        + (is_extension
                             ? " is none of the extensions that hold a name"
                             : " is no field of a subject"));
  }
  return {};
}

bytes digest_of(const X509* cert, const std::string& digest) {
  bytes result(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  const auto* md = digest == "SHA1" ? EVP_sha1() : EVP_sha256();
  if (X509_digest(cert, md, result.data(), &size) != 1)
    size = 0;
  result.resize(size);
  return result;
}

std::string hex_with_colons(byte_view xs) {
  auto digits = to_hex(xs);
  std::string result;
  for (size_t i = 0; i < digits.size(); i += 2) {
    if (i != 0)
      result += ':';
    result += digits.substr(i, 2);
  }
  return result;
}

peer_certificate describe(int depth, const X509* cert,
                          const std::string& username_field) {
  peer_certificate result;
  result.depth = depth;
  result.subject = make_readable(subject_of(cert));
  if (auto name = username_of(cert, username_field))
    result.common_name = make_readable(*name);
  const auto* serial = X509_get0_serialNumber(cert);
  result.serial = decimal(serial);
  result.serial_hex = hex_with_colons(bytes_of(serial));
  result.sha1 = hex_with_colons(digest_of(cert, "SHA1"));
  result.sha256 = hex_with_colons(digest_of(cert, "SHA256"));
  result.fields = fields_of(cert);
  return result;
}

std::string date_text(const ASN1_TIME* x) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  if (!out || x == nullptr
      || ASN1_TIME_print_ex(out.get(), x, ASN1_DTFLGS_ISO8601) != 1)
    return {};
  return written(out.get());
}

} // namespace vpn::protocol::tls_internal
