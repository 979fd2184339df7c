#!/usr/bin/env bash
# Draws where the time of a get and of a put of 64 KiB goes: `make flamegraphs`.
#
# Writes testing/performance/artifacts/{get_64k,put_64k}.svg. Without the second half of the options it is
#   cargo flamegraph -p ron-app-sdk --bench sdk_benches -- --bench '^storage_get/blocking/64KiB/1$' --profile-time 10
# SECONDS_EACH (10) says how long each is watched.
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDS_EACH=${SECONDS_EACH:-10}
artifacts=testing/performance/artifacts
# A clock, since virtual machines often have no counters. It samples a prime number of times a second, so as not to march in
# step with anything, and copies enough of the stack to unwind from the socket to the caller.
record='record -e cpu-clock -F 997 --call-graph dwarf,16384'
# The size of a picture is mostly its narrow frames. In pixels of 1200.
narrowest=0.6
largest=$((300 * 1024))

fail() { # message
    echo "flamegraphs.sh: $1" >&2
    exit 1
}

check_tools() {
    scripts/check_tools.sh cargo cc
    command -v perf >/dev/null ||
        fail 'perf is missing: install it (Debian: apt-get install linux-perf; Ubuntu: linux-tools-generic)'
    cargo flamegraph --version >/dev/null 2>&1 ||
        fail 'cargo-flamegraph is missing: cargo install flamegraph'
    local paranoid
    paranoid=$(cat /proc/sys/kernel/perf_event_paranoid 2>/dev/null || echo 0)
    ((paranoid <= 1 || EUID == 0)) ||
        fail "the kernel lets only root watch it: sysctl kernel.perf_event_paranoid=1 (it is $paranoid)"
}

# The gateway is a copy of the same program: only stacks with a call of the SDK are kept, from that call on. BLAKE3's
# assembly cannot be unwound; in the thread of the caller, whose name is the program's, it is the SDK that hashes. Paths of
# this machine are cut to the names of their files.
own_frames() { # call
    cat <<AWK
/^sdk_benches[^;]*;\\[unknown\\];_?blake3/ {
    sub(/^[^;]*;\\[unknown\\]/, "$1;hashing (from here on, assembly that cannot be unwound)")
    print
    next
}
{
    at = index(\$0, "$1")
    if (!at || /ron_gateway::/) next
    \$0 = substr(\$0, at)
    gsub(/\\/[^; ]*\\//, "")
    print
}
AWK
}

# In a folder of its own: perf leaves what it recorded where it runs.
draw() { # name title bench call
    local svg=$artifacts/$1.svg scratch=$PWD/target/flamegraphs root=$PWD
    rm -rf "$scratch"
    mkdir -p "$scratch"
    own_frames "$4" >"$scratch/own_frames.awk"
    (
        cd "$scratch"
        cargo flamegraph --manifest-path "$root/Cargo.toml" --package ron-app-sdk --bench sdk_benches \
            --cmd "$record" --no-inline --deterministic --min-width "$narrowest" --title "$2" \
            --post-process "awk -f $scratch/own_frames.awk" --output "$root/$svg" \
            -- --bench "$3" --profile-time "$SECONDS_EACH"
    )
    rm -rf "$scratch"
    check "$svg"
}

check() { # svg
    local bytes
    bytes=$(wc -c <"$1")
    ((bytes <= largest)) || fail "$1 has $bytes bytes, more than $largest"
    grep -q 'ron_app_sdk' "$1" || fail "$1 shows no frame of the SDK"
    ! grep -qE '>[^<]*(/home/|/root/|/usr/|/tmp/|\.cargo/)' "$1" || fail "$1 names places of this machine"
    echo "$1: $bytes bytes"
}

check_tools
mkdir -p "$artifacts"
draw get_64k 'storage_get of 64 KiB, one caller, blocking' '^storage_get/blocking/64KiB/1$' \
    ron_app_sdk::blocking::RonAppSdk::storage_get
draw put_64k 'storage_put of 64 KiB, one caller, blocking' '^storage_put/blocking/64KiB/1$' \
    ron_app_sdk::blocking::RonAppSdk::storage_put
