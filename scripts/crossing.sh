#!/usr/bin/env bash
# Measures what the C interface adds to a call: fails where it is more than it may be.
#
#   scripts/crossing.sh        the crossing alone, over an echo
#   scripts/crossing.sh get    a get of 64 KiB from a gateway, beside Rust's and libcurl's
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check_tools.sh cargo cc
# A folder of its own: this library has functions that the real one must not have.
out=${CARGO_TARGET_DIR:-target}/crossing
cargo build --quiet --release --locked -p ron-gateway
cargo build --quiet --release --locked -p ron-ffi --features internals --target-dir "$out"
ln -sf libron_sdk.so "$out/release/libron_sdk.so.0"

measure() { # bench, library...
    local bench=$1
    shift
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra -Werror -Iinclude "ffi/benches/$bench.c" -o "$out/$bench" \
        -L"$out/release" -lron_sdk "$@" -Wl,-rpath,"$(cd "$out/release" && pwd)"
    "${CARGO_TARGET_DIR:-target}/release/ron-gateway" dev --listen 127.0.0.1:0 -- "$out/$bench"
}

case ${1:-} in
get) measure get -lcurl ;;
*) measure crossing -ldl ;;
esac
