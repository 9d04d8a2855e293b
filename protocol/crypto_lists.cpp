// The ciphers, digests and curves that can be named in a profile, as far as the
// installed OpenSSL has them.
// spec: openvpn-wire 5.1, 8

#include "vpn/protocol/crypto_lists.hpp"

#include "vpn/protocol/data_key.hpp"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>

#include "protocol/tls_internal.hpp"

namespace vpn::protocol {

using namespace tls_internal;

namespace {

using cipher_ptr = handle<EVP_CIPHER, EVP_CIPHER_free>;

/// The function behind is generated, and no address to give to `handle`.
struct cipher_stack_deleter {
  void operator()(STACK_OF(SSL_CIPHER) * x) const { sk_SSL_CIPHER_free(x); }
};
using cipher_stack_ptr
  = std::unique_ptr<STACK_OF(SSL_CIPHER), cipher_stack_deleter>;

constexpr std::array all_data_ciphers{
  data_cipher::aes_256_gcm,       data_cipher::aes_128_gcm,
  data_cipher::chacha20_poly1305, data_cipher::aes_192_gcm,
  data_cipher::aes_256_cbc,       data_cipher::aes_192_cbc,
  data_cipher::aes_128_cbc};

bool by_name(const listed_algorithm& x, const listed_algorithm& y) {
  return x.name < y.name;
}

/// A digest counts if an HMAC can be made of it: it has a fixed size, and a
/// name that configurations know.
void add_digest(EVP_MD* md, void* arg) {
  auto& out = *static_cast<std::vector<listed_algorithm>*>(arg);
  auto size = EVP_MD_get_size(md);
  auto nid = EVP_MD_get_type(md);
  if (size <= 0 || nid == NID_undef
      || (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0)
    return;
  listed_algorithm x;
  x.name = OBJ_nid2sn(nid);
  x.bits = static_cast<size_t>(size) * 8;
  if (nid == NID_md5 || nid == NID_md5_sha1)
    x.note = "weak: only for a peer that has nothing better";
  else if (nid == NID_sha1)
    x.note = "the default";
  auto is_same = [&](const listed_algorithm& y) {
    return y.name == x.name;
  };
  if (std::none_of(out.begin(), out.end(), is_same))
    out.push_back(std::move(x));
}

std::vector<const SSL_CIPHER*> offered(SSL_CTX* ctx, int min, int max) {
  std::vector<const SSL_CIPHER*> result;
  SSL_CTX_set_min_proto_version(ctx, min);
  SSL_CTX_set_max_proto_version(ctx, max);
  ssl_ptr ssl{SSL_new(ctx)};
  if (!ssl)
    return result;
  // These are constants of the library; they outlive the list.
  cipher_stack_ptr list{SSL_get1_supported_ciphers(ssl.get())};
  for (auto i = 0; list && i < sk_SSL_CIPHER_num(list.get()); ++i)
    result.push_back(sk_SSL_CIPHER_value(list.get(), i));
  return result;
}

std::string registry_name(const SSL_CIPHER* x) {
  std::string name = SSL_CIPHER_standard_name(x);
  if (name.empty() || name.front() == '(')
    return SSL_CIPHER_get_name(x);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

/// One TLS group as a provider describes it.
int add_group(const OSSL_PARAM* params, void* arg) {
  auto& out = *static_cast<std::vector<listed_algorithm>*>(arg);
  auto text = [&](const char* key) -> std::string {
    const char* value = nullptr;
    const auto* x = OSSL_PARAM_locate_const(params, key);
    return x != nullptr && OSSL_PARAM_get_utf8_string_ptr(x, &value) == 1
               && value != nullptr
             ? value
             : "";
  };
  auto number = [&](const char* key) {
    auto value = 0;
    const auto* x = OSSL_PARAM_locate_const(params, key);
    return x != nullptr && OSSL_PARAM_get_int(x, &value) == 1 ? value : 0;
  };
  listed_algorithm x;
  x.name = text(OSSL_CAPABILITY_TLS_GROUP_NAME);
  x.bits = static_cast<size_t>(
    std::max(0, number(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS)));
  auto min = number(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS);
  auto max = number(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS);
  // A negative limit is none of TLS at all, zero is no limit.
  if (min < 0 || max < 0 || (max != 0 && max < TLS1_2_VERSION))
    return 1;
  if (min >= TLS1_3_VERSION)
    x.note = "TLS 1.3 only";
  else if (max != 0 && max < TLS1_3_VERSION)
    x.note = "TLS 1.2 only";
  auto is_same = [&](const listed_algorithm& y) {
    return y.name == x.name;
  };
  // Weaker ones are refused at the lowest level that refuses anything.
  constexpr size_t weakest = 80;
  if (!x.name.empty() && x.bits >= weakest
      && std::none_of(out.begin(), out.end(), is_same))
    out.push_back(std::move(x));
  return 1;
}

int add_groups(OSSL_PROVIDER* provider, void* arg) {
  OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP", add_group, arg);
  return 1;
}

int add_provider(OSSL_PROVIDER* provider, void* arg) {
  auto& out = *static_cast<std::vector<listed_algorithm>*>(arg);
  listed_algorithm x;
  if (const auto* name = OSSL_PROVIDER_get0_name(provider))
    x.name = name;
  char* title = nullptr;
  std::array wanted{
    OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &title, 0),
    OSSL_PARAM_construct_end()};
  if (OSSL_PROVIDER_get_params(provider, wanted.data()) == 1
      && title != nullptr)
    x.note = title;
  out.push_back(std::move(x));
  return 1;
}

} // namespace

std::vector<listed_algorithm> show_ciphers() {
  error_queue_guard guard;
  std::vector<listed_algorithm> result;
  for (auto cipher : all_data_ciphers) {
    listed_algorithm x;
    x.name = to_string(cipher);
    x.bits = key_length(cipher) * 8;
    auto is_stream = cipher == data_cipher::chacha20_poly1305;
    x.block_bits = is_stream ? 0 : 128;
    if (!is_aead(cipher))
      x.note = "with the digest of `auth`; for peers before 2.4";
    // A library in FIPS mode lacks some.
    if (cipher_ptr{EVP_CIPHER_fetch(nullptr, x.name.c_str(), nullptr)})
      result.push_back(std::move(x));
  }
  return result;
}

std::vector<listed_algorithm> show_digests() {
  error_queue_guard guard;
  std::vector<listed_algorithm> result;
  EVP_MD_do_all_provided(nullptr, add_digest, &result);
  std::sort(result.begin(), result.end(), by_name);
  return result;
}

expected<tls_cipher_list, failure> show_tls(const tls_config& cfg) {
  error_queue_guard guard;
  ssl_ctx_ptr ctx{SSL_CTX_new(TLS_method())};
  if (!ctx)
    return failure{reason::internal, "no TLS context"};
  if (auto x = set_strength(ctx.get(), cfg))
    return *x;
  tls_cipher_list result;
  for (const auto* x : offered(ctx.get(), TLS1_3_VERSION, TLS1_3_VERSION))
    result.tls13.emplace_back(SSL_CIPHER_get_name(x));
  for (const auto* x : offered(ctx.get(), TLS1_2_VERSION, TLS1_2_VERSION))
    result.tls12.push_back(registry_name(x));
  return result;
}

std::vector<listed_algorithm> show_groups() {
  error_queue_guard guard;
  std::vector<listed_algorithm> result;
  OSSL_PROVIDER_do_all(nullptr, add_groups, &result);
  return result;
}

std::vector<listed_algorithm> show_engines() {
  error_queue_guard guard;
  std::vector<listed_algorithm> result;
  OSSL_PROVIDER_do_all(nullptr, add_provider, &result);
  std::sort(result.begin(), result.end(), by_name);
  return result;
}

} // namespace vpn::protocol
