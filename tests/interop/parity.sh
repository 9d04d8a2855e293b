#!/bin/sh
# The stock client and ours, in turn, against the same server with the same
# pushes: the same addresses, the same routes, the same hosts within reach, and
# afterwards nothing left.
#
#   parity.sh CASE
set -u
. "$(dirname "$0")/lib.sh"
need_root "$@"
case_name=$1

# What each case pushes, and the addresses that must answer a ping.
reach="10.8.0.1 fd08::1"
case $case_name in
  subnet_routes)
    topology=subnet
    pushes='push "route 172.20.5.0 255.255.255.0"
push "route 172.21.0.0 255.255.0.0 vpn_gateway 77"
push "route 192.0.2.7 255.255.255.255 net_gateway"
push "route-ipv6 fd20:5::/64"
push "route-ipv6 fd21::/32"'
    reach="$reach 172.20.5.1 fd20:5::1"
    ;;
  net30_routes)
    topology=net30
    pushes='push "route 172.20.5.1"
push "route-ipv6 fd20:5::1/128"'
    reach="$reach 172.20.5.1 fd20:5::1"
    ;;
  redirect_def1)
    topology=subnet
    pushes='push "redirect-gateway def1"'
    reach="$reach 172.20.5.1"
    ;;
  redirect_plain)
    topology=subnet
    pushes='push "redirect-gateway"'
    reach="$reach 172.20.5.1"
    ;;
  redirect_ipv6)
    topology=subnet
    pushes='push "redirect-gateway def1 ipv6 bypass-dhcp"'
    reach="$reach 172.20.5.1 fd20:5::1"
    ;;
  address_and_mtu)
    topology=p2p
    pushes='push "route-metric 42"
push "route 172.20.5.0 255.255.255.0"
tun-mtu 1400
push "dhcp-option DNS 10.8.0.1"
push "dhcp-option DOMAIN example.org"'
    reach="$reach 172.20.5.1"
    ;;
  *) fail "no such case: $case_name" ;;
esac

# connect NAME CLIENT: leaves what the host looks like in NAME.settings.
connect() {
  CLIENT=$2
  start_client "$lab_dir/client.ovpn"
  client_is_up
  device=$(tunnel_device)
  # The kernel makes up a link-local address for the device, another each time.
  # The length of its queue is a matter of speed and ours to choose.
  network_settings | sed -E 's/ qdisc [^ ]+//; s/ qlen [0-9]+//' |
    sed -E "s/\b$device\b/TUN/g; s/fe80::[0-9a-f:]+(.*TUN|.* TUN)/LINK-LOCAL\1/
      /TUN/s/fe80::[0-9a-f]+:[0-9a-f:]+/LINK-LOCAL/g" |
    sort >"$lab_dir/$1.settings"
  for address in $reach; do
    expect_ping "$ns_client" "$address"
  done
  # The way an address takes matters as much as the table it stands in.
  for address in $reach 198.51.100.1 2001:db8::1 192.0.2.7 "$server_address"; do
    in_client ip route get "$address" 2>&1 |
      sed -E "s/\b$device\b/TUN/g; s/ uid .*//; s/ cache.*//; s/[ \t]+$//"
  done >"$lab_dir/$1.ways"
  kill -TERM "$client_pid"
  client_ends_within 5
  expect_exit 143
  cp "$client_log" "$lab_dir/client-$1.log"
  expect_settings
}

lab_open "parity-$case_name"
make_pki || fail "no PKI"
# No cipher, no extra: only what is pushed differs between the cases. An
# address of its own for the client, so that both get the same.
mkdir "$lab_dir/ccd"
case $topology in
  subnet) own="ifconfig-push 10.8.0.66 255.255.255.0" ;;
  net30) own="ifconfig-push 10.8.0.66 10.8.0.65" ;;
  p2p) own="ifconfig-push 10.8.0.66 10.8.0.1" ;;
esac
printf '%s\nifconfig-ipv6-push fd08::66/64 fd08::1\n' "$own" \
  >"$lab_dir/ccd/client"
write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM "topology $topology
client-config-dir $lab_dir/ccd
$pushes"
write_client "$lab_dir/client.ovpn" udp tls-crypt
start_server "$lab_dir/server.conf"
remember_settings

ours=$CLIENT
connect stock openvpn
connect ours "$ours"

same=yes
for what in settings ways; do
  diff -u "$lab_dir/stock.$what" "$lab_dir/ours.$what" >&2 || same=no
done
[ $same = yes ] || fail "the two clients leave the host in different states"
