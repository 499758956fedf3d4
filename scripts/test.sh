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
browser() { (cd tests/browser && npm test --silent); }
scripts() { node --test scripts/serve.test.mjs; }

deny() {
  cargo deny --locked --offline check bans licenses sources
  # The advisory database is a git repository that not every machine can reach.
  if CARGO_NET_OFFLINE=false timeout 120 cargo deny --locked fetch db >/dev/null 2>&1; then
    cargo deny --locked --offline check advisories
  else
    say "advisories: NOT CHECKED (database cannot be fetched)"
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
export PROMPTLENS_CHROMIUM

summary=()
failed=0
for step in "${steps[@]}"; do
  say "$step"
  began=$SECONDS
  # A subshell outside any condition, so that `set -e` holds inside the step.
  set +e
  (set -e; "$step")
  status=$?
  set -e
  verdict=ok
  [ $status -eq 0 ] || { verdict=FAILED; failed=1; }
  summary+=("$(printf '%-8s %-10s %5d s' "$verdict" "$step" $((SECONDS - began)))")
done

say "summary"
printf '%s\n' "${summary[@]}"
exit $failed
