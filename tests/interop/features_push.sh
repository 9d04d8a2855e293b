# What the server pushes: addresses, routes, redirection, timers, stops.

# pushes LINES [CLIENT-LINES]: each line is one pushed option.
pushes() {
  serve "$(pushed "$1")"
  profile "${2:-}"
  compare
}
# pushed LINES: the server's lines for them.
pushed() {
  printf '%s\n' "$1" | sed -n "s/..*/push '&'/p"
}

# -- addresses and routes ----------------------------------------------------

case_topology_p2p() {
  fixed_addresses 10.8.0.1
  serve "topology p2p
push 'route 172.20.5.0 255.255.255.0'"
  profile
  reach="$reach 172.20.5.1"
  compare
}
case_topology_net30() {
  fixed_addresses 10.8.0.65
  serve "topology net30
push 'route 172.20.5.0 255.255.255.0'"
  profile
  reach="10.8.0.1 172.20.5.1"
  compare
}
case_route_gateways() {
  reach="$reach 172.20.5.1"
  pushes "route 172.20.5.0 255.255.255.0 vpn_gateway
route 172.21.0.0 255.255.0.0 10.8.0.1 77
route 172.22.0.0 255.255.0.0 net_gateway 5
route 192.0.2.7 255.255.255.255 net_gateway
route remote_host 255.255.255.255 net_gateway
route vpn_gateway
route-metric 33
route 172.23.0.0 255.255.0.0"
}
case_route_ipv6_gateways() {
  reach="$reach fd20:5::1"
  pushes "route-ipv6 fd20:5::/64
route-ipv6 fd21::/32 fd08::1 9
route-ipv6-gateway fd08::1
route-ipv6 2001:db8::/48"
}
# What the profile says and what the server says come together.
case_route_own() {
  pushes "route 172.21.0.0 255.255.0.0" \
    "route 172.20.5.0 255.255.255.0
route 198.51.100.0 255.255.255.0 net_gateway
route-ipv6 fd20:5::/64
route-metric 12"
}
case_route_gateway_pushed() {
  pushes "route-gateway 10.8.0.9
route 172.21.0.0 255.255.0.0"
}
case_route_nopull() {
  pushes "route 172.21.0.0 255.255.0.0
redirect-gateway def1
dhcp-option DNS 10.8.0.1
route-ipv6 fd21::/32
block-ipv6" "route-nopull
route 172.20.5.0 255.255.255.0"
}
case_pull_filter_ignore() {
  pushes "route 172.21.0.0 255.255.0.0
route 172.22.0.0 255.255.0.0
redirect-gateway def1" "pull-filter accept 'route 172.21'
pull-filter ignore 'route '
pull-filter ignore redirect-gateway"
}
case_pull_filter_reject() {
  serve "push 'route 172.21.0.0 255.255.0.0'"
  profile "pull-filter reject 'route 172'"
  both_fail 8 "[Pp]ull|reject|refused" "Pushed option rejected|rejected"
}
case_route_noexec() {
  pushes "route 172.21.0.0 255.255.0.0
redirect-gateway def1" "route-noexec"
}
case_ifconfig_noexec() {
  reach=""
  pushes "" "ifconfig-noexec"
}
case_route_delay() {
  pushes "route 172.21.0.0 255.255.0.0
route-delay 1"
}
# A pushed peer-id, a very long list of routes in several messages.
case_push_continuation() {
  pushes "$(seq 1 80 | sed 's/.*/route 172.30.& 255.255.255.255/')
$(seq 1 40 | sed 's/.*/route-ipv6 fd30:&::\/32/')"
}

# -- redirection -------------------------------------------------------------

# on_link: the server has an address of the client's own network.
on_link() {
  sed -i 's/^local .*/local 10.199.0.1/' "$lab_dir/server.conf"
  start_server "$lab_dir/server.conf"
  edit_profile 's/^remote .*/remote 10.199.0.1 1194/'
}
redirects() {
  reach="$reach 172.20.5.1"
  pushes "redirect-gateway $1"
}
case_redirect_gateway_def1() { redirects def1; }
case_redirect_gateway() { redirects ""; }
case_redirect_gateway_all_ipv6() {
  reach="$reach fd20:5::1"
  redirects "def1 ipv6"
}
case_redirect_gateway_only_ipv6() {
  reach="$reach fd20:5::1"
  pushes "redirect-gateway ipv6 !ipv4"
}
case_redirect_gateway_local() {
  configure_server "push 'redirect-gateway def1 local'"
  profile
  on_link
  compare
}
case_redirect_gateway_autolocal() {
  configure_server "push 'redirect-gateway def1 autolocal'"
  profile
  on_link
  compare
}
case_redirect_gateway_autolocal_remote() { redirects "def1 autolocal"; }
case_redirect_gateway_block_local() {
  ways="$ways 10.199.0.1 10.199.0.77"
  redirects "def1 block-local"
}
case_redirect_gateway_bypass() { redirects "def1 bypass-dhcp bypass-dns"; }
case_redirect_private() {
  reach="$reach 172.20.5.1"
  pushes "redirect-private def1
route 172.20.5.0 255.255.255.0"
}
case_redirect_by_profile() {
  reach="$reach 172.20.5.1"
  pushes "" "redirect-gateway def1"
}
# Over IPv6, whose address must stay reachable outside of the tunnel.
case_redirect_over_ipv6() {
  protocol=udp6
  ways="$ways $server_address6"
  reach="$reach 172.20.5.1 fd20:5::1"
  pushes "redirect-gateway def1 ipv6"
}

# IPv6 of this host is answered by the client itself.
case_block_ipv6() {
  serve "push 'redirect-gateway def1 ipv6'
push block-ipv6"
  profile
  reach="10.8.0.1"
  compare ipv6_is_blocked
}
ipv6_is_blocked() {
  in_client ping -n -c 1 -W 2 2001:db8::1 >"$lab_dir/ping.txt" 2>&1 &&
    fail "IPv6 is not blocked"
  found "$(grep -o 'Destination unreachable: .*' "$lab_dir/ping.txt")"
  grep -qi "no route" "$lab_dir/ping.txt" || {
    cat "$lab_dir/ping.txt" >&2
    fail "nobody answered that there is no way"
  }
}

case_client_nat() {
  serve
  profile "client-nat snat 10.8.0.66 255.255.255.255 10.8.0.66
client-nat dnat 172.20.6.1 255.255.255.255 172.20.5.1
route 172.20.6.0 255.255.255.0"
  reach="10.8.0.1 172.20.6.1"
  compare
}

# -- bad options -------------------------------------------------------------

# Nothing of it is executed, nor does it keep the tunnel from coming up. Where
# the stock client applies what it can, so must ours.
case_hostile_routes() {
  serve "push 'route 172.21.0.0 255.255.0.0; touch $lab_dir/executed'
push 'route \$(touch $lab_dir/executed) 255.255.0.0'
push 'route 172.22.0.0 255.0.255.0'
push 'route-ipv6 fd21::/129'
push 'route-ipv6 172.20.0.0/16'
push 'route-gateway \`touch $lab_dir/executed\`'
push 'no-such-option \`touch $lab_dir/executed\`'
push 'script-security 3'
push 'up /bin/touch'
push 'route 172.20.5.0 255.255.255.0'"
  profile
  reach="$reach 172.20.5.1"
  compare names_bad_options
}
names_bad_options() {
  [ ! -e "$lab_dir/executed" ] || fail "a pushed word was executed"
  is_ours || return 0
  for option in route route-ipv6 no-such-option script-security up; do
    grep -E "WARNING.*['\`\" ]$option\b" "$client_log" >/dev/null ||
      fail "no warning names '$option'"
  done
}

# -- liveness and stops ------------------------------------------------------

# ends_itself OURS STOCK: exit codes of the one and the other.
ends_itself() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  client_ends_within 12
  expect_exits "$1" "$2"
}
case_inactive() {
  serve "push 'inactive 2'"
  profile
  each ends_itself 0 0
}
case_session_timeout() {
  serve "push 'session-timeout 2'"
  profile
  each ends_itself 0 0
}
silence_ends_it() {
  start_server "$lab_dir/server.conf"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  kill -KILL "$server_pid"
  client_ends_within 12
  expect_exits "$1" "$2"
}
case_ping_exit() {
  serve_without_keepalive "push 'ping 1'
push 'ping-exit 2'"
  stop_server
  profile
  each silence_ends_it 4 0
}

# The server vanishes without a word, and is there again.
case_ping_restart() {
  serve_without_keepalive "push 'ping 1'
push 'ping-restart 2'"
  stop_server
  profile
  each reconnect_to_new_server "Inactivity timeout"
  expect_agreement settings ways
}
# It says that it restarts, so nobody has to wait for silence.
case_server_restarts() {
  serve "explicit-exit-notify 1"
  stop_server
  profile
  each reconnect_to_new_server "Connection reset command was pushed"
  expect_agreement settings ways
}
reconnect_to_new_server() {
  start_server "$lab_dir/server.conf"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  if [ "$1" = "Inactivity timeout" ]; then
    kill -KILL "$server_pid"
  else
    # It would stay for some seconds more.
    kill -TERM "$server_pid"
    client_says 5 "$1"
    kill -KILL "$server_pid"
  fi
  client_says 10 "$1"
  wait_until 10 gone "$server_pid" || fail "the server does not end"
  start_server "$lab_dir/server.conf"
  client_says 20 "$up_phrase" 2
  take_picture
  leave
  stop_server
}

# The administrator sends the client away for good.
case_server_halts() {
  serve "management $lab_dir/management unix"
  profile
  each is_sent_away
}
is_sent_away() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  "$python" "$here/management.py" "$lab_dir/management" \
    "client-kill $server_clients HALT" || fail "no client-kill"
  server_clients=$((server_clients + 1))
  client_ends_within 10
  expect_exit 10
}
server_clients=0

# -- signals -----------------------------------------------------------------

# The device outlives a reconnection, so nothing leaks past it meanwhile.
case_persist_tun() {
  serve
  profile "persist-tun
persist-key"
  each reconnect_by_signal USR1
  expect_agreement settings ways
}
case_without_persist_tun() {
  serve
  profile
  each reconnect_by_signal USR1
  expect_agreement settings ways
}
device_index() {
  in_client cat "/sys/class/net/$(tunnel_device)/ifindex" 2>/dev/null ||
    in_client ip -o link show type tun | sed 's/:.*//;q'
}
reconnect_by_signal() {
  local before
  start_client "$lab_dir/client.ovpn"
  client_is_up
  before=$(device_index)
  kill -"$1" "$client_pid"
  client_says 15 "$up_phrase" 2
  take_picture
  # A number never comes back, so another one is another device.
  if [ "$(device_index)" = "$before" ]; then
    found "the same device"
  else
    found "another device"
  fi
  leave
}
