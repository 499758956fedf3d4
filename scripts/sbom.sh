#!/usr/bin/env bash
# Writes the parts of what ships and their licences: CycloneDX documents and plain lists.
#   scripts/sbom.sh [FOLDER]     default: dist
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cargo_tool cargo-deny "$CARGO_DENY_VERSION" 0
fetch_crates
exec node scripts/sbom.mjs "${1:-dist}"
