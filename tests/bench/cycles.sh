#!/bin/sh
# Connects and disconnects again and again, and looks whether anything stays:
# memory, file descriptors, network settings.
#
#   cycles.sh [CYCLES]                     1000
#
# MODE=process  a new client for each cycle, ended with SIGTERM (the default):
#               what is left behind on the host
# MODE=restart  one client that is told to reconnect with SIGUSR1: what is left
#               behind inside it
# Ends with 1 when the settings differ, a cycle fails, or the last cycles hold
# more descriptors or clearly more memory than the first.
set -u
. "$(dirname "$0")/../interop/lib.sh"
need_root "$@"
cycles=${1:-1000}
mode=${MODE:-process}

# sample CYCLE: memory in KiB and open descriptors of the client, now.
sample() {
  local memory descriptors
  case $mode in
    process) memory=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
      "/proc/$client_pid/status") ;;
    restart) memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' \
      "/proc/$client_pid/status") ;;
  esac
  descriptors=$(find "/proc/$client_pid/fd" -mindepth 1 -maxdepth 1 2>/dev/null |
    wc -l)
  echo "$1 $memory $descriptors" >>"$lab_dir/samples"
}

report() {
  printf '%6s cycles, %5s s: %s KiB, %s descriptors\n' "$1" \
    $((($(milliseconds) - began) / 1000)) \
    "$(tail -n 1 "$lab_dir/samples" | cut -d ' ' -f 2)" \
    "$(tail -n 1 "$lab_dir/samples" | cut -d ' ' -f 3)"
}

process_cycle() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  sample "$1"
  kill -TERM "$client_pid"
  client_ends_within 5
  expect_exit 143
  # Else the list of what to end at the exit grows with every cycle.
  lab_children=$server_pid
}

# How often the client has come up so far.
times_up() { grep -cF "$up_phrase" "$client_log"; }
is_up_again() { [ "$(times_up)" -gt "$1" ]; }

restart_cycle() {
  local before
  before=$(times_up)
  kill -USR1 "$client_pid"
  wait_until 30 is_up_again "$before" || fail "it did not come up again"
  sample "$1"
}

lab_open cycles
make_pki || fail "no PKI"
write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM "verb 3"
write_client "$lab_dir/client.ovpn" udp tls-crypt
# The server forgets the client at once instead of after a silence.
echo "explicit-exit-notify 1" >>"$lab_dir/client.ovpn"
start_server "$lab_dir/server.conf"
remember_settings
began=$(milliseconds)

if [ "$mode" = restart ]; then
  start_client "$lab_dir/client.ovpn" --connect-retry 1 1
  client_is_up
fi
cycle=0
while [ "$cycle" -lt "$cycles" ]; do
  cycle=$((cycle + 1))
  "${mode}_cycle" "$cycle"
  if [ $((cycle % 100)) = 0 ] || [ "$cycle" = "$cycles" ]; then
    [ "$mode" = restart ] || expect_settings
    report "$cycle"
  fi
done
if [ "$mode" = restart ]; then
  kill -TERM "$client_pid"
  client_ends_within 5
fi
expect_settings

# The median of the first and of the last tenth; the very first is warm-up.
awk -v n="$cycles" '
  function median(a, count,    i, j, t) {
    for (i = 2; i <= count; ++i)
      for (j = i; j > 1 && a[j - 1] > a[j]; --j) {
        t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
      }
    return a[int((count + 1) / 2)]
  }
  BEGIN { tenth = n < 30 ? 3 : int(n / 10) }
  $1 > 1 && f < tenth { ++f; fm[f] = $2; fd[f] = $3 }
  $1 > n - tenth { ++l; lm[l] = $2; ld[l] = $3 }
  END {
    if (!f || !l) { print "too few cycles to compare"; exit 0 }
    m0 = median(fm, f); m1 = median(lm, l)
    d0 = median(fd, f); d1 = median(ld, l)
    printf "memory: %d KiB at first, %d KiB at last\n", m0, m1
    printf "descriptors: %d at first, %d at last\n", d0, d1
    if (d1 > d0) { print "FAILED: descriptors leak"; exit 1 }
    # One part in ten and 1 MiB are the noise of the allocator.
    if (m1 > m0 * 1.1 + 1024) { print "FAILED: memory leaks"; exit 1 }
  }' "$lab_dir/samples" || exit 1
say "$cycles cycles: the network settings are as before"
