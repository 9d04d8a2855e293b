#!/bin/sh
# Builds and passes every test on a fresh Debian bookworm machine: installs what
# it needs, builds an optimised client and one with sanitizers, and runs unit
# tests, layout tests and tunnels to the real openvpn in one go. The last thing
# it prints is CTest's summary.
#
#   sh tests/run.sh [CTEST OPTION...]      for example  -R protocol  or  -L unit
#
# PRESETS chooses the builds; without it all three: "release asan tsan".
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
. apps/packages.sh

presets=${PRESETS:-release asan tsan}
jobs=$(nproc)

# shellcheck disable=SC2086 # lists of words
install_packages $build_packages $lab_packages $test_packages

# One summary for all builds: a test file that names each of them.
all=$top/build/all
mkdir -p "$all"
: >"$all/CTestTestfile.cmake"
for preset in $presets; do
  echo "== $preset =="
  cmake --preset "$preset" -Wno-dev >"$all/configure-$preset.txt" 2>&1 || {
    cat "$all/configure-$preset.txt"
    exit 1
  }
  cmake --build --preset "$preset" -j "$jobs"
  echo "subdirs(\"$top/build/$preset\")" >>"$all/CTestTestfile.cmake"
done

echo "== tests =="
exec ctest --test-dir "$all" --output-on-failure --no-label-summary \
  --no-tests=error \
  -j "$jobs" "$@"
