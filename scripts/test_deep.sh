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
stage 'a million calls' cargo test --quiet --release --locked -p ron-history --test self_test -- --ignored
stage 'lints of the peers' cargo clippy --quiet --locked -p ron-overhead --features peers --all-targets -- -D warnings
summary
