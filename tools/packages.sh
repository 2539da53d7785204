# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by quickstart.sh and test.sh: the Debian packages that limen is built with.

build_packages="g++ cmake ninja-build libboost-dev libboost-graph-dev libeigen3-dev libyaml-cpp-dev
  libdnnl-dev libcli11-dev libfmt-dev nlohmann-json3-dev zlib1g-dev nettle-dev"
test_packages="libgtest-dev libgmock-dev libbenchmark-dev clang-format"

# install_packages PACKAGE...: installs those that are missing, as root or through sudo; otherwise
# prints the line to run and exits with 2.
install_packages() {
  missing=
  for package in "$@"; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    case $state in
      *"ok installed") ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  echo "installing:$missing"
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=sudo
  else
    echo "these packages are missing; please run:" >&2
    echo "  sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 2
  fi
  # Only where the package lists are too old to know them is it worth fetching new ones.
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086  # a list of words
  $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
  }
}

# configure_with PRESET ARGUMENTS...: cmake, with ccache if it is there.
configure_with() {
  preset=$1
  shift
  if command -v ccache >/dev/null 2>&1; then
    set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache
  fi
  cmake --preset "$preset" "$@" >"$log" || {
    cat "$log"
    return 1
  }
}

step() {
  printf '\n== %s\n' "$*"
}
