# The stock client and ours, in turn, with the same profile against the same
# server: what one ends with, the other must end with. Sourced after lib.sh.

# What a case may set before it calls the functions below.
protocol=udp
wrap=tls-crypt
cipher=AES-256-GCM
trust=ca              # the authority in the profile
identity=client       # certificate and key in the profile
reach="10.8.0.1 fd08::1"
ways="198.51.100.1 2001:db8::1 192.0.2.7 $server_address"

# Debian's own interpreter has Debian's packages.
python=/usr/bin/python3

side=""
our_client=$CLIENT

# -- both ends ---------------------------------------------------------------

# configure_server [LINES]. The client always gets the same addresses, or the
# second client would get others than the first.
configure_server() {
  mkdir -p "$lab_dir/ccd"
  [ -e "$lab_dir/ccd/DEFAULT" ] || fixed_addresses "255.255.255.0"
  write_server "$lab_dir/server.conf" "$protocol" "$wrap" "$cipher" \
    "client-config-dir \"$lab_dir/ccd\"
script-security 2
${1:-}"
}

# fixed_addresses SECOND-WORD [LINE...]: a netmask, or the peer's address.
fixed_addresses() {
  local second=$1
  shift
  mkdir -p "$lab_dir/ccd"
  printf '%s\n' "ifconfig-push 10.8.0.66 $second" \
    "ifconfig-ipv6-push fd08::66/64 fd08::1" "$@" >"$lab_dir/ccd/DEFAULT"
}

# serve [LINES]
serve() {
  configure_server "${1:-}"
  start_server "$lab_dir/server.conf"
}

# The same with pushed ping times of the case's own.
serve_without_keepalive() {
  configure_server "$1"
  sed -i '/^keepalive /d' "$lab_dir/server.conf"
  start_server "$lab_dir/server.conf"
}

# profile [LINES]
profile() {
  write_client "$lab_dir/client.ovpn" "$protocol" "$wrap" "$trust" "$identity"
  printf '%s\n' "${1:-}" >>"$lab_dir/client.ovpn"
}

# edit_profile SED-SCRIPT
edit_profile() { sed -i "$1" "$lab_dir/client.ovpn"; }

# script NAME: a program in the laboratory; its lines come from stdin.
script() {
  { printf '#!/bin/sh\n' && cat; } >"$lab_dir/$1" && chmod 755 "$lab_dir/$1"
}

# Others than root may pass through the laboratory's directory, but not list it.
open_lab_to_others() { chmod 711 "$lab_dir"; }

# -- one after the other -----------------------------------------------------

# each COMMAND...: for the stock client, then for ours.
each() {
  for side in stock ours; do
    case $side in
      stock) CLIENT=openvpn ;;
      ours) CLIENT=$our_client ;;
    esac
    server_lines=0
    [ -n "${server_log:-}" ] && server_lines=$(wc -l <"$server_log")
    : >"$lab_dir/$side.found"
    "$@"
    [ -z "${client_log:-}" ] || cp "$client_log" "$lab_dir/client-$side.log"
    expect_settings
  done
  side=""
}

# found WORD...: one more thing in which both clients must agree.
found() { printf '%s\n' "$*" >>"$lab_dir/$side.found"; }

# expect_agreement: what both have left in the files SIDE.WHAT is the same.
expect_agreement() {
  local what same=yes
  for what in "$@" found; do
    diff -u "$lab_dir/stock.$what" "$lab_dir/ours.$what" >&2 || same=no
  done
  [ $same = yes ] || fail "the two clients end with different results"
}

# compare [COMMAND...]: both connect; the command looks at whatever else
# matters while the tunnel is up.
compare() {
  each visit "${@:-:}"
  expect_agreement settings ways
}

visit() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  take_picture
  "$@"
  leave
}

leave() {
  kill -TERM "$client_pid"
  client_ends_within 5
  expect_exit 143
}

# What the host looks like goes to SIDE.settings, the way that addresses take
# to SIDE.ways; what must be within reach answers.
take_picture() {
  local device address
  device=$(tunnel_device)
  # The kernel makes up a link-local address for the device, another each time.
  # The length of its queue is a matter of speed and ours to choose.
  network_settings | sed -E 's/ qdisc [^ ]+//; s/ qlen [0-9]+//' |
    sed -E "s/\b$device\b/TUN/g; s/fe80::[0-9a-f:]+(.*TUN|.* TUN)/LINK-LOCAL\1/
      /TUN/s/fe80::[0-9a-f]+:[0-9a-f:]+/LINK-LOCAL/g" |
    sort >"$lab_dir/$side.settings"
  for address in $reach; do
    expect_answer "$ns_client" "$address"
  done
  for address in $reach $ways; do
    in_client ip route get "$address" 2>&1 |
      sed -E "s/\b$device\b/TUN/g; s/ uid .*//; s/ cache.*//; s/[ \t]+$//"
  done >"$lab_dir/$side.ways"
}

# expect_answer NAMESPACE ADDRESS [OPTION...]: one reply.
expect_answer() {
  local from=$1 to=$2
  shift 2
  ip netns exec "$from" ping -n -q -c 1 -W 3 "$@" "$to" \
    >"$lab_dir/ping.txt" 2>&1 || {
    cat "$lab_dir/ping.txt" >&2
    fail "no answer from $to"
  }
}

# -- the wire ----------------------------------------------------------------

# capture_wire FILE FILTER...: until end_capture.
capture_wire() {
  local file=$1
  shift
  run_child "$ns_server" "$lab_dir/tcpdump.log" tcpdump -i veth0 -n \
    --immediate-mode -U -w "$file" "$@"
  capture_pid=$child
  wait_for_line 5 "$child" "$lab_dir/tcpdump.log" "listening on" ||
    fail "tcpdump does not start"
}
end_capture() {
  kill -INT "$capture_pid"
  wait_until 5 gone "$capture_pid" || fail "tcpdump does not end"
}

# -- failing -----------------------------------------------------------------

# Each client gives up after one try.
limits="--connect-retry-max 1 --connect-timeout 2 --hand-window 2
  --resolv-retry 0"

# both_fail CODE PATTERN [STOCK-PATTERN]: neither comes up; the log of each has
# its pattern; ours ends with the code.
both_fail() {
  each try_in_vain "$@"
}

try_in_vain() {
  # shellcheck disable=SC2086 # a list of words
  start_client "$lab_dir/client.ovpn" $limits
  client_ends_within 20
  expect_exit "$1"
  expect_words "$2" "${3:-$2}"
  if grep -qF "$up_phrase" "$client_log"; then
    fail "the client says that the tunnel is up"
  fi
}

# expect_exits OURS STOCK: for where openvpn's 0 and 1 mean something else.
expect_exits() {
  local wanted=$2
  is_ours && wanted=$1
  [ "$client_code" = "$wanted" ] ||
    fail "exit code $client_code instead of $wanted"
}

# expect_words PATTERN [STOCK-PATTERN]: stands in the client's log.
expect_words() {
  local pattern=${2:-$1}
  is_ours && pattern=$1
  grep -qE -e "$pattern" "$client_log" ||
    fail "the client's log lacks: $pattern"
}

# says FILE COUNT PATTERN [FIRST-LINE]: at least so many lines match.
says() {
  [ "$(tail -n "+${4:-1}" "$1" 2>/dev/null | grep -cE -e "$3")" -ge "$2" ]
}

# client_says SECONDS PATTERN [COUNT]; server_says looks only at what the
# server wrote since this client began.
client_says() {
  wait_until "$1" says "$client_log" "${3:-1}" "$2" ||
    fail "the client does not say ${3:-1} times: $2"
}
server_says() {
  wait_until "$1" says "$server_log" "${3:-1}" "$2" $((server_lines + 1)) ||
    fail "the server does not say ${3:-1} times: $2"
}
