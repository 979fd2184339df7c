#!/usr/bin/env bash
# The Node binding, as `make test` proves it:
#
#   scripts/node.sh               builds and packs it, then lints, tests, and uses it from a clean folder
#   scripts/node.sh pack          builds and packs it only
#   scripts/node.sh memory        makes a million calls and compares the memory before and after
#   scripts/node.sh demo FILE     runs the quickstart from the packed packages in a clean folder, against a gateway
#   scripts/node.sh bench         measures the crossing, and a call beside other clients (BENCH_MS for each row)
#
# PROFILE (release) is cargo's profile.
set -euo pipefail
cd "$(dirname "$0")/.."

PROFILE=${PROFILE:-release}
binding=bindings/node
echo_library=$PWD/target/ron-node.echo.node
target=${CARGO_TARGET_DIR:-$PWD/target}/${PROFILE/#dev/debug}

main() {
    scripts/check_tools.sh cargo cc node
    case ${1:-all} in
    all)
        pack
        npm --prefix $binding run --silent lint
        npm --prefix $binding run --silent build:test
        RON_GATEWAY_BIN=$target/ron-gateway npm --prefix $binding test --silent
        npm --prefix $binding run --silent check:package
        node $binding/scripts/clean_install.mjs all
        ;;
    memory)
        echo_and_pack
        npm --prefix $binding run --silent build:test
        NAPI_RS_NATIVE_LIBRARY_PATH=$echo_library node --expose-gc --test-reporter=spec $binding/build/test/memory.mjs
        ;;
    pack) pack ;;
    demo)
        pack
        "$target/ron-gateway" dev --listen 127.0.0.1:0 -- node $binding/scripts/clean_install.mjs demo "$2"
        ;;
    bench)
        echo_and_pack
        NAPI_RS_NATIVE_LIBRARY_PATH=$echo_library node $binding/benches/crossing.mjs
        node $binding/benches/end_to_end.mjs
        ;;
    *)
        echo "node.sh: unknown task $1: see the head of scripts/node.sh" >&2
        exit 2
        ;;
    esac
}

# The native part with an echo in the place of every connection, beside the real one.
echo_and_pack() {
    cargo build --quiet --locked --profile "$PROFILE" -p ron-node --features echo
    mkdir -p target
    cp "$(library)" "$echo_library"
    pack
    export RON_GATEWAY_BIN=$target/ron-gateway
}

pack() {
    cargo build --quiet --locked --profile "$PROFILE" -p ron-gateway
    cargo build --quiet --locked --profile "$PROFILE" -p ron-node
    npm --prefix $binding ci --no-audit --no-fund --silent
    rm -rf $binding/dist $binding/build
    npm --prefix $binding run --silent build
    cp "$(library)" "$binding/$(node -p "const { PLATFORMS, platformName } = require('./$binding/dist/platforms.js'); PLATFORMS[platformName()]")"
    node $binding/scripts/pack.mjs --gateway "$target/ron-gateway" >/dev/null
}

library() {
    case $(uname -s) in
    Darwin) echo "$target/libron_node.dylib" ;;
    *) echo "$target/libron_node.so" ;;
    esac
}

main "$@"
