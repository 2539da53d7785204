#!/bin/sh
# From a clone to a trained network: installs what is missing, builds limen, trains a model on
# drawn digits (no files needed), runs it on one digit and checks gradients.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/packages.sh"
cd "$root"

step "packages"
# shellcheck disable=SC2086  # a list of words
install_packages $build_packages

step "build (a few minutes the first time)"
mkdir -p build
log=$root/build/quickstart.log
build=$root/build/release
configure_with release -DLIMEN_BUILD_TESTS=OFF -DLIMEN_BUILD_BENCH=OFF
cmake --build "$build" -j "$(nproc)" >"$log" 2>&1 || {
  cat "$log"
  exit 1
}
limen=$build/bin/limen
"$limen" version

step "train: limen train models/digits.yaml"
run=$(mktemp -d "${TMPDIR:-/tmp}/limen-quickstart.XXXXXX")
trap 'rm -rf "$run"' EXIT
"$limen" train models/digits.yaml --out "$run/digits"

step "how good: limen eval RUN"
"$limen" eval "$run/digits" --require "accuracy>=0.9"

step "one digit: limen run RUN --input test[0] --top 3"
"$limen" run "$run/digits" --input "test[0]" --top 3

step "is the gradient right: limen gradcheck"
"$limen" gradcheck op:relu
"$limen" gradcheck models/digits.yaml

step "done"
echo "limen is at $limen; try: $limen help, $limen train models/moons.yaml"
