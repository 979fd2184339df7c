#!/usr/bin/env bash
# Counts the instructions of receiving a reply of 1 MiB in one-byte reads, against collecting the same reads in
# a buffer and receiving it at once. Fails where the cost is not linear, that is above the given ratios.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --release --locked -p ron-overhead --bin decode_cost

instructions() { # receiver mode
    valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/decode_cost "$1" "$2" 2>&1 |
        awk '/Collected/ {print $NF}'
}

status=0
printf '%-10s %14s %14s %14s %8s %8s\n' receiver whole collected bytewise ratio limit
for row in 'decoder 3.0' 'session 5.0'; do
    read -r receiver limit <<<"$row"
    nothing=$(instructions "$receiver" nothing)
    whole=$(($(instructions "$receiver" whole) - nothing))
    collected=$(($(instructions "$receiver" collected) - nothing))
    bytewise=$(($(instructions "$receiver" bytewise) - nothing))
    ratio=$(awk "BEGIN {printf \"%.2f\", $bytewise / $collected}")
    printf '%-10s %14d %14d %14d %8s %8s\n' "$receiver" "$whole" "$collected" "$bytewise" "$ratio" "$limit"
    awk "BEGIN {exit !($ratio > $limit)}" && status=1
done
exit $status
