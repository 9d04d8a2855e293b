# Debian packages this project needs, and how to install them. Sourced by
# apps/quickstart.sh and tests/run.sh.

# To build the client.
build_packages="g++ cmake ninja-build pkg-config libcaf-dev libssl-dev
  libnl-route-3-dev libspdlog-dev liblz4-dev liblzo2-dev libsystemd-dev
  libcap-ng-dev nlohmann-json3-dev"

# A network to try it in.
lab_packages="openvpn openssl iproute2 iputils-ping iperf3 python3"

# The tests on top of both.
test_packages="clang-14 libclang-rt-14-dev libbenchmark-dev ccache util-linux
  squid dante-server tshark tcpdump dbus python3-dbus python3-gi"

# install_packages NAME...: installs what is missing, with sudo when not root.
# Asks the package lists only when something is missing.
install_packages() {
  missing=""
  for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$state" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || {
    echo "apt-get is missing; please install:$missing" >&2
    return 1
  }
  as_root=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "neither root nor sudo; please install:$missing" >&2
      return 1
    }
    as_root=sudo
  fi
  echo "Installing$missing"
  # shellcheck disable=SC2086 # lists of words
  $as_root apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends $missing
}
