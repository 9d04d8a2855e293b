# What a client that was killed leaves behind, and who takes it back: --cleanup,
# or the next start. The stock client has neither, so these run ours alone.

# killed COMMAND...: our client comes up and is killed; the command restores
# what it has left.
killed() {
  only_ours die_and "$@"
}
die_and() {
  die
  "$@"
}
die() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  kill -KILL "$client_pid"
  client_ends_within 5
  wait_until 5 no_tunnel || fail "the device has survived its client"
  nothing_is_left && fail "nothing is left, so there is nothing to restore"
  return 0
}
no_tunnel() { [ -z "$(tunnel_device)" ]; }
nothing_is_left() {
  settings_are "$lab_dir/settings.before" &&
    cmp -s "$lab_dir/resolv.conf.before" "$lab_dir/resolv.conf"
}

# cleans_up [CODE]: what it says is in $lab_dir/cleanup.log.
cleans_up() {
  local code=0
  # shellcheck disable=SC2086 # the wrapper is a list of words
  in_client sh "$lab_dir/with-own-names" $CLIENT_WRAPPER "$CLIENT" --cleanup \
    >"$lab_dir/cleanup.log" 2>&1 || code=$?
  [ "$code" = "${1:-0}" ] || fail "--cleanup ends with $code"
}
cleanup_says() {
  grep -qF -- "$1" "$lab_dir/cleanup.log" ||
    fail "--cleanup does not say: $1"
}

# A client that changes nothing of its own beside the tunnel's device.
starts_again() {
  start_client "$lab_dir/client.ovpn" --route-nopull
  client_is_up
  expect_words "WARNING: .* restored"
  wait_until 2 as_before_but_for_tunnel ||
    fail "the next start does not restore what was before"
  leave
}
as_before_but_for_tunnel() {
  cmp -s "$lab_dir/resolv.conf.before" "$lab_dir/resolv.conf" || return 1
  network_settings | grep -v tun >"$lab_dir/settings.now"
  # Addresses of the tunnel stand in the local tables, with its device.
  cmp -s "$lab_dir/settings.before" "$lab_dir/settings.now"
}

all_pushes="redirect-gateway def1
route 172.20.5.0 255.255.255.0
route 192.0.2.7 255.255.255.255 net_gateway
route-ipv6 2001:db8:7::/48 fd99::1
dhcp-option DNS 10.8.0.1"

# -- by hand -----------------------------------------------------------------

case_killed_def1() {
  serve "$(pushed "redirect-gateway def1")"
  profile
  killed cleans_up
}
case_killed_def1_says_what() {
  serve "$(pushed "$all_pushes")"
  profile
  only_ours cleans_up_in_words
}
cleans_up_in_words() {
  die
  cleans_up
  cleanup_says "# process $client_pid has died"
  cleanup_says "ip route del $server_address/32 via 10.199.0.1 dev veth0"
  cleanup_says "ip route del 192.0.2.7/32 via 10.199.0.1 dev veth0"
  cleanup_says "# name servers restored in /etc/resolv.conf"
  cleans_up
  cleanup_says "# nothing to restore"
}
case_killed_redirect_gateway() {
  serve "$(pushed "redirect-gateway")"
  profile
  killed cleans_up
}
case_killed_redirect_ipv6() {
  protocol=udp6
  serve "$(pushed "redirect-gateway def1 ipv6")"
  profile
  killed cleans_up
}
case_killed_block_local() {
  serve "$(pushed "redirect-gateway def1 block-local")"
  profile
  killed cleans_up
}
case_killed_dns() {
  set_resolv_conf "# by hand" "nameserver 192.0.2.53" "options timeout:1"
  serve "$(pushed "dhcp-option DNS 10.8.0.1
dhcp-option DOMAIN example.org")"
  profile
  killed cleans_up
}
# The names of a link are gone with it: nobody is told to forget them.
case_killed_resolved() {
  start_resolved
  serve "$(pushed "redirect-gateway def1
dhcp-option DNS 10.8.0.1")"
  profile
  killed forgets_no_link
}
forgets_no_link() {
  says "$lab_dir/resolve1.log" 1 ^SetLinkDNSEx || fail "no names were set"
  cleans_up
  says "$lab_dir/resolve1.log" 1 ^RevertLink &&
    fail "systemd-resolved was told about a link that is gone"
  return 0
}
case_killed_user_nobody() {
  open_lab_to_others
  serve "$(pushed "$all_pushes")"
  profile "user nobody
group nogroup
persist-tun"
  killed cleans_up
}
case_killed_user_nobody_redirect_gateway() {
  open_lab_to_others
  serve "$(pushed "redirect-gateway
dhcp-option DNS 10.8.0.1")"
  profile "user nobody"
  killed cleans_up
}

# After a reconnect there is more behind it than one tunnel.
case_killed_after_reconnect() {
  serve "$(pushed "redirect-gateway
dhcp-option DNS 10.8.0.1")"
  profile "persist-tun"
  only_ours dies_after_reconnect
}
dies_after_reconnect() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  kill -USR1 "$client_pid"
  client_says 15 "$up_phrase" 2
  kill -KILL "$client_pid"
  client_ends_within 5
  wait_until 5 no_tunnel || fail "the device has survived its client"
  cleans_up
}

# -- by the next start -------------------------------------------------------

case_killed_and_started_again() {
  serve "$(pushed "$all_pushes")"
  profile
  killed starts_again
}
case_killed_and_started_again_redirect_gateway() {
  serve "$(pushed "redirect-gateway
dhcp-option DNS 10.8.0.1")"
  profile
  killed starts_again
}
case_killed_and_started_again_user_nobody() {
  open_lab_to_others
  serve "$(pushed "$all_pushes")"
  profile "user nobody"
  killed starts_again
}
case_killed_twice() {
  serve "$(pushed "redirect-gateway
dhcp-option DNS 10.8.0.1")"
  profile
  only_ours dies_twice
}
dies_twice() {
  die
  die
  cleans_up
}

# -- what it leaves alone ----------------------------------------------------

case_cleanup_spares_the_living() {
  serve "$(pushed "$all_pushes")"
  profile
  only_ours lives_on
}
lives_on() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  network_settings >"$lab_dir/settings.up"
  cp "$lab_dir/resolv.conf" "$lab_dir/resolv.conf.up"
  cleans_up
  cleanup_says "clients that run"
  settings_are "$lab_dir/settings.up" || fail "a living client lost settings"
  cmp -s "$lab_dir/resolv.conf.up" "$lab_dir/resolv.conf" ||
    fail "a living client lost its name servers"
  expect_answer "$ns_client" 10.8.0.1
  leave
}
case_cleanup_of_nothing() {
  only_ours finds_nothing
}
finds_nothing() {
  cleans_up
  cleanup_says "# nothing to restore"
}
# A client that ends in order has nothing to restore either.
case_cleanup_after_the_end() {
  serve "$(pushed "$all_pushes")"
  profile
  only_ours ends_in_order
}
ends_in_order() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  leave
  cleans_up
  cleanup_says "# nothing to restore"
}

# The way to the old gateway is gone: exit code 9, until it is back.
case_cleanup_in_vain() {
  serve "$(pushed "redirect-gateway")"
  profile
  only_ours cleans_up_in_vain
}
cleans_up_in_vain() {
  die
  in_client ip addr del 10.199.0.2/24 dev veth0
  cleans_up 9
  cleanup_says "# ip route add default via 10.199.0.1 dev veth0"
  in_client ip addr add 10.199.0.2/24 dev veth0
  cleans_up
}

# HOST may die so often that it is not replaced any more: what it did is undone
# nevertheless, and no journal stays.
case_host_dies_for_good() {
  serve "$(pushed "redirect-gateway
dhcp-option DNS 10.8.0.1")"
  profile
  only_ours loses_host
}
case_host_dies_for_good_def1() {
  serve "$(pushed "redirect-gateway def1")"
  profile
  only_ours loses_host
}
loses_host() {
  start_client "$lab_dir/client.ovpn" --allow-faults \
    --fault host:kill=2s,every=1s
  client_is_up
  client_ends_within 40
  expect_settings
  [ -z "$(ls "$lab_dir/run")" ] || fail "a journal is left"
}
