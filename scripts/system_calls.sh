#!/usr/bin/env bash
# Counts the system calls of a get of 64 KiB with strace, for each client: those of 600 calls less those of 100. Fails
# where there are more than there should be. The tests of ron-core's transport/socket.rs count at the socket instead.
set -euo pipefail
cd "$(dirname "$0")/.."

few=100
many=600
# How many of each kind one call may make.
sends=1
receives=2
waits=1
futexes=0

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT

cargo build --quiet --release --locked -p ron-gateway -p ron-counts
target=${CARGO_TARGET_DIR:-target}/release

count() { # client calls: prints the sends, receives, waits and futexes
    "$target/ron-gateway" dev --listen 127.0.0.1:0 -- \
        strace -f -c -U name,calls -o "$summary" "$target/counts-caller" "$1" "$2"
    awk '
        $1 ~ /^(sendto|sendmsg|write|writev)$/ { sends += $2 }
        $1 ~ /^(recvfrom|recvmsg|read|readv)$/ { receives += $2 }
        $1 ~ /^(poll|ppoll|epoll_wait|epoll_pwait|epoll_pwait2|select|pselect6)$/ { waits += $2 }
        $1 == "futex" { futexes += $2 }
        END { printf "%d %d %d %d\n", sends, receives, waits, futexes }
    ' "$summary"
}

status=0
printf '%-10s %8s %10s %8s %9s   of one get of 64 KiB\n' client sends receives waits futexes
for client in blocking async; do
    read -r -a before <<<"$(count "$client" $few)"
    read -r -a after <<<"$(count "$client" $many)"
    awk -v client="$client" -v calls=$((many - few)) \
        -v counts="$((after[0] - before[0])) $((after[1] - before[1])) $((after[2] - before[2])) $((after[3] - before[3]))" \
        -v limits="$sends $receives $waits $futexes" '
        BEGIN {
            split(counts, count)
            split(limits, limit)
            for (kind = 1; kind <= 4; kind++) {
                each[kind] = count[kind] / calls
                # Two calls in a hundred may be disturbed.
                if (each[kind] > limit[kind] + 0.02) wrong = 1
            }
            printf "%-10s %8.2f %10.2f %8.2f %9.2f%s\n", client, each[1], each[2], each[3], each[4], wrong ? "   too many" : ""
            exit wrong
        }' || status=1
done
exit $status
