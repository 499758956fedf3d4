#!/usr/bin/env bash
# Clippy with warnings denied, over what a build of the same kind has compiled.
#   scripts/lint.sh host   library, command line and tests, natively
#   scripts/lint.sh web    library for wasm32
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lint() {
  local rustc=$1 status=0
  shift
  CLIPPY_OUT="$(mktemp -d)"
  CLIPPY_DRIVER="$(dirname "$rustc")/clippy-driver"
  [ -x "$CLIPPY_DRIVER" ] || die "clippy is missing for $rustc; run scripts/setup.sh tests"
  RUSTC_WORKSPACE_WRAPPER="$ROOT/scripts/clippy-rustc.sh"
  CLIPPY_ARGS="-Dwarnings__CLIPPY_HACKERY__"
  export CLIPPY_OUT CLIPPY_DRIVER RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS
  "$@" || status=$?
  rm -rf "$CLIPPY_OUT"
  return $status
}

case "${1:-}" in
  host) lint "$(rustc --print sysroot)/bin/rustc" cargo build --locked --release --all-targets --keep-going ;;
  web) lint "$(wasm_rustc)" wasm_cargo build --locked --profile web --lib --target "$TARGET" ;;
  *) die "usage: scripts/lint.sh host|web" ;;
esac
