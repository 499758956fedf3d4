#!/usr/bin/env bash
# Fuzzes the readers of files from outside, each for so many seconds, and says what was found.
#   scripts/fuzz.sh                    every target, 600 seconds each
#   scripts/fuzz.sh TARGET [SECONDS]   one of those in fuzz/fuzz_targets
#
# Stable Rust can: libFuzzer needs only the counters that LLVM puts into every branch, and rustc passes on
# the flags for them. What needs a nightly compiler is a sanitizer, so there is none (`-s none`); without
# `unsafe` it would find little, and panics, overflows, hangs and memory are seen all the same: debug
# assertions are on, and an allocator holds a target to 512 MB. fuzz/ is a workspace of its own and builds
# promptlens without Burn. Inputs that reach something new are kept in ~/.cache/promptlens/fuzz, beside
# the build. A finding is written there too; copy it to fuzz/findings/TARGET once it is mended:
#   cargo fuzz tmin -s none TARGET FINDING     makes it smaller first
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)
if [ $# -gt 0 ]; then
  [[ " ${targets[*]} " == *" $1 "* ]] || die "no target is called $1; there are: ${targets[*]}"
  targets=("$1")
fi
seconds="${2:-600}"

have c++ || apt_install "compiler of libFuzzer" g++
cargo_tool cargo-fuzz "$CARGO_FUZZ_VERSION" 0
export CARGO_TARGET_DIR="$PROMPTLENS_HOME/fuzz-target"

# Folders that hold files of this kind beside the seeds.
more_seeds() {
  case "$1" in
    image) echo tests/image/files ;;
    prompt) echo tests/prompt_learning/files ;;
  esac
}

failed=0
for target in "${targets[@]}"; do
  corpus="$PROMPTLENS_HOME/fuzz/corpus/$target"
  findings="$PROMPTLENS_HOME/fuzz/findings/$target"
  mkdir -p "$corpus" "$findings" "fuzz/findings/$target"
  say "$target, $seconds seconds"
  # The first folder takes what is new. A unit of more than 20 seconds counts as a hang.
  # shellcheck disable=SC2046
  cargo fuzz run -s none "$target" "$corpus" "fuzz/seeds/$target" "fuzz/findings/$target" \
    $(more_seeds "$target") -- "-artifact_prefix=$findings/" "-max_total_time=$seconds" -timeout=20 \
    -rss_limit_mb=1024 -max_len=65536 -use_value_profile=1 -print_final_stats=1 || failed=1
  rmdir "fuzz/findings/$target" 2>/dev/null || true
done
[ $failed -eq 0 ] || say "findings are in $PROMPTLENS_HOME/fuzz/findings"
exit $failed
