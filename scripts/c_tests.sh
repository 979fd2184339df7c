#!/usr/bin/env bash
# The C interface, from C and C++: its headers by themselves, its symbols, and every operation, error and misuse against a gateway,
# under AddressSanitizer and UndefinedBehaviorSanitizer. With `valgrind` as its argument: under valgrind instead; with
# `headers`: the headers alone.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
[ "${1:-}" = headers ] || cargo build --quiet --locked -p ron-ffi -p ron-gateway
library=$target/debug
out=$target/c-tests
mkdir -p "$out"
warnings=(-Wall -Wextra -Wpedantic -Werror)

# Runs a command against a gateway of its own.
against() {
    "$library/ron-gateway" dev --listen 127.0.0.1:0 -- "$@"
}

header_alone() {
    local compiler standard
    for compiler in gcc clang; do
        if ! command -v $compiler >/dev/null; then
            echo "header: $compiler is not installed, and was not asked"
            continue
        fi
        for standard in c99 c11 c17 c2x; do
            $compiler -std=$standard "${warnings[@]}" -fsyntax-only -x c include/ron_sdk.h
        done
        for standard in c++17 c++20; do
            $compiler -std=$standard "${warnings[@]}" -fsyntax-only -x c++ include/ron_sdk.h
            # Included, since a header that is the program itself has unused functions.
            echo '#include <ron_sdk.hpp>' | $compiler -std=$standard "${warnings[@]}" -I include -fsyntax-only -x c++ -
        done
        echo "header: C99, C11, C17, C23, C++17, C++20 with $compiler"
    done
}

symbols() {
    nm -D --defined-only "$library/libron_sdk.so" | awk '{print $3}' | LC_ALL=C sort | diff ffi/symbols.txt - ||
        { echo 'the exported symbols are not those of ffi/symbols.txt' >&2; return 1; }
    readelf -d "$library/libron_sdk.so" | grep 'soname: \[libron_sdk.so.0\]' >/dev/null ||
        { echo 'the soname is not libron_sdk.so.0' >&2; return 1; }
    echo "symbols: $(wc -l <ffi/symbols.txt), all of them ron_*"
}

# The program with these further flags.
build() {
    local program=$1
    shift
    ln -sf "$(realpath "$library/libron_sdk.so")" "$out/libron_sdk.so.0"
    ln -sf libron_sdk.so.0 "$out/libron_sdk.so"
    cc -std=c11 -D_GNU_SOURCE "${warnings[@]}" -g "$@" -I include ffi/tests/c/*.c -o "$program" \
        -L "$out" -Wl,-rpath,"$(realpath "$out")" -lron_sdk -lpthread
}

build_cpp() {
    c++ -std="$1" "${warnings[@]}" -g "${sanitizers[@]}" -I include ffi/tests/cpp/tests.cpp -o "$out/tests-$1" \
        -L "$out" -Wl,-rpath,"$(realpath "$out")" -lron_sdk -lpthread
}

# A kind of error, and the rule with which a gateway brings it about.
fault() {
    local rules=''
    [ -z "$2" ] || rules="[$2]"
    RON_GATEWAY_FAULT_RULES=${rules:-[]} against "${run[@]}" "$program" errors "$1"
}

get_with() {
    fault "$1" "{\"fault\":$2,\"operation\":\"storage.get\"}"
}

all_tests() {
    against "${run[@]}" "$program"
    get_with server '{"error_before":{}}'
    get_with schema_violation '"unknown_field"'
    get_with integrity_mismatch '"corrupt_body"'
    get_with unknown '{"status":{"code":302}}'
    get_with cancelled '{"cancel_all":{}}'
    get_with oap_violation '{"bad_version":{}}'
    get_with transport '"reset"'
    get_with capability_expired '"capability_expired"'
    get_with stalled '"stalled_frame"'
    get_with deadline_exceeded '"black_hole"'
    get_with rate_limited '{"rate_limited":{"retry_after_ms":1234}}'
    fault executed_unknown '{"fault":{"error_after":{}},"operation":"storage.put"}'
    fault retried '{"fault":{"error_after":{}},"operation":"storage.put","attempt":1}'
    fault tls ''
    fault tor_unavailable ''
    fault busy ''
}

if [ "${1:-}" = valgrind ]; then
    program=$out/tests
    build "$program"
    # Leaks are AddressSanitizer's to find: valgrind counts what the standard library keeps for the main thread.
    # What ring's assembly writes, it does not see as written.
    run=(valgrind --quiet --error-exitcode=99 --leak-check=no --undef-value-errors=no)
    against "${run[@]}" "$program" operations
    against "${run[@]}" "$program" asynchronous
    exit
fi

header_alone
[ "${1:-}" != headers ] || exit 0
symbols
program=$out/tests-sanitized
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
build "$program" "${sanitizers[@]}"
# A build without the sanitizers would pass too: it is to be one with them.
for mark in __asan_init __ubsan_handle; do
    nm -D "$program" | grep "$mark" >/dev/null || { echo "the tests were built without $mark" >&2; exit 1; }
done
run=()
export UBSAN_OPTIONS=print_stacktrace=1
all_tests
for standard in c++17 c++20; do
    build_cpp $standard
    against "$out/tests-$standard"
done
