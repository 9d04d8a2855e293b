#!/bin/sh
# One feature: the stock client and ours, in turn, against a stock server. The
# same addresses, links, rules and routes, the same ways, the same hosts within
# reach, and afterwards nothing left; or the same failure, which ours names by
# its exit code.
#
#   features.sh CASE       one of the functions case_CASE in features_*.sh
#
# CLIENT=openvpn checks the cases themselves, with the stock client twice.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
need_root "$@"
case_name=$1

lab_open "$case_name"
make_pki || fail "no PKI"
. "$here/compare.sh"
for theme in "$here"/features_*.sh; do
  . "$theme"
done
command -v "case_$case_name" >/dev/null || fail "no such case: $case_name"
remember_settings
"case_$case_name"
