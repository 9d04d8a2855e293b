#!/bin/sh
# Guards docs/spec.md: each row names sources and tests that exist, or says why
# a rule is not implemented; each section that a source cites has its heading.
# Prints every offence; ends with 1 when there is one.
set -u
cd "$(dirname "$0")/.." || exit 1
table=docs/spec.md
[ -f "$table" ] || {
  echo "$table is missing"
  exit 1
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# -- what there is -----------------------------------------------------------

# "source PATH", "test FILE: NAME" without tests/ and .cpp, "case NAME".
{
  find protocol actors apps include -name '*.[ch]pp' | sed 's/^/source /'
  grep -rE '^ *CAF_TEST\(' tests --include='*.cpp' |
    sed -E 's:^tests/::; s/\.cpp: *CAF_TEST\(/: /; s/ *\) *\{?$//; s/^/test /'
  sed -nE 's/^case_([a-z0-9_]+)\(\).*/case \1/p' tests/interop/*.sh
  # Cases that have no prefix stand in lists of words.
  sed -nE '/^set\((failures|pushes)/,/\)/p' tests/CMakeLists.txt |
    tr -s '() ' '\n' | sed -n 's/^\([a-z][a-z0-9_]*\)$/case \1/p'
} >"$work/there"
grep -q '^test ' "$work/there" || {
  echo "no tests found: wrong directory?"
  exit 1
}

# "cited SECTION": comments say "spec: openvpn-wire 2.10, 12.2".
grep -rhoE 'spec: .*openvpn-wire [0-9][0-9., to]*' protocol actors apps include |
  sed 's/.*openvpn-wire //' | tr -s ', ' '\n' |
  sed -nE 's/^([0-9]+(\.[0-9]+)?)\.?$/cited \1/p' | sort -u >"$work/cited"

# -- the table ---------------------------------------------------------------

awk '
  function trim(x) { gsub(/^[ \t]+|[ \t]+$/, "", x); return x }
  function offence(x) { print file ":" FNR ": " x; count++ }

  FILENAME ~ /there$/ { there[$0] = 1; next }
  FILENAME ~ /cited$/ { cited[$2] = 1; next }

  /^## openvpn-wire / { headings[$3] = 1; has_heading = 1; next }
  /^## / { has_heading = 1; next }
  !/^\|/ || /^\| *rule *\|/ || /^\|[-|]*$/ { next }

  {
    rows++
    if (!has_heading) offence("a row above the first heading")
    if (split($0, cell, "|") != 6) {
      offence("a row has four cells: rule, source, test, note")
      next
    }
    rule = trim(cell[2]); sources = trim(cell[3]); tests = trim(cell[4])
    if (rule == "") offence("a row without a rule")
    missing = sources ~ /^not implemented/
    if (missing) {
      if (sources !~ /^not implemented: ..../)
        offence(rule ": not implemented, and no reason")
      if (tests == "-") next
    } else {
      n = split(sources, source, ", *")
      if (n == 0) offence(rule ": no source")
      for (i = 1; i <= n; i++)
        if (!(("source " source[i]) in there))
          offence(rule ": no source " source[i])
    }
    n = split(tests, group, " / ")
    if (n == 0) offence(rule ": no test")
    for (i = 1; i <= n; i++) {
      colon = index(group[i], ": ")
      if (colon == 0) {
        offence(rule ": not \"file: name\": " group[i])
        continue
      }
      where = trim(substr(group[i], 1, colon - 1))
      m = split(substr(group[i], colon + 2), name, "; *")
      for (j = 1; j <= m; j++) {
        what = where == "interop" ? "case " trim(name[j]) \
                                  : "test " where ": " trim(name[j])
        if (!(what in there)) offence(rule ": no " what)
      }
    }
  }

  END {
    for (x in cited)
      if (!(x in headings) && !((x ".1") in headings)) {
        print file ": no section openvpn-wire " x ", which sources cite"
        count++
      }
    if (rows == 0) {
      print file ": no rows"
      count++
    }
    if (count) print count " offences"
    else print "no offence in " rows " rows"
    exit count > 0
  }
' file="$table" "$work/there" "$work/cited" "$table"
