#!/usr/bin/env bash
# Builds what a browser loads.
#   scripts/build-web.sh --package   the npm package: pkg/promptlens.js and pkg/promptlens_bg.wasm
#   scripts/build-web.sh             the package, then the whole site into dist/
# Trunk runs the first form as its pre-build hook, so the second is one `trunk build`.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Upper bound on the engine's transfer size, bytes after gzip -9. A recipe takes some 8,000.
GZIP_LIMIT=4650000

bytes() { wc -c <"$1" | tr -d ' '; }

# wasm_opt IN OUT: minutes of work, so the result is kept under the hash of all that decides it.
wasm_opt() {
  local flags=(-Oz --enable-simd --enable-bulk-memory --enable-sign-ext
    --enable-nontrapping-float-to-int --enable-mutable-globals --enable-reference-types
    --enable-multivalue --strip-debug --strip-producers)
  local key kept
  key="$({ wasm-opt --version; echo "twice ${flags[*]}"; cat scripts/fix-table-export.mjs "$1"; } | sha256sum | cut -d' ' -f1)"
  kept="$PROMPTLENS_HOME/wasm-opt/$key.wasm"
  if [ ! -f "$kept" ]; then
    mkdir -p "${kept%/*}"
    say "$(wasm-opt --version): ${flags[*]}"
    wasm-opt "${flags[@]}" "$1" -o "$kept.part"
    # What the first run leaves can be made smaller still.
    wasm-opt "${flags[@]}" "$kept.part" -o "$kept.part"
    node scripts/fix-table-export.mjs "$kept.part"
    mv "$kept.part" "$kept"
    # Old results are only worth their disk space while branches are switched.
    find "${kept%/*}" -name '*.wasm' -mtime +14 -delete
  fi
  cp "$kept" "$2"
}

package() {
  local built="$CARGO_TARGET_DIR/$TARGET/web/promptlens.wasm" work gzipped
  work="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  say "compiling the engine for $TARGET"
  # The crate type is given here: in Cargo.toml it would make every native build link a cdylib too.
  # Stripping is left to wasm-opt: wasm-bindgen reads the section that names the target's features.
  # One codegen unit: each unit has its own copy of every async body that it polls.
  wasm_cargo rustc --locked --profile web --lib --crate-type cdylib --target "$TARGET" -- -C strip=none -C codegen-units=1
  say "wasm-bindgen"
  wasm-bindgen --target web --no-typescript --remove-name-section --remove-producers-section \
    --out-dir "$work" --out-name promptlens "$built"
  wasm_opt "$work/promptlens_bg.wasm" "$work/optimised.wasm"
  gzipped="$(gzip -9 -n -c "$work/optimised.wasm" | wc -c | tr -d ' ')"
  say "engine: $(bytes "$built") bytes from cargo, $(bytes "$work/optimised.wasm") after wasm-opt, $gzipped after gzip -9 (limit $GZIP_LIMIT)"
  [ "$gzipped" -le "$GZIP_LIMIT" ] || die "the engine is over its size limit"
  # Only a changed file is replaced, so that what watches pkg/ is not woken for nothing.
  cmp -s "$work/optimised.wasm" pkg/promptlens_bg.wasm || cp "$work/optimised.wasm" pkg/promptlens_bg.wasm
  cmp -s "$work/promptlens.js" pkg/promptlens.js || cp "$work/promptlens.js" pkg/promptlens.js
  # Whoever embeds the site's own copy needs the hashes as well.
  node scripts/prepack.mjs
}

case "${1:-}" in
  --package)
    fetch_crates
    package
    ;;
  "")
    scripts/setup.sh web
    fetch_crates
    say "trunk build"
    trunk build --offline
    say "dist/ is $(du -sh dist | cut -f1)"
    ;;
  *) die "usage: scripts/build-web.sh [--package]" ;;
esac
