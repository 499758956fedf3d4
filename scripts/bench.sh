#!/usr/bin/env bash
# Measures promptlens, onnxruntime-web and transformers.js in one run of Chromium, on the same
# generated weights. The JSON goes to benches/results/DATE.json; BENCHMARKS.md explains it.
#   scripts/bench.sh [--rounds 5] [--slow 15] [--only REGEX] [--gpu] [--out FILE]
# Models and tools are made once, below ~/.cache/promptlens/bench (about 3 GB).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BENCH="$PROMPTLENS_HOME/bench"
MODELS=(vit-b-32 vit-b-16)
PYTHON_PACKAGES=(numpy==2.4.6 onnx==1.23.2)
BENCH_ARGUMENTS="$*"
export BENCH_ARGUMENTS

[ -f pkg/promptlens_bg.wasm ] || scripts/build-web.sh --package
program="${PROMPTLENS_BIN:-$CARGO_TARGET_DIR/release/promptlens}"
[ -x "$program" ] || { fetch_crates; cargo build --locked --release --bin promptlens; }
PROMPTLENS_CHROMIUM="$(find_chromium)"
[ -n "$PROMPTLENS_CHROMIUM" ] || die "no Chromium found; run scripts/setup.sh tests"
export PROMPTLENS_CHROMIUM

stamp="benches/node_modules/.lock-sha256"
lock="$(sha256sum <benches/package-lock.json)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$lock" ]; then
  say "installing the npm packages of benches"
  (cd benches && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts)
  echo "$lock" >"$stamp"
fi

mkdir -p "$BENCH/models"
if ! "$BENCH/venv/bin/python" -c 'import numpy, onnx' 2>/dev/null; then
  say "installing ${PYTHON_PACKAGES[*]} into $BENCH/venv"
  python3 -m venv "$BENCH/venv"
  "$BENCH/venv/bin/pip" install --quiet "${PYTHON_PACKAGES[@]}"
fi
"$BENCH/venv/bin/python" benches/models.py "$BENCH/models" www/models/mini/tokenizer.json "${MODELS[@]}"
for model in "${MODELS[@]}"; do
  for quantisation in q8 q4; do
    converted="$BENCH/models/$model-$quantisation"
    [ -f "$converted/self_test.json" ] ||
      "$program" convert --model "$BENCH/models/$model" --quant "$quantisation" --out "$converted"
  done
done

# One site with everything that the pages load; its models stay where they are.
for part in models/mini pages pkg stock onnxruntime-web transformers; do rm -rf "${BENCH:?}/$part"; done
packages=benches/node_modules
cp -r www/models/mini "$BENCH/models/mini"
cp -r benches/pages pkg "$BENCH/"
# The same engine with Burn's own operations in place of the kernels.
fetch_crates
wasm_cargo rustc --locked --profile web --lib --features stock --crate-type cdylib --target "$TARGET" -- -C strip=none
wasm-bindgen --target web --no-typescript --out-dir "$BENCH/stock" --out-name promptlens "$CARGO_TARGET_DIR/$TARGET/web/promptlens.wasm"
sed 's|"../pkg/promptlens.js"|"../stock/promptlens.js"|' benches/pages/promptlens.js >"$BENCH/pages/stock.js"
mkdir -p "$BENCH/onnxruntime-web" "$BENCH/transformers/onnxruntime-web" "$BENCH/transformers/onnxruntime-common"
cp "$packages"/onnxruntime-web/dist/*.{mjs,wasm} "$BENCH/onnxruntime-web/"
nested="$packages/@huggingface/transformers/node_modules"
cp "$packages"/@huggingface/transformers/dist/transformers.web.js "$BENCH/transformers/"
cp "$nested"/onnxruntime-web/dist/*.{mjs,wasm} "$BENCH/transformers/onnxruntime-web/"
cp "$nested"/onnxruntime-common/dist/esm/*.js "$BENCH/transformers/onnxruntime-common/"

# A later --out wins over this one.
node benches/bench.mjs --site "$BENCH" --out "benches/results/$(date +%F).json" "$@"
