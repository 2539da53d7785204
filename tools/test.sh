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

# build_and_test PRESET CTEST-ARGUMENTS...
build_and_test() {
  preset=$1
  shift
  step "build: $preset"
  log=$root/build/test-$preset.log
  configure_with "$preset" -DLIMEN_WERROR=ON -DLIMEN_BUILD_TESTS=ON -DLIMEN_BUILD_BENCH=ON
  cmake --build --preset "$preset" -j "$(nproc)" >"$log" 2>&1 || {
    tail -n 60 "$log"
    return 1
  }
  step "tests: $preset"
  ctest --preset "$preset" -j "$(nproc)" --progress "$@"
}

mkdir -p build
step "packages"
# shellcheck disable=SC2086  # lists of words
install_packages $build_packages $test_packages

step "format"
find core plugins tests tools -name '*.cpp' -o -name '*.hpp' | sort |
  xargs clang-format --dry-run -Werror

build_and_test release
# What only looks at the tree, or builds limen anew, has nothing to gain from a sanitizer.
build_and_test asan -LE 'house|outside|slow'
if [ -n "$all" ]; then
  build_and_test tsan -L 'base|kernels|runtime|train'
fi

step "all tests passed"
