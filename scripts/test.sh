#!/usr/bin/env bash
# Sets up what is missing and runs every check; all of them run, then the summary says which failed.
#   scripts/test.sh              everything
#   scripts/test.sh STEP...      only these: format lint native web lint-web browser scripts deny
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ALL=(format lint native web lint-web browser scripts deny)

format() { cargo fmt --check; }
lint() { scripts/lint.sh host; }
native() { cargo test --locked --release; }
web() { scripts/build-web.sh; }
lint-web() { scripts/lint.sh web; }
browser() {
  # The command line is what the page is compared with.
  cargo build --locked --release --bin promptlens
  (cd tests/browser && npm test --silent)
}
scripts() { node --test scripts/*.test.mjs; }

deny() {
  cargo deny --locked --offline check bans licenses sources
  # The advisory database is a git repository that not every machine can reach.
  if CARGO_NET_OFFLINE=false timeout 120 cargo deny --locked fetch db >/dev/null 2>&1; then
    cargo deny --locked --offline check advisories
  else
    say "advisories: NOT CHECKED (database cannot be fetched)"
  fi
  # The package has no npm dependencies; these are the tests' own. Not every registry answers audits.
  local report
  report="$(cd tests/browser && timeout 120 npm audit --json --package-lock-only 2>/dev/null)" || true
  if grep -q '"auditReportVersion"' <<<"$report"; then
    node -e 'const { high, critical } = JSON.parse(process.argv[1]).metadata.vulnerabilities; console.log(`npm audit: ${high} high, ${critical} critical`); process.exit(critical)' "$report"
  else
    say "npm audit: NOT CHECKED (the registry answers no audits)"
  fi
}

steps=("$@")
[ $# -gt 0 ] || steps=("${ALL[@]}")
for step in "${steps[@]}"; do
  [[ " ${ALL[*]} " == *" $step "* ]] || die "no step is called $step; there are: ${ALL[*]}"
done

scripts/setup.sh tests
fetch_crates
PROMPTLENS_CHROMIUM="$(find_chromium)"
PROMPTLENS_FIREFOX="$(find_firefox)"
PROMPTLENS_WEBKIT="$(find_webkit)"
export PROMPTLENS_CHROMIUM PROMPTLENS_FIREFOX PROMPTLENS_WEBKIT

# The counts of cargo's and node's test runners, added up.
count() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^test result: / { passed += $4; failed += $6; skipped += $8 }
    /^(#|ℹ) pass [0-9]+$/ { passed += $3 }
    /^(#|ℹ) fail [0-9]+$/ { failed += $3 }
    /^(#|ℹ) (skipped|todo) [0-9]+$/ { skipped += $3 }
    END { printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, skipped }'
}

output="$(mktemp)"
trap 'rm -f "$output"' EXIT
summary=()
failed=0
for step in "${steps[@]}"; do
  say "$step"
  began=$SECONDS
  # A subshell outside any condition, so that `set -e` holds inside the step.
  set +e
  (set -e; "$step") 2>&1 | tee -a "$output"
  status=${PIPESTATUS[0]}
  set -e
  verdict=ok
  [ "$status" -eq 0 ] || { verdict=FAILED; failed=1; }
  summary+=("$(printf '%-8s %-10s %5d s' "$verdict" "$step" $((SECONDS - began)))")
done

say "summary"
printf '%s\n' "${summary[@]}"
count "$output"
exit $failed
