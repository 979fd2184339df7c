#!/usr/bin/env bash
# What needs rarer tools, or long: `make test-deep`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stages.sh

missing=$(scripts/instructions.py --missing-tool)
if [ -z "$missing" ]; then
    stage 'instructions' scripts/instructions.py
else
    not_run 'instructions' "$missing"
fi
if command -v strace >/dev/null; then
    stage 'system calls' scripts/system_calls.sh
else
    not_run 'system calls' strace
fi
if command -v valgrind >/dev/null; then
    stage 'C under valgrind' scripts/c_tests.sh valgrind
else
    not_run 'C under valgrind' valgrind
fi
if cargo +nightly miri --version >/dev/null 2>&1; then
    stage 'conversions into C under Miri' cargo +nightly miri test --locked -p ron-ffi --lib
else
    not_run 'conversions into C under Miri' Miri
fi
stage 'orders of the completion queue' scripts/interleavings.sh
if command -v clang >/dev/null; then
    stage 'headers with clang' scripts/c_tests.sh headers
else
    not_run 'headers with clang' clang
fi
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    stage 'Prometheus' scripts/prometheus.sh
else
    not_run 'Prometheus' 'prometheus or promtool'
fi
if command -v tor >/dev/null; then
    stage 'a real Tor' cargo test --quiet --locked -p ron-app-sdk --test tor_daemon -- --ignored
else
    not_run 'a real Tor' tor
fi
stage 'a million calls' cargo test --quiet --release --locked -p ron-history --test self_test -- --ignored
stage 'a million calls from Python' scripts/python.sh leaks
stage 'memory of Node' scripts/node.sh memory
stage 'lints of the peers' cargo clippy --quiet --locked -p ron-overhead --features peers --all-targets -- -D warnings
stage 'crossing into C' scripts/crossing.sh
summary
