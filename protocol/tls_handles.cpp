// Words for what OpenSSL refuses, and text for its readers.
// spec: openvpn-wire 5.1

#include "protocol/tls_handles.hpp"

#include "vpn/protocol/readable_text.hpp"

#include <climits>
#include <cstring>

namespace vpn::protocol::tls_internal {

failure bad_config(std::string text) {
  return {reason::bad_config, std::move(text)};
}

failure refused(const std::string& part, const std::string& what) {
  auto text = part + ": " + what;
  auto code = ERR_peek_error();
  if (code == 0)
    return bad_config(std::move(text));
  text += " (" + error_words(code) + ")";
  auto why = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  if (why == SSL_R_EE_KEY_TOO_SMALL || why == SSL_R_CA_KEY_TOO_SMALL
      || why == SSL_R_CA_MD_TOO_WEAK)
    text += "; have it replaced by a stronger one, or lower `tls-cert-profile`";
  return bad_config(std::move(text));
}

std::string error_words(unsigned long code) {
  if (const auto* words = ERR_reason_error_string(code))
    return words;
  return "OpenSSL error " + std::to_string(code);
}

std::string quoted(std::string_view text) {
  constexpr size_t limit = 200;
  auto result = make_readable(cut_readable(text, limit));
  if (text.size() > limit)
    result += "...";
  return "'" + result + "'";
}

bio_ptr open_text(std::string_view text) {
  if (text.size() > INT_MAX)
    return nullptr;
  // OpenSSL wants an address even for no bytes at all.
  const auto* data = text.empty() ? "" : text.data();
  return bio_ptr{BIO_new_mem_buf(data, static_cast<int>(text.size()))};
}

std::string written(BIO* out) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(out, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size))
                  : std::string{};
}

int give_passphrase(char* buf, int size, int /*writing*/, void* arg) {
  auto* req = static_cast<passphrase_request*>(arg);
  if (req == nullptr)
    return -1;
  req->asked = true;
  if (req->passphrase == nullptr || req->passphrase->empty() || size < 0
      || req->passphrase->size() > static_cast<size_t>(size))
    return -1;
  std::memcpy(buf, req->passphrase->view().data(), req->passphrase->size());
  return static_cast<int>(req->passphrase->size());
}

} // namespace vpn::protocol::tls_internal
