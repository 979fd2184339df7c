#!/usr/bin/env bash
# What must pass before a change lands: `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stages.sh

docs() {
    RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps --locked
}

release_build() {
    cargo build --quiet --release --locked -p ron-gateway -p ron-ffi -p quickstart -p worker -p ron-overhead -p ron-time-gate \
        -p gwsmoke -p ron-conformance
}

against_gateway() {
    target/release/ron-gateway dev --listen 127.0.0.1:0 -- "$@"
}

# Ratios of medians of the same run. A machine that is busy with something else can spoil one run.
overhead() {
    for attempt in 1 2 3; do
        target/release/ron-overhead --rounds 30 --work get --payload 64,65536 --callers 1 \
            --clients rustls-buffered,sdk-blocking --at-most sdk-blocking=1.3 && return 0
        echo "run $attempt of 3 was above the limit"
    done
    return 1
}

# Each bench once, to show that it works. Without `--bench`, Criterion measures nothing.
benches() {
    local log status=0
    log=$(cargo test --quiet --locked -p ron-app-sdk --benches 2>&1) || status=$?
    if ((status)); then
        printf '%s\n' "$log"
    else
        printf '%s benches ran once\n' "$(grep -c '^Success' <<<"$log")"
    fi
    return $status
}

script_tests() {
    python3 -m unittest discover --quiet --start-directory scripts/tests --top-level-directory scripts
}

script_lints() {
    scripts/python.sh scripts
}

# That each of its works runs. How long they take is for `make perf`.
time_gate() {
    against_gateway scripts/interleave.py target/release/ron-time-gate target/release/ron-time-gate target/perf/try --rounds 1
}

demo() {
    make --no-print-directory demo
}

python_package() {
    scripts/python.sh test
}

smoke() {
    make --no-print-directory smoke
}

stage 'format' cargo fmt --all --check
stage 'lints' cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
stage 'rust version' python3 scripts/check_rust_version.py
stage 'tests' cargo test --workspace --locked --no-fail-fast
stage 'benches' benches
stage 'script tests' script_tests
stage 'script lints' script_lints
stage 'documentation' docs
missing=$(scripts/public_api.sh --missing)
if [ -z "$missing" ]; then
    stage 'public interface' scripts/public_api.sh
else
    not_run 'public interface' "$missing"
fi
stage 'release build' release_build
stage 'C' scripts/c_tests.sh
stage 'C, installed' scripts/c_install_tests.sh
stage 'demo' demo
stage 'smoke' smoke
stage 'worker' against_gateway target/release/worker
stage 'python' python_package
stage 'node' scripts/node.sh
stage 'conformance' scripts/conformance.sh
stage 'independent client' against_gateway python3 testing/independent-client/oap_client.py
stage 'overhead' overhead
stage 'time gate' time_gate
missing=$(scripts/instructions.py --missing)
if [ -z "$missing" ]; then
    stage 'instructions' scripts/instructions.py
else
    not_run 'instructions' "$missing"
fi
summary
