#!/usr/bin/env bash
# Compares the times of this tree with those of another revision, built and run in turns on this machine: `make perf`.
#
#   scripts/perf.sh [BASE]         against BASE, by default where this branch left main, on main the revision before
#   scripts/perf.sh --self-check   20 runs of an unchanged build must pass, and calls that are 15 % slower must fail
#
# ROUNDS (20) says how often both take their turns, MOST_ROUNDS (60) how often where that leaves something unclear,
# RUNS (20) how many runs a self-check has.
# Ends with 0 where nothing regressed, 1 where something did, 2 where the two cannot be compared.
set -euo pipefail
cd "$(dirname "$0")/.."

ROUNDS=${ROUNDS:-20}
MOST_ROUNDS=${MOST_ROUNDS:-60}
RUNS=${RUNS:-20}
target=${CARGO_TARGET_DIR:-target}
perf=$PWD/target/perf
report=testing/performance/out/perf.json

main() {
    scripts/check_tools.sh cargo cc git python3
    case ${1:-} in
    --self-check) self_check ;;
    -*) fail "unknown option $1: see the head of scripts/perf.sh" ;;
    *) compare_with "${1:-${BASE:-}}" ;;
    esac
}

compare_with() { # [revision]
    local base
    base=$(base_revision "$1")
    echo "base $(git log -1 --format='%h %s' "$base")"
    echo "new  $(git log -1 --format='%h %s')$(git diff --quiet HEAD || echo ', with uncommitted changes')"
    build_new
    build_base "$base"
    measure
    compare
}

base_revision() { # [revision]
    local head base=
    head=$(git rev-parse HEAD)
    if [[ -n $1 ]]; then
        git rev-parse --quiet --verify "$1^{commit}" ||
            fail "there is no revision $1 here: fetch it first (git fetch --unshallow)"
        return
    fi
    if [[ $(git symbolic-ref --short -q HEAD) != main ]]; then
        base=$(git merge-base HEAD main 2>/dev/null || git merge-base HEAD origin/main 2>/dev/null || true)
    fi
    if [[ -z $base || $base == "$head" ]]; then
        # Nothing but uncommitted changes, or a revision on main.
        if git diff --quiet HEAD; then base=HEAD~1; else base=HEAD; fi
    fi
    git rev-parse --quiet --verify "$base^{commit}" || fail "there is no revision before this one: name a base"
}

# One package at a time: together they would share the features that either switches on.
build_new() {
    cargo build --quiet --release --locked -p ron-gateway
    cargo build --quiet --release --locked -p ron-time-gate
    mkdir -p "$perf/bin"
    cp "$target/release/ron-gateway" "$perf/bin/ron-gateway"
    cp "$target/release/ron-time-gate" "$perf/bin/new"
}

# The base's core, lock file and profiles under the time gate of this tree: both are measured by the same program.
build_base() { # revision
    local tree=$perf/base log=$perf/build.log
    if [[ -e $tree/.git ]]; then
        git -C "$tree" checkout --quiet --force --detach "$1"
        git -C "$tree" clean --quiet --force -d
    else
        git worktree prune
        git worktree add --quiet --force --detach "$tree" "$1"
    fi
    rm -rf "$tree/testing/time-gate"
    cp -R testing/time-gate "$tree/testing/time-gate"
    if ! grep -q '"testing/time-gate"' "$tree/Cargo.toml"; then
        awk '{print} /^members = \[/ {print "    \"testing/time-gate\","}' <"$tree/Cargo.toml" >"$tree/Cargo.toml.new"
        mv "$tree/Cargo.toml.new" "$tree/Cargo.toml"
    fi
    # Not --locked: the lock file of an older base does not list the time gate.
    (cd "$tree" && CARGO_TARGET_DIR=$perf/build cargo build --quiet --release -p ron-time-gate) 2>"$log" || {
        tail -n 30 "$log" >&2
        fail "not comparable: the time gate of this tree does not build with the core of $1 ($log)"
    }
    cp "$perf/build/release/ron-time-gate" "$perf/bin/base"
}

# Until no figure is beyond its limit without the rounds showing it: a busy machine needs more of them.
measure() { # option...
    local rounds=0
    rm -rf "$perf/rounds" "$report"
    while ((rounds < MOST_ROUNDS)); do
        ((rounds == 0)) || echo "unclear after $rounds rounds: measuring more" >&2
        run_rounds --first $((rounds + 1)) --rounds "$ROUNDS" "$@"
        rounds=$((rounds + ROUNDS))
        compare >/dev/null || true
        grep -qs '"verdict": "unclear"' "$report" || return 0
    done
}

# One gateway serves both. Client and gateway share a core: what the scheduler does then is always the same.
run_rounds() { # option...
    local pin=()
    if command -v taskset >/dev/null; then
        pin=(taskset --cpu-list "$(python3 -c 'import os; print(max(os.sched_getaffinity(0)))')")
    else
        echo 'taskset is missing (apt-get install util-linux): not pinned to a core, times vary more' >&2
    fi
    # So written since Bash before 4.4 takes an empty array for an unset one.
    ${pin[@]+"${pin[@]}"} "$perf/bin/ron-gateway" dev --listen 127.0.0.1:0 -- \
        scripts/interleave.py "$perf/bin/base" "$perf/bin/new" "$perf/rounds" "$@" ||
        fail 'not comparable: a program failed, see above'
}

compare() { # option...
    mkdir -p "$(dirname "$report")"
    scripts/compare_bench.py target/perf/rounds/new target/perf/rounds/base --json "$report" "$@"
}

self_check() {
    local failed=0 run bench
    build_new
    cp "$perf/bin/new" "$perf/bin/base"
    for ((run = 1; run <= RUNS; run++)); do
        measure
        printf 'unchanged, run %2d of %d: ' "$run" "$RUNS"
        verdict 0 || failed=1
    done
    measure --spin 0.15
    compare >/dev/null || true
    while read -r bench; do
        printf '15 %% slower, %s: ' "$bench"
        verdict 1 --only "$bench" || failed=1
    done < <(bench_names)
    return $failed
}

verdict() { # expected-exit-code option...
    local code=0 expected=$1
    shift
    compare "$@" >"$perf/comparison.txt" || code=$?
    tail -n 1 "$perf/comparison.txt"
    [[ $code == "$expected" ]] && return
    cat "$perf/comparison.txt"
    return 1
}

bench_names() {
    python3 -c 'import json, sys; print("\n".join(sorted({row["bench"] for row in json.load(sys.stdin)["rows"]})))' <"$report"
}

fail() { # message
    echo "perf.sh: $1" >&2
    exit 2
}

main "$@"
