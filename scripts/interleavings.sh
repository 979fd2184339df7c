#!/usr/bin/env bash
# Tries random orders of what threads do to a completion queue. A failure prints the schedule that leads to it.
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder of its own, since the flag concerns everything that is built.
RUSTFLAGS='--cfg shuttle' cargo test --quiet --locked -p ron-app-sdk --lib \
    --target-dir "${CARGO_TARGET_DIR:-target}/interleavings" completion::ledger
