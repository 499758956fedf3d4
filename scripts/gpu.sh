#!/usr/bin/env bash
# Measures the kernels on a machine with a GPU, where time is short and nothing can be built or fetched.
#   scripts/gpu.sh pack FOLDER           here: the stripped command line, the Vulkan loader, this script
#   FOLDER/gpu.sh measure OUT [--small]  there: checks and times, as JSON files in OUT; ten minutes at most
# With --small, sizes are such that a software adapter gets through in minutes: it shows that the script
# works, and its figures mean nothing.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

pack() {
  . "$here/lib.sh"
  local folder
  mkdir -p "$1"
  folder="$(cd "$1" && pwd)"
  cd "$ROOT"
  cargo build --locked --release --bin promptlens
  # As it is it would not fit through the 64 MiB that such machines take.
  strip -o "$folder/promptlens" "$CARGO_TARGET_DIR/release/promptlens"
  gzip -9 -n -f "$folder/promptlens"
  cp scripts/gpu.sh "$folder/"
  # The driver brings its own library; the loader that finds it is often missing.
  local loader
  loader="$(ldconfig -p | sed -n 's/.*libvulkan\.so\.1 .* => //p' | head -1)"
  [ -n "$loader" ] || die "no libvulkan.so.1 here: apt-get install libvulkan1"
  cp -L "$loader" "$folder/libvulkan.so.1"
  say "$folder: $(du -sh "$folder" | cut -f1)"
}

measure() {
  local out=$1 small=${2:-} peak=() program
  mkdir -p "$out"
  program="$(mktemp)"
  # shellcheck disable=SC2064
  trap "rm -f '$program'" EXIT
  gunzip -c "$here/promptlens.gz" >"$program"
  chmod +x "$program"
  # A loader that is installed knows its machine better than the one that was carried.
  ldconfig -p | grep -q 'libvulkan\.so\.1' || export LD_LIBRARY_PATH="$here${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  local nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
  [ ! -f "$nvidia" ] || export VK_DRIVER_FILES="$nvidia"
  if command -v nvidia-smi >/dev/null 2>&1; then
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv >"$out/gpu.csv"
    # Multiply-adds: two operations for each of 128 lanes of every core and cycle.
    local name cores megahertz
    name="$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)"
    megahertz="$(nvidia-smi --query-gpu=clocks.max.sm --format=csv,noheader,nounits | head -1)"
    case "$name" in
      *H200* | *H100*) cores=132 ;;
      *A100*) cores=54 ;; # 108 cores of 64 lanes
      *) cores="" ;;
    esac
    [ -z "$cores" ] || peak=(--peak "$(awk -v c="$cores" -v m="$megahertz" 'BEGIN { print c * 256 * m / 1e6 }')")
  fi
  local ends=$((SECONDS + 570)) shapes=(vit-b-32 vit-b-16) batches=(1 16 64 256) texts=(100 1000) tuned=100 repeats=5
  [ "$small" != --small ] || { shapes=(vit-b-32) batches=(1 2) texts=(4) tuned=4 repeats=1; }
  step() {
    local name=$1 left=$((ends - SECONDS))
    shift
    [ "$left" -gt 5 ] || { echo "no time left for $name"; return 0; }
    echo "==> $name ($left s left)"
    timeout "$left" "$program" "$@" --json >"$out/$name.json" || echo "$name ended with $?"
  }
  local kernels=()
  [ "$small" != --small ] || kernels=(--kernel layer_norm)
  step check check --device webgpu "${kernels[@]}"
  local shape quant counts=()
  for count in "${batches[@]}"; do counts+=(--batch "$count"); done
  for count in "${texts[@]}"; do counts+=(--texts "$count"); done
  for shape in "${shapes[@]}"; do
    for quant in none q8 q4; do
      step "$shape-$quant" bench shape --device webgpu --shape "$shape" --quant "$quant" "${counts[@]}" --tuned "$tuned" --repeats "$repeats" "${peak[@]}"
    done
  done
  echo "done after $SECONDS s"
}

case "${1:-}" in
  pack) pack "${2:?usage: scripts/gpu.sh pack FOLDER}" ;;
  measure) shift; measure "${1:?usage: gpu.sh measure OUT [--small]}" "${2:-}" ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
