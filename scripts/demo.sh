#!/usr/bin/env bash
# Sets up what is missing, builds the site, and serves the demo.
#   scripts/demo.sh [--port N] [--base /sub/path/]   (default http://127.0.0.1:8080/)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/build-web.sh
exec node scripts/serve.mjs --root dist "$@"
