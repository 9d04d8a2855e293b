#!/bin/sh
# From a fresh Debian bookworm to a working tunnel: installs what is needed,
# builds vpn-actor-client, starts Debian's openvpn as a server in one network
# namespace and our client in another, pings and measures through the tunnel,
# and cleans up. The machine's own network is not touched.
#
#   sh apps/quickstart.sh
#
# Needs root for the namespaces; uses sudo when it is not.
set -u
lab_top=$(cd "$(dirname "$0")/.." && pwd)
. "$lab_top/apps/packages.sh"
. "$lab_top/tests/interop/lib.sh"

step() {
  current_step=$1
  printf '\n[%s/6] %s\n' "$1" "$2"
}

fail() {
  printf 'FAILED in step %s of 6: %s\n' "$current_step" "$*" >&2
  exit 1
}

# The first half runs as whoever calls, the second as root: the script starts
# itself again, so that the build directory belongs to its user.
if [ "${1:-}" != --tunnel ]; then
  step 1 "Installing packages"
  # shellcheck disable=SC2086 # lists of words
  install_packages $build_packages $lab_packages ||
    fail "the packages could not be installed"
  say "All there."

  step 2 "Building vpn-actor-client (a few minutes the first time)"
  build_log=$lab_top/build/quickstart-build.log
  mkdir -p "$lab_top/build" || exit 1
  cd "$lab_top" || exit 1
  {
    cmake --preset release >"$build_log" 2>&1 &&
      cmake --build --preset release --target vpn-actor-client \
        -j "$(nproc)" >>"$build_log" 2>&1
  } || {
    tail -n 30 "$build_log" >&2
    fail "the build stopped; all of it is in $build_log"
  }
  say "Built ${BUILD#"$lab_top"/}/vpn-actor-client"
  if [ "$(id -u)" != 0 ]; then
    exec sudo env BUILD="$BUILD" CLIENT="$CLIENT" \
      sh "$lab_top/apps/quickstart.sh" --tunnel
  fi
  set -- --tunnel
fi

need_root "$@"

step 3 "Making a throw-away PKI"
make_pki || fail "no PKI"
say "An authority, a server and a client with P-256 keys, and a tls-crypt key."

step 4 "Starting Debian's openvpn as the server, in a network namespace"
lab_open quickstart
write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM
write_client "$lab_dir/client.ovpn" udp tls-crypt
start_server "$lab_dir/server.conf"
say "$(openvpn --version | sed -n '1s/ \[.*//p') listens at $server_address:1194/udp"

step 5 "Connecting with vpn-actor-client, in another namespace"
remember_settings
began=$(milliseconds)
start_client "$lab_dir/client.ovpn"
client_is_up
took=$(($(milliseconds) - began))
# What a person would have seen on a terminal.
cat "$client_log"
say "Up after $took ms; the address in the tunnel is $(tunnel_address)"

step 6 "Using the tunnel"
expect_ping "$ns_client" 10.8.0.1
sed -n 's/^rtt/IPv4 ping/p' "$lab_dir/ping.txt"
expect_ping "$ns_client" fd08::1
sed -n 's/^rtt/IPv6 ping/p' "$lab_dir/ping.txt"
start_iperf
up=$(iperf_mbit "$ns_client" -c 10.8.0.1 -t 5) || fail "iperf3 to the server"
down=$(iperf_mbit "$ns_client" -c 10.8.0.1 -t 5 -R) ||
  fail "iperf3 from the server"
say "iperf3, TCP, 5 s each: $up Mbit/s up, $down Mbit/s down"

kill -TERM "$client_pid"
client_ends_within 5
expect_exit 143
expect_settings
printf '\nDone: the tunnel is closed, and the settings are as they were.\n'
