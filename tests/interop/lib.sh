# A laboratory of two network namespaces with an OpenVPN server in one and a
# client in the other. Sourced by the interop tests, the benches and
# apps/quickstart.sh; POSIX sh, and `local`.
#
#   client namespace                      server namespace
#   veth0 10.199.0.2/24  ---------------  veth0 10.199.0.1/24
#         fd99::2/64                            fd99::1/64
#   default via 10.199.0.1, fd99::1       lo 10.199.9.1  fd99:9::1  (the server)
#                                         lo 172.20.5.1  fd20:5::1  (behind it)
#
# The caller may set:
#   BUILD           where the client was built     (build/release)
#   CLIENT          the client to test             ($BUILD/vpn-actor-client)
#   CLIENT_WRAPPER  words to put before it, such as `setarch -R`
#   KEEP_LOGS       not empty: keep the logs of a test that passed
#
# CLIENT=openvpn tests this laboratory itself with the stock client; exit codes
# are then only told apart as far as openvpn does.

lab_top=${lab_top:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$lab_top/build/release}
CLIENT=${CLIENT:-$BUILD/vpn-actor-client}
CLIENT_WRAPPER=${CLIENT_WRAPPER:-}
TRANSFER_MB=${TRANSFER_MB:-100}

lab_children=""
lab_up=""
lab_pki=$BUILD/interop/pki
ns_client=vpnc$$
ns_server=vpns$$
server_address=10.199.9.1
server_address6=fd99:9::1
PATH=$PATH:/usr/sbin:/sbin

# -- reporting ---------------------------------------------------------------

say() { printf '%s\n' "$*"; }

# Ends the test; the logs follow from lab_close. A test with two clients in turn
# says in $side which one it was.
fail() {
  printf 'FAILED%s: %s\n' "${side:+ with $side}" "$*" >&2
  exit 1
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# -- set-up and tear-down ----------------------------------------------------

# Runs the script again as root when it was not started so. Ends with 77, which
# CTest takes for "skipped", when this machine cannot run such a test at all.
need_root() {
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || {
      say "cannot run here: needs root, and sudo asks for a password"
      exit 77
    }
    exec sudo -n env BUILD="$BUILD" CLIENT="$CLIENT" \
      CLIENT_WRAPPER="$CLIENT_WRAPPER" TRANSFER_MB="$TRANSFER_MB" \
      KEEP_LOGS="${KEEP_LOGS:-}" ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
      UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" sh "$0" "$@"
  fi
  if [ ! -c /dev/net/tun ]; then
    mkdir -p /dev/net && mknod /dev/net/tun c 10 200 2>/dev/null
  fi
  if ! (: <>/dev/net/tun) 2>/dev/null; then
    say "cannot run here: /dev/net/tun cannot be opened"
    exit 77
  fi
  if ! unshare -n true 2>/dev/null; then
    say "cannot run here: no right to make network namespaces"
    exit 77
  fi
}

# Makes both namespaces and the wire between them. $1 names the laboratory.
lab_open() {
  local ns
  lab_dir=$(mktemp -d "${TMPDIR:-/tmp}/vpn-$1.XXXXXX") || exit 1
  chmod 700 "$lab_dir"
  trap lab_close EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  lab_up=yes
  # The client may write name servers, but not into this machine's file. `ip
  # netns exec` gives it a mount namespace, so nobody else sees this one.
  set_resolv_conf "nameserver 192.0.2.53" "search example.net"
  cat >"$lab_dir/with-own-names" <<END
[ ! -e /etc/resolv.conf ] ||
  mount --bind "$lab_dir/resolv.conf" /etc/resolv.conf || exit
# Journals of clients that are killed here are nobody else's business.
mkdir -p -m 0700 /run/vpn-actor "$lab_dir/run" &&
  mount --bind "$lab_dir/run" /run/vpn-actor && exec "\$@"
END
  ip netns add "$ns_client" && ip netns add "$ns_server" ||
    fail "cannot make network namespaces"
  for ns in "$ns_client" "$ns_server"; do
    # Without duplicate address detection an address is usable at once.
    ip netns exec "$ns" sh -c '
      for f in all default; do
        echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6
        echo 0 >/proc/sys/net/ipv6/conf/$f/accept_dad
        echo 0 >/proc/sys/net/ipv6/conf/$f/accept_ra
        echo 0 >/proc/sys/net/ipv6/conf/$f/router_solicitations
      done
      ip link set lo up'
  done
  ip link add veth0 netns "$ns_client" type veth \
    peer name veth0 netns "$ns_server" || fail "cannot make a veth pair"
  # A device whose other end comes up later learns that within a second only,
  # and has no IPv6 until then; so the first end comes up once more.
  in_client ip link set veth0 up
  in_server ip link set veth0 up
  in_client sh -c 'ip link set veth0 down && ip link set veth0 up'
  in_client ip addr add 10.199.0.2/24 dev veth0
  in_client ip addr add fd99::2/64 dev veth0 nodad
  in_server ip addr add 10.199.0.1/24 dev veth0
  in_server ip addr add fd99::1/64 dev veth0 nodad
  in_server ip addr add $server_address/32 dev lo
  in_server ip addr add $server_address6/128 dev lo nodad
  in_server ip addr add 172.20.5.1/32 dev lo
  in_server ip addr add fd20:5::1/128 dev lo nodad
  in_client ip route add default via 10.199.0.1
  in_client ip -6 route add default via fd99::1
  # Asked again soon: what is sent before the wire has a carrier is lost.
  wait_until 5 in_client ping -c 1 -W 0.1 -q 10.199.0.1 >/dev/null ||
    fail "the veth pair carries nothing"
  wait_until 5 in_client ping -c 1 -W 0.1 -q $server_address6 >/dev/null ||
    fail "the veth pair carries no IPv6"
}

# Runs at every exit: ends what was started here, deletes what was made here,
# and nothing else.
lab_close() {
  local status=$? pid ns log
  trap - EXIT
  trap '' INT TERM HUP
  for pid in $lab_children; do
    running "$pid" && kill -TERM "$pid" 2>/dev/null
  done
  for pid in $lab_children; do
    wait_until 3 gone "$pid" || kill -KILL "$pid" 2>/dev/null
  done
  if [ -n "$lab_up" ]; then
    for ns in "$ns_client" "$ns_server"; do
      ip netns del "$ns" 2>/dev/null
    done
  fi
  if [ "$status" != 0 ] && [ "$status" != 77 ]; then
    for log in "$lab_dir"/*.log; do
      [ -s "$log" ] || continue
      printf -- '--- the end of %s\n' "$log"
      tail -n 40 "$log"
    done >&2
    say "The logs are in $lab_dir" >&2
  elif [ -n "${KEEP_LOGS:-}" ]; then
    say "The logs are in $lab_dir"
  else
    rm -rf "$lab_dir"
  fi
  exit "$status"
}

# set_resolv_conf LINE...: what the client finds in /etc/resolv.conf.
set_resolv_conf() {
  printf '%s\n' "$@" >"$lab_dir/resolv.conf"
  cp "$lab_dir/resolv.conf" "$lab_dir/resolv.conf.before"
}

in_client() { ip netns exec "$ns_client" "$@"; }
in_server() { ip netns exec "$ns_server" "$@"; }

# -- processes ---------------------------------------------------------------

# True while the process exists and is no zombie. Our children stay zombies
# until they are waited for, so the number cannot come to mean another process.
running() {
  { read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null || return 1
  [ "$state" != Z ] && [ "$state" != X ]
}
gone() { ! running "$1"; }

# wait_until SECONDS COMMAND...: true as soon as the command is.
wait_until() {
  local deadline=$(($(milliseconds) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(milliseconds)" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

# wait_for_line SECONDS PID LOG TEXT: true once the log has the text; false
# when the time is up or the process that writes it has ended.
wait_for_line() {
  local deadline=$(($(milliseconds) + $1 * 1000))
  while ! grep -qF -- "$4" "$3" 2>/dev/null; do
    if gone "$2"; then
      # It may have written the line just before it ended.
      grep -qF -- "$4" "$3" 2>/dev/null
      return
    fi
    [ "$(milliseconds)" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

# run_child NAMESPACE LOG COMMAND...: starts it; its number is $child.
run_child() {
  local ns=$1 log=$2
  shift 2
  # Emptied here and not by the child, which may start late: nobody is to find
  # the words of the one before.
  : >"$log"
  ip netns exec "$ns" "$@" >>"$log" 2>&1 </dev/null &
  child=$!
  lab_children="$lab_children $child"
}

# -- keys and certificates ---------------------------------------------------

p256="EC -pkeyopt ec_paramgen_curve:P-256"

# issue NAME CA USAGE [KEY-TYPE [DAYS [LINE...]]]: a key and a certificate for
# NAME, signed by CA, which may be a path; each LINE is an extension.
issue() {
  local name=$1 signer=$2 usage=$3 type=${4:-$p256} days=${5:-3650}
  [ $# -lt 5 ] && shift $# || shift 5
  # shellcheck disable=SC2086 # the type is a list of words
  openssl genpkey -algorithm $type -out "$name.key" &&
    openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr" &&
    printf '%s\n' "basicConstraints=CA:FALSE" \
      "keyUsage=digitalSignature" "extendedKeyUsage=$usage" "$@" \
      >"$name.ext" &&
    openssl x509 -req -in "$name.csr" -CA "$signer.crt" \
      -CAkey "$signer.key" -set_serial "0x$(openssl rand -hex 8)" \
      -days "$days" -sha256 -extfile "$name.ext" -out "$name.crt"
}

# authority NAME [KEY-TYPE]: one that signs itself.
authority() {
  # shellcheck disable=SC2086 # the type is a list of words
  openssl genpkey -algorithm ${2:-$p256} -out "$1.key" &&
    openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 3650 -sha256 \
      -addext basicConstraints=critical,CA:TRUE \
      -addext keyUsage=critical,keyCertSign,cRLSign -out "$1.crt"
}

# Makes the throw-away PKI once for each build directory. It appears with one
# rename, so tests that start together cannot see half of it.
make_pki() {
  local pki_tmp
  [ -d "$lab_pki" ] && return
  mkdir -p "$BUILD/interop" || return 1
  pki_tmp=$(mktemp -d "$BUILD/interop/pki.XXXXXX") || return 1
  (
    cd "$pki_tmp" && authority ca && authority other-ca &&
      issue server ca serverAuth && issue client ca clientAuth &&
      issue other-client other-ca clientAuth &&
      for name in tls-auth tls-crypt other; do
        openvpn --genkey secret $name.pem || exit 1
      done
  ) >"$pki_tmp/make.txt" 2>&1 || {
    cat "$pki_tmp/make.txt" >&2
    rm -rf "$pki_tmp"
    fail "cannot make keys and certificates"
  }
  # Somebody else was faster: theirs is as good.
  mv -T "$pki_tmp" "$lab_pki" 2>/dev/null || rm -rf "$pki_tmp"
  [ -d "$lab_pki" ]
}

# -- configurations ----------------------------------------------------------

# write_server FILE PROTOCOL WRAP CIPHER [LINES]: LINES are further options.
write_server() {
  local where wrap
  case $2 in
    udp) where="proto udp
local $server_address" ;;
    tcp) where="proto tcp-server
local $server_address" ;;
    udp6) where="proto udp6
local $server_address6" ;;
    tcp6) where="proto tcp6-server
local $server_address6" ;;
  esac
  case $3 in
    none) wrap="" ;;
    tls-auth) wrap="tls-auth \"$lab_pki/tls-auth.pem\" 0" ;;
    tls-crypt) wrap="tls-crypt \"$lab_pki/tls-crypt.pem\"" ;;
  esac
  cat >"$1" <<END
dev tun0
dev-type tun
port 1194
$where
$wrap
server 10.8.0.0 255.255.255.0
server-ipv6 fd08::/64
ca "$lab_pki/ca.crt"
cert "$lab_pki/server.crt"
key "$lab_pki/server.key"
dh none
data-ciphers $4
topology subnet
keepalive 5 60
disable-dco
verb 4
${5:-}
END
}

# write_client FILE PROTOCOL WRAP [CA [CERTIFICATE [KEY-FILE]]]: one .ovpn file
# with everything inside, as providers hand them out.
write_client() {
  local ca=${4:-ca} identity=${5:-client} remote
  case $2 in
    *6) remote=$server_address6 ;;
    *) remote=$server_address ;;
  esac
  {
    cat <<END
client
dev tun
proto $2
remote $remote 1194
nobind
remote-cert-tls server
verb 3
<ca>
$(cat "$lab_pki/$ca.crt")
</ca>
<cert>
$(cat "$lab_pki/$identity.crt")
</cert>
<key>
$(cat "$lab_pki/$identity.key")
</key>
END
    if [ "$3" = tls-auth ]; then
      printf 'key-direction 1\n'
    fi
    if [ "$3" != none ]; then
      printf '<%s>\n%s\n</%s>\n' "$3" \
        "$(cat "$lab_pki/${6:-$3}.pem")" "$3"
    fi
  } >"$1"
}

# -- the two ends ------------------------------------------------------------

up_phrase="Initialization Sequence Completed"

# start_server CONFIG [OPTION...]: returns when it is ready for clients.
start_server() {
  local config=$1
  server_log=$lab_dir/server.log
  shift
  run_child "$ns_server" "$server_log" openvpn --config "$config" "$@"
  server_pid=$child
  wait_for_line 20 "$server_pid" "$server_log" "$up_phrase" ||
    fail "the openvpn server did not come up"
}

stop_server() {
  kill -TERM "$server_pid" 2>/dev/null
  wait_until 5 gone "$server_pid" || kill -KILL "$server_pid"
  wait "$server_pid" 2>/dev/null
}

# start_client CONFIG [OPTION...]: returns at once.
start_client() {
  local config=$1
  client_log=$lab_dir/client.log
  shift
  # shellcheck disable=SC2086 # the wrapper is a list of words
  run_child "$ns_client" "$client_log" sh "$lab_dir/with-own-names" \
    $CLIENT_WRAPPER "$CLIENT" --config "$config" "$@"
  client_pid=$child
}

client_is_up() {
  wait_for_line "${1:-20}" "$client_pid" "$client_log" "$up_phrase" ||
    fail "the client did not come up"
}

# The exit code of the client is $client_code; $1 seconds are allowed.
client_ends_within() {
  wait_until "$1" gone "$client_pid" ||
    fail "the client did not end within $1 s"
  wait "$client_pid"
  client_code=$?
}

# expect_exit CODE...: checks $client_code, any of these will do. The stock
# client knows only 0 and 1.
expect_exit() {
  local wanted
  for wanted in $*; do
    is_ours || case $wanted in
      # Nor does it call a refused password or the server's HALT a failure.
      0 | 6 | 10 | 130 | 143) wanted=0 ;;
      *) wanted=1 ;;
    esac
    [ "$client_code" = "$wanted" ] && return
  done
  fail "exit code $client_code instead of $*"
}

# True when the client under test is the one whose messages we define.
is_ours() { [ "${CLIENT##*/}" != openvpn ]; }

# -- looking at the client's host --------------------------------------------

# Everything a VPN client may change, without what changes by itself.
network_settings() {
  in_client sh -c '
    ip -o link; ip -o addr; ip rule; ip -6 rule
    ip route show table all' |
    sed -E 's/^[0-9]+: //; s/ expires [0-9]+sec//; s/ hoplimit [0-9]+//; s/[ \t]+$//'
}

settings_are() { [ "$(network_settings)" = "$(cat "$1")" ]; }

# remember_settings, later expect_settings: nothing may be left behind, neither
# in the tables of the kernel nor in resolv.conf.
remember_settings() { network_settings >"$lab_dir/settings.before"; }
expect_settings() {
  cmp "$lab_dir/resolv.conf.before" "$lab_dir/resolv.conf" >&2 ||
    fail "the client's resolv.conf is not as before"
  # The kernel removes the last routes of a device shortly after its owner.
  wait_until 2 settings_are "$lab_dir/settings.before" && return
  network_settings | diff "$lab_dir/settings.before" - >&2
  fail "the client's network settings are not as before"
}

tunnel_device() { in_client ip -o link show type tun | sed 's/^[0-9]*: \([^:@]*\).*/\1/;q'; }
tunnel_address() {
  in_client ip -o -4 addr show dev "$(tunnel_device)" |
    sed -n 's/.* inet \([0-9.]*\).*/\1/p;q'
}
tunnel_address6() {
  in_client ip -o -6 addr show dev "$(tunnel_device)" scope global |
    sed -n 's/.* inet6 \([0-9a-f:]*\).*/\1/p;q'
}

# expect_ping NAMESPACE ADDRESS [OPTION...]: three replies of three.
expect_ping() {
  local ping_ns=$1 ping_to=$2
  shift 2
  ip netns exec "$ping_ns" ping -n -q -c 3 -i 0.2 -W 3 "$@" "$ping_to" \
    >"$lab_dir/ping.txt" 2>&1 || {
    cat "$lab_dir/ping.txt" >&2
    fail "no ping to $ping_to"
  }
  grep -q ' 0% packet loss' "$lab_dir/ping.txt" ||
    fail "a ping to $ping_to was lost"
}

# The iperf3 server takes one test at a time, and listens again only when what
# the last one left in the tunnel has arrived.
iperf_is_idle() {
  [ "$(grep -c 'Server listening' "$lab_dir/iperf-server.log")" -gt \
    "$(grep -c 'Accepted connection' "$lab_dir/iperf-server.log")" ]
}

# iperf_mbit NAMESPACE OPTION...: Mbit/s that arrived, as a whole number.
# An iperf3 server must run at the other end.
iperf_mbit() {
  local iperf_ns=$1
  shift
  wait_until 30 iperf_is_idle || return 1
  ip netns exec "$iperf_ns" iperf3 -f m "$@" >"$lab_dir/iperf.txt" 2>&1 || {
    cat "$lab_dir/iperf.txt" >&2
    return 1
  }
  awk '/receiver/ { for (i = 2; i <= NF; ++i)
         if ($i == "Mbits/sec") figure = $(i - 1) }
       END { if (figure == "") exit 1; printf "%.0f\n", figure }' \
    "$lab_dir/iperf.txt"
}

# Starts an iperf3 server beside the VPN server, on the tunnel's address.
start_iperf() {
  run_child "$ns_server" "$lab_dir/iperf-server.log" \
    iperf3 --server --forceflush
  wait_for_line 5 "$child" "$lab_dir/iperf-server.log" "Server listening" ||
    fail "iperf3 did not start"
}
