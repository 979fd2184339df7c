#!/usr/bin/env bash
# Measures what the C interface adds to a call: fails where it is more than it may be.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check_tools.sh cargo cc
# A folder of its own: this library has functions that the real one must not have.
out=${CARGO_TARGET_DIR:-target}/crossing
cargo build --quiet --release --locked -p ron-ffi --features echo --target-dir "$out"
ln -sf libron_sdk.so "$out/release/libron_sdk.so.0"
cc -std=c11 -O2 -Wall -Wextra -Werror -Iinclude ffi/benches/crossing.c -o "$out/crossing" \
    -L"$out/release" -lron_sdk -ldl -Wl,-rpath,"$(cd "$out/release" && pwd)"
# The token of a gateway, which is not called.
"${CARGO_TARGET_DIR:-target}/release/ron-gateway" dev --listen 127.0.0.1:0 -- "$out/crossing"
