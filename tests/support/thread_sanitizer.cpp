// What the thread sanitizer is to leave out: the distribution's CAF library is
// not instrumented, so whatever its mailboxes hand over looks like a race. What
// plain threads, the loop and the pools do is still seen.
#if defined(__has_feature)
#  if __has_feature(thread_sanitizer)
#    define VPN_THREAD_SANITIZER
#  endif
#elif defined(__SANITIZE_THREAD__)
#  define VPN_THREAD_SANITIZER
#endif

#ifdef VPN_THREAD_SANITIZER
extern "C" const char* __tsan_default_suppressions(); // NOLINT

extern "C" const char* __tsan_default_suppressions() { // NOLINT
  return "race:libcaf_core.so\n"
         // The last reference of these is counted down there, too.
         "race:caf::actor_storage\n"
         "race:vpn::actors::batch_pool::~batch_pool\n";
}
#endif
