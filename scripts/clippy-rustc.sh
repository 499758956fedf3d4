#!/usr/bin/env bash
# Stands between cargo and rustc for this crate's own targets (RUSTC_WORKSPACE_WRAPPER) and lints
# them without generating code, against the dependencies that a real build has compiled.
#
# `cargo clippy` would first check every dependency in metadata mode, because check and build share
# no artifacts: minutes for Burn, for the host and again for wasm32.
#
# CLIPPY_DRIVER is the linter of the compiler in use; CLIPPY_OUT is a folder for the metadata, apart
# from the real artifacts. Cargo finds no output where it expects one, so it lints anew every time.
set -euo pipefail
args=()
while [ $# -gt 0 ]; do
  case "$1" in
    --emit=*) args+=("--emit=metadata") ;;
    --out-dir) args+=("$1" "${CLIPPY_OUT:?}") && shift ;;
    # The library's rlib is never written; its metadata stands in for it.
    promptlens=*.rlib)
      name="${1##*/}"
      args+=("promptlens=$CLIPPY_OUT/${name%.rlib}.rmeta")
      ;;
    *) args+=("$1") ;;
  esac
  shift
done
exec "${CLIPPY_DRIVER:?}" "${args[@]}"
