#!/bin/sh
# Everything that must hold: the format of the sources, all tests of a release build, and the tests
# of an AddressSanitizer build. With --all also those of a ThreadSanitizer build.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/packages.sh"
cd "$root"

all=
for argument in "$@"; do
  case $argument in
    --all) all=yes ;;
    *)
      echo "usage: tools/test.sh [--all]" >&2
      exit 2
      ;;
  esac
done

if [ -z "${LIMEN_DATA:-}" ] && [ -d "$root/../shared/data" ]; then
  LIMEN_DATA=$(CDPATH='' cd -- "$root/../shared/data" && pwd)
  export LIMEN_DATA
fi

# build_and_test PRESET [FOLDERS]: the tests of all folders of tests/, or of those named.
build_and_test() {
  preset=$1
  targets=all
  labels=.
  if [ $# -gt 1 ]; then
    targets=$(printf 'test_%s ' $2)
    labels="^($(echo "$2" | tr ' ' '|'))\$"
  fi
  step "build: $preset"
  log=$root/build/test-$preset.log
  configure_with "$preset" -DLIMEN_WERROR=ON -DLIMEN_BUILD_TESTS=ON -DLIMEN_BUILD_BENCH=ON
  # shellcheck disable=SC2086  # a list of words
  cmake --build --preset "$preset" -j "$(nproc)" --target $targets >"$log" 2>&1 || {
    tail -n 60 "$log"
    return 1
  }
  step "tests: $preset"
  # Graphs of 100,000 nodes and thousands of mutants take minutes without optimisation; the release
  # build runs them.
  exclude='LargeGraph|Selftest'
  if [ "$preset" = release ]; then exclude='^$'; fi
  ctest --preset "$preset" -j "$(nproc)" -L "$labels" -E "$exclude"
}

mkdir -p build
step "packages"
# shellcheck disable=SC2086  # lists of words
install_packages $build_packages $test_packages

step "format"
find core plugins tests tools -name '*.cpp' -o -name '*.hpp' | sort |
  xargs clang-format --dry-run -Werror

build_and_test release
# What reads files and plugins, and what handles memory. The command itself and the house rules have
# nothing to gain from a sanitizer.
build_and_test asan "base tensor io kernels graph ops autodiff passes runtime plugin model train check"
if [ -n "$all" ]; then
  build_and_test tsan "base kernels runtime train"
fi

step "all tests passed"
