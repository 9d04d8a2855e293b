# Ways to the server: remotes, proxies, local ends.

# -- remotes -----------------------------------------------------------------

# Limits under which a dead remote is left soon.
soon="connect-timeout 1
hand-window 5
connect-retry 1"

# The first does not listen, the second does not answer, the third does.
case_remotes() {
  serve
  profile "$soon"
  edit_profile 's/^remote .*/remote 10.199.0.1 1195\
remote 10.199.9.99 1194\
remote 10.199.9.1 1194/'
  compare
}
# With protocols of their own; the server listens on UDP only.
case_connection_blocks() {
  serve
  profile "$soon"
  edit_profile '/^remote [^-]/d; /^proto /d'
  cat >>"$lab_dir/client.ovpn" <<END
<connection>
remote 10.199.9.1 1194 tcp
</connection>
<connection>
remote 10.199.9.1
port 1194
proto udp
explicit-exit-notify 1
</connection>
END
  compare
}
case_remote_random() {
  serve
  profile "$soon
remote-random
remote 10.199.9.1 1194
remote 10.199.9.1 1194"
  compare
}
# A name with two addresses, of which the first is dead.
case_remote_name() {
  serve
  profile "$soon"
  printf '%s vpn.example.org\n' 10.199.0.77 $server_address >"$lab_dir/hosts"
  see_hosts
  edit_profile 's/^remote .*/remote vpn.example.org openvpn/'
  compare
}
# The client sees these hosts and asks nobody else.
see_hosts() {
  echo "hosts: files" >"$lab_dir/nsswitch.conf"
  script with-hosts <<END
mount --bind $lab_dir/nsswitch.conf /etc/nsswitch.conf &&
  mount --bind $lab_dir/hosts /etc/hosts && exec "\$@"
END
  CLIENT_WRAPPER="$lab_dir/with-hosts $CLIENT_WRAPPER"
}
case_remote_name_ipv6() {
  protocol=udp6
  serve
  profile "$soon"
  printf '%s vpn.example.org\n' $server_address6 >"$lab_dir/hosts"
  see_hosts
  edit_profile 's/^remote .*/remote vpn.example.org 1194/
    s/^proto .*/proto udp6/'
  compare
}
case_proto_udp4() {
  serve
  profile
  edit_profile 's/^proto .*/proto udp4/'
  compare
}
case_proto_tcp6_client() {
  protocol=tcp6
  serve
  profile
  edit_profile 's/^proto .*/proto tcp6-client/'
  compare
}
case_proto_tcp4_on_remote() {
  protocol=tcp
  serve
  profile
  edit_profile '/^proto /d; s/^remote .*/remote 10.199.9.1 1194 tcp4-client/'
  compare
}

# -- the local end -----------------------------------------------------------

# The second client comes from the same port, and a server remembers the first
# for some seconds: each gets a server of its own.
from_port() {
  each visit_new_server server_says 1 "Peer Connection Initiated.*10.199.0.2:$1"
  expect_agreement settings ways
}
visit_new_server() {
  start_server "$lab_dir/server.conf"
  server_lines=0
  visit "$@"
  stop_server
}
case_lport() {
  configure_server
  profile "lport 4242"
  edit_profile /^nobind/d
  from_port 4242
}
# Without a number it is the port of the protocol.
case_bind() {
  configure_server
  profile bind
  edit_profile /^nobind/d
  from_port 1194
}
case_local() {
  in_client ip addr add 10.199.0.3/24 dev veth0
  remember_settings
  serve
  profile "local 10.199.0.3
lport 0"
  edit_profile /^nobind/d
  compare server_says 1 "Peer Connection Initiated.*10.199.0.3:"
}
case_lport_tcp() {
  protocol=tcp
  serve
  profile "lport 4243"
  edit_profile /^nobind/d
  compare server_says 1 "Peer Connection Initiated.*10.199.0.2:4243"
}

# Only marked packets find the way to the server.
case_mark() {
  in_client ip route add unreachable 10.199.9.1
  in_client ip route add 10.199.9.1 via 10.199.0.1 table 77
  in_client ip rule add fwmark 7 lookup 77
  remember_settings
  serve
  profile "mark 7"
  compare
}
# The table prefers another device; bound to this one, packets leave by it.
case_bind_dev() {
  in_client ip link add dummy0 type dummy
  in_client ip link set dummy0 up
  in_client ip route add 10.199.9.1 dev dummy0
  in_client ip route add 10.199.9.1 via 10.199.0.1 dev veth0 metric 100
  remember_settings
  serve
  profile "bind-dev veth0"
  compare
}

# -- another way while a tunnel takes all ------------------------------------

# takes_all SECONDS [FLAG...]: what a server pushes that takes everything, and
# how soon the client notices that it is gone.
takes_all() {
  local limit=$1
  shift
  printf 'push "%s"\n' "redirect-gateway${1:+ $*}" "ping 1" \
    "ping-restart $limit"
}

# The kept tunnel must not swallow the packets for the server that comes next.
case_failover_with_persist_tun_redirect() {
  in_server ip addr add 10.199.9.2/32 dev lo
  serve_without_keepalive "$(takes_all 4 def1)"
  sed 's/^local .*/local 10.199.9.2/; s/^dev tun0/dev tun1/
    s/10\.8\.0\./10.9.0./g; s/fd08::/fd09::/g; /^client-config-dir/d' \
    "$lab_dir/server.conf" >"$lab_dir/second.conf"
  profile "persist-tun
$soon"
  edit_profile 's/^remote [0-9].*/remote 10.199.9.1 1194\
remote 10.199.9.2 1194/'
  only_ours fails_over
}
fails_over() {
  run_child "$ns_server" "$lab_dir/second.log" openvpn \
    --config "$lab_dir/second.conf"
  wait_for_line 20 "$child" "$lab_dir/second.log" "$up_phrase" ||
    fail "the second server did not come up"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  expect_answer "$ns_client" 10.8.0.1
  kill -KILL "$server_pid"
  client_says 30 "$up_phrase" 2
  expect_answer "$ns_client" 10.9.0.1
  # Through the tunnel, which only then leads somewhere again.
  expect_answer "$ns_client" 172.20.5.1
  leads "10.199.9.2 via 10.199.0.1"
  leads "172.20.5.1 via 10.9.0.1"
  leave
}
# leads "ADDRESS via GATEWAY": the way the client's kernel takes.
leads() {
  in_client ip route get "${1%% *}" >"$lab_dir/way.txt"
  grep -qF "$1 " "$lab_dir/way.txt" || {
    cat "$lab_dir/way.txt" >&2
    fail "the way is not $1"
  }
}

# The client's address goes, and with it the route to the server that does not
# lead into the tunnel. Nobody waits until the server counts as gone.
case_address_change_redirect() {
  serve_without_keepalive "$(takes_all 60 def1)"
  profile "$soon"
  only_ours changes_address
}
case_address_change_redirect_persist_tun() {
  serve_without_keepalive "$(takes_all 60 def1)"
  profile "persist-tun
$soon"
  only_ours changes_address
}
case_address_change_plain_redirect() {
  serve_without_keepalive "$(takes_all 60)"
  profile "$soon"
  only_ours changes_address metric 50
}
# Without the tunnel the server's host would answer as well.
answers_inside() {
  in_client ping -n -q -c 1 -W 0.3 -I "$(tunnel_device)" 10.8.0.1 \
    >/dev/null 2>&1
}
# changes_address [WORD...] of the new default route.
changes_address() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  expect_answer "$ns_client" 10.8.0.1
  in_client ip addr del 10.199.0.2/24 dev veth0
  in_client ip addr add 10.199.0.3/24 dev veth0
  in_client ip route add default via 10.199.0.1 dev veth0 "$@"
  wait_until 20 answers_inside || fail "no traffic after another address"
  expect_answer "$ns_client" 172.20.5.1
  leads "$server_address via 10.199.0.1"
  leads "172.20.5.1 via 10.8.0.1"
  leave
  # For the comparison with what was before.
  in_client ip route del default via 10.199.0.1 dev veth0 2>/dev/null
  in_client ip route del default via 10.199.0.1 dev veth0 2>/dev/null
  in_client ip addr del 10.199.0.3/24 dev veth0
  in_client ip addr add 10.199.0.2/24 dev veth0
  in_client ip route add default via 10.199.0.1
}

# -- proxies -----------------------------------------------------------------

# start_squid AUTH-LINES: on 10.199.0.1, port 3128.
start_squid() {
  open_lab_to_others
  mkdir "$lab_dir/squid"
  chown proxy "$lab_dir/squid"
  # Or it would look up names where nobody answers.
  printf '%s\n' "10.199.0.2 client" "10.199.9.1 server" \
    >"$lab_dir/squid.hosts"
  chmod 644 "$lab_dir/squid.hosts"
  cat >"$lab_dir/squid.conf" <<END
http_port 10.199.0.1:3128
pid_filename none
cache_log $lab_dir/squid/cache.log
access_log none
cache deny all
coredump_dir $lab_dir/squid
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname squid.lab
hosts_file $lab_dir/squid.hosts
$1
http_access allow all
END
  run_child "$ns_server" "$lab_dir/squid.log" squid -N \
    -n "lab$$" -f "$lab_dir/squid.conf"
  wait_until 20 listens 3128 || {
    cat "$lab_dir/squid/cache.log" >&2
    fail "squid does not start"
  }
}
listens() { [ -n "$(in_server ss -Htln "sport = :$1")" ]; }
asks_for_password() {
  printf 'ann:%s\n' "$2" >"$lab_dir/squid.users"
  chmod 644 "$lab_dir/squid.users"
  echo "auth_param $1
auth_param ${1%% *} children 1 startup=1
auth_param ${1%% *} realm lab
acl known proxy_auth REQUIRED
http_access deny !known"
}
# proxied LINES
proxied() {
  protocol=tcp
  serve
  profile "$1"
  printf 'ann\n%s\n' "${2:-open-sesame}" >"$lab_dir/proxy-login"
}
basic="basic program /usr/lib/squid/basic_ncsa_auth"
digest="digest program /usr/lib/squid/digest_file_auth"

case_http_proxy() {
  start_squid ""
  proxied "http-proxy 10.199.0.1 3128
http-proxy-option VERSION 1.1
http-proxy-option AGENT lab
http-proxy-option CUSTOM-HEADER X-Lab yes"
  compare
}
case_http_proxy_basic() {
  start_squid "$(asks_for_password "$basic $lab_dir/squid.users" \
    "$(openssl passwd -apr1 open-sesame)")"
  proxied "http-proxy 10.199.0.1 3128 $lab_dir/proxy-login basic"
  compare
}
# The client finds out what the proxy wants.
found_out="http-proxy 10.199.0.1 3128 auto
<http-proxy-user-pass>
ann
open-sesame
</http-proxy-user-pass>"
case_http_proxy_auto() {
  start_squid "$(asks_for_password "$basic $lab_dir/squid.users" \
    "$(openssl passwd -apr1 open-sesame)")"
  proxied "$found_out"
  compare
}
case_http_proxy_digest() {
  start_squid "$(asks_for_password "$digest $lab_dir/squid.users" \
    open-sesame)"
  proxied "$found_out"
  compare
}
case_http_proxy_wrong_password() {
  start_squid "$(asks_for_password "$basic $lab_dir/squid.users" \
    "$(openssl passwd -apr1 open-sesame)")"
  proxied "http-proxy 10.199.0.1 3128 $lab_dir/proxy-login basic" open-barley
  both_fail "4 6" "[Pp]roxy"
}
case_http_proxy_refuses() {
  start_squid "http_access deny all"
  proxied "http-proxy 10.199.0.1 3128"
  both_fail 4 "[Pp]roxy"
}
case_http_proxy_silent() {
  listen_and_be_silent 3128
  proxied "http-proxy 10.199.0.1 3128"
  both_fail 4 "[Pp]roxy|does not answer"
}

# Dante knows no users but the system's, so it serves those without a password.
start_dante() {
  cat >"$lab_dir/dante.conf" <<END
logoutput: stderr
internal: 10.199.0.1 port = 1080
external: 10.199.9.1
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0/0 to: 0/0 }
socks pass { from: 0/0 to: 0/0 }
END
  run_child "$ns_server" "$lab_dir/dante.log" danted -f "$lab_dir/dante.conf" \
    -p "$lab_dir/dante.pid" -N 1
  wait_until 10 listens 1080 || fail "danted does not start"
}
case_socks_tcp() {
  start_dante
  protocol=tcp
  serve
  profile "socks-proxy 10.199.0.1 1080"
  compare
}
case_socks_udp() {
  start_dante
  serve
  profile "socks-proxy 10.199.0.1"
  compare
}
case_socks_udp_name() {
  start_dante
  serve
  printf '%s vpn.example.org\n' $server_address >"$lab_dir/hosts"
  echo '10.199.0.1 proxy.example.org' >>"$lab_dir/hosts"
  see_hosts
  profile "socks-proxy proxy.example.org 1080"
  edit_profile 's/^remote .*/remote vpn.example.org 1194/'
  compare
}
start_socks() {
  run_child "$ns_server" "$lab_dir/socks.log" "$python" "$here/socks.py" \
    10.199.0.1 1080 ann open-sesame
  wait_for_line 10 "$child" "$lab_dir/socks.log" listening ||
    fail "no SOCKS proxy"
  printf 'ann\n%s\n' "${1:-open-sesame}" >"$lab_dir/proxy-login"
}
case_socks_password_tcp() {
  start_socks
  protocol=tcp
  serve
  profile "socks-proxy 10.199.0.1 1080 $lab_dir/proxy-login"
  compare
}
case_socks_password_udp() {
  start_socks
  serve
  profile "socks-proxy 10.199.0.1 1080 $lab_dir/proxy-login"
  compare
}
case_socks_wrong_password() {
  start_socks open-barley
  protocol=tcp
  serve
  profile "socks-proxy 10.199.0.1 1080 $lab_dir/proxy-login"
  both_fail "4 6" "[Ss][Oo][Cc][Kk][Ss]|[Pp]roxy"
}
case_socks_refused() {
  protocol=tcp
  serve
  profile "socks-proxy 10.199.0.1 1080"
  both_fail 4 "refused"
}

# -- limits ------------------------------------------------------------------

# A server that takes the connection and says nothing.
case_silent_port() {
  protocol=tcp
  listen_and_be_silent 1194
  profile
  both_fail 4 "does not answer" "server_poll|key negotiation failed"
}
listen_and_be_silent() {
  run_child "$ns_server" "$lab_dir/silent.log" "$python" -c "
import socket, time
silent = socket.create_server(('', $1))
time.sleep(60)"
  wait_until 5 listens "$1" || fail "nobody listens"
}
# Three tries of a remote that nobody listens on.
case_connect_retry_max() {
  profile "connect-retry 1"
  limits="--connect-retry-max 2 --connect-timeout 1 --hand-window 1"
  both_fail 4 "."
}
