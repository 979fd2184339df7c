#!/usr/bin/env bash
# What needs rarer tools, or long: `make test-deep`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stages.sh

if command -v valgrind >/dev/null; then
    stage 'instructions of decoding' scripts/decode_cost.sh
else
    not_run 'instructions of decoding' valgrind
fi
summary
