#!/bin/sh
# Guards the borders of design and house rules that no compiler sees. Prints
# every offence; ends with 1 when there is one.
set -u
cd "$(dirname "$0")/.." || exit 1
offences=$(mktemp) || exit 1
trap 'rm -f "$offences"' EXIT

offence() { printf '%s\n' "$*" >>"$offences"; }

# search RULE PATTERN FILE...: offences are lines that match outside comments.
search() {
  rule=$1
  pattern=$2
  shift 2
  for file in "$@"; do
    [ -f "$file" ] || continue
    sed 's://.*$::' "$file" | grep -nE "$pattern" |
      sed "s|^|$file:|; s|\$|   <- $rule|" >>"$offences"
  done
}

# -- protocol/ is sans-I/O ---------------------------------------------------

protocol_files=$(find protocol include/vpn/protocol -name '*.[ch]pp')
[ -n "$protocol_files" ] || offence "no protocol sources: wrong directory?"

# shellcheck disable=SC2086 # a list of files without spaces
{
  search "no CAF in the protocol" \
    '#[ ]*include[ ]*["<]caf/|caf::' $protocol_files
  search "no actor in the protocol" \
    '#[ ]*include[ ]*["<]vpn/actors/' $protocol_files
  search "no log in the protocol" \
    '#[ ]*include[ ]*["<](spdlog|fmt)/|std::(cout|cerr|clog)|printf[ ]*\(' \
    $protocol_files
  search "no thread in the protocol" \
    '#[ ]*include[ ]*<(thread|mutex|shared_mutex|atomic|condition_variable|future|semaphore)>|std::(thread|mutex|atomic)' \
    $protocol_files
  search "no clock in the protocol: now is a parameter" \
    '::now[ ]*\(|(^|[^A-Za-z0-9_.>:])(time|gettimeofday|clock_gettime|localtime|gmtime)[ ]*\(' \
    $protocol_files
  search "no system header in the protocol" \
    '#[ ]*include[ ]*<(sys/|net/|netinet/|linux/|unistd|fcntl|poll|netdb|signal|csignal|ifaddrs|fstream|iostream|filesystem|cstdlib\.h)' \
    $protocol_files
  search "no system call in the protocol" \
    '(^|[^A-Za-z0-9_.>:])(::)?(socket|ioctl|connect|accept|sendto|recvfrom|sendmsg|recvmsg|sendmmsg|recvmmsg|epoll_create1?|epoll_ctl|epoll_wait|poll|fopen|fork|execve|system|getenv|setenv|usleep|sleep|nanosleep)[ ]*\([^)]*\)[ ]*[;,)&|=<>!]' \
    $protocol_files
  search "randomness comes in as vpn::random_source" \
    'random_device|(^|[^a-z_])s?rand[ ]*\(' $protocol_files
}

# Only the implementation of that source may ask the library for randomness.
for file in $protocol_files; do
  case $file in
    protocol/random.cpp) ;;
    *) search "randomness comes in as vpn::random_source" \
      'RAND_(priv_)?bytes' "$file" ;;
  esac
done

# -- no cryptography and no wire format in actors ----------------------------

# shellcheck disable=SC2046 # a list of files without spaces
search "cryptography belongs into the protocol" \
  '#[ ]*include[ ]*<openssl/' \
  $(find actors include/vpn/actors -name '*.[ch]pp' 2>/dev/null)

# -- every protocol source has a header and a test ---------------------------

# Sources without a test suite of their own name, each with its reason.
is_tested_elsewhere() {
  case $1 in
    option_rows_*) ;;  # pages of one table, tested as option_table
    tls_context) ;;    # the certificate half of tls_engine, tested there
    profile_*) ;;      # pages of the profile parser, tested as profile
    tunnel_options) ;; # shared by profile and push_options, tested in both
    *) return 1 ;;
  esac
}

# Sources whose declarations stand in a private header, or one of another name.
is_declared_elsewhere() {
  [ -f "protocol/$1.hpp" ] && return
  case $1 in
    option_rows_*) ;;  # protocol/option_rows.hpp
    tls_context) ;;    # protocol/tls_internal.hpp
    profile_*) ;;      # protocol/profile_builder.hpp
    session_*) ;;  # session.hpp: one class, a page for each concept
    data_channel_open) ;;  # data_channel.hpp: one class, both directions
    push_update) ;;  # push_options.hpp: what changes a push
    *) return 1 ;;
  esac
}

for source in protocol/*.cpp; do
  name=$(basename "$source" .cpp)
  [ -f "include/vpn/protocol/$name.hpp" ] || is_declared_elsewhere "$name" ||
    offence "$source: no include/vpn/protocol/$name.hpp"
  [ -f "tests/protocol/$name.cpp" ] || is_tested_elsewhere "$name" ||
    offence "$source: no tests/protocol/$name.cpp"
done

# A suite is called after its file, so that a failure leads to it.
for source in tests/protocol/*.cpp tests/actors/*.cpp tests/apps/*.cpp \
  tests/pair/*.cpp; do
  [ -f "$source" ] || continue
  suite=$(echo "$source" | sed 's:^tests/::; s:\.cpp$::; s:/:.:g')
  grep -qxE "#define CAF_SUITE $suite" "$source" ||
    offence "$source: does not say #define CAF_SUITE $suite"
done

# -- no room is crowded ------------------------------------------------------

# Files that may be longer, each with its reason.
may_be_long() {
  case $1 in
    protocol/option_rows_*.cpp) ;;  # one line for each of ~300 options
    tests/protocol/*.cpp) ;;        # tables of vectors
    *) return 1 ;;
  esac
}

limit=500
for file in $(find actors apps include protocol tests \
  -name '*.[ch]pp' -o -name '*.sh' -o -name '*.py'); do
  lines=$(wc -l <"$file")
  [ "$lines" -le $limit ] || may_be_long "$file" ||
    offence "$file: $lines lines, more than $limit: a second concept in it?"
done

# -- scripts parse -----------------------------------------------------------

for script in $(find apps tests -name '*.sh'); do
  sh -n "$script" || offence "$script: not a shell script"
done

if [ -s "$offences" ]; then
  cat "$offences"
  printf '%s offences\n' "$(wc -l <"$offences")"
  exit 1
fi
echo "no offence"
