#!/usr/bin/env bash
# Makes what a release page holds, in release/: the npm package, the site, the command line for x86-64
# Linux, lists of what they contain, the notes of the version, and SHA-256 sums. Nothing is published.
#   scripts/release.sh            builds everything
#   scripts/release.sh --built    takes dist/ and the command line as they are: $PROMPTLENS_BIN or the last build
#   scripts/release.sh --check    installs and tries what lies in release/, from those files alone
# The same commit gives the same archives. The version is that of Cargo.toml.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OUT="$ROOT/release"
PLATFORM=x86_64-linux
VERSION="$(node scripts/version.mjs)"
NAME="promptlens-$VERSION"
# Newest files are as old as the commit.
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# same_time FOLDER gives all that is in it the time of the commit.
same_time() { find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +; }

command_line() {
  local program="$1" folder="$work/$NAME-$PLATFORM"
  mkdir "$folder"
  strip --strip-all -o "$folder/promptlens" "$program"
  cp LICENSE LICENSE-APACHE LICENSE-MIT "$folder/"
  same_time "$folder"
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - "$NAME-$PLATFORM" | gzip -9 -n >"$OUT/$NAME-$PLATFORM.tar.gz"
}

site() {
  cp -r dist "$work/$NAME-site"
  same_time "$work/$NAME-site"
  (cd "$work" && find "$NAME-site" -type f | LC_ALL=C sort | TZ=UTC zip -q -X -9 "$OUT/$NAME-site.zip" -@)
}

make() {
  local program="${PROMPTLENS_BIN:-$CARGO_TARGET_DIR/release/promptlens}"
  if [ "$1" != --built ]; then
    scripts/build-web.sh
    cargo build --locked --release --bin promptlens
    program="$CARGO_TARGET_DIR/release/promptlens"
  fi
  [ -f dist/pkg/promptlens_bg.wasm ] || die "dist/ holds no site; run scripts/build-web.sh"
  [ -x "$program" ] || die "$program is missing; set PROMPTLENS_BIN, or run without --built"
  apt_install "strip" binutils
  apt_install "the site as a zip" zip
  rm -rf "$OUT"
  mkdir "$OUT"
  say "$NAME: npm package"
  (cd pkg && npm pack --silent --pack-destination "$OUT" >/dev/null)
  say "$NAME: site"
  site
  say "$NAME: command line, for glibc $(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2) and later"
  command_line "$program"
  say "$NAME: contents and their licenses"
  scripts/sbom.sh "$OUT"
  node scripts/version.mjs --notes >"$OUT/NOTES.md"
  (cd "$OUT" && LC_ALL=C sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
  say "release/ holds:"
  (cd "$OUT" && wc -c -- * | sed '$d')
}

check() {
  [ -f "$OUT/SHA256SUMS" ] || die "release/ holds no release; run scripts/release.sh"
  apt_install "unpacks the site" unzip
  scripts/setup.sh tests >/dev/null
  local bare="$work/bare"
  mkdir "$bare"
  cp "$OUT"/* "$bare/"
  say "sums"
  (cd "$bare" && sha256sum --check --strict --quiet SHA256SUMS)
  say "npm install"
  mkdir "$bare/app"
  (cd "$bare/app" && npm init --yes >/dev/null && npm install "../$NAME.tgz" --offline --no-audit --no-fund --ignore-scripts --silent)
  say "unpack"
  (cd "$bare" && unzip -q "$NAME-site.zip" && tar xzf "$NAME-$PLATFORM.tar.gz")
  PROMPTLENS_CHROMIUM="$(find_chromium)" node scripts/release-check.mjs "$bare" "$VERSION"
}

case "${1:-}" in
  "" | --built) make "${1:-}" ;;
  --check) check ;;
  *) die "usage: scripts/release.sh [--built | --check]" ;;
esac
