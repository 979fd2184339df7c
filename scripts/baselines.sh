#!/usr/bin/env bash
# Records the baselines of times on this machine, which should have nothing else to do: `make baselines`.
#
# Writes testing/performance/baselines/bench.txt and testing/performance/baselines/ron-app-sdk/*.json.
set -euo pipefail
cd "$(dirname "$0")/.."

baselines=testing/performance/baselines
overhead=testing/performance/out/overhead.json
measured=$PWD/target/baselines
target=${CARGO_TARGET_DIR:-target}

bench_names() {
    cargo metadata --format-version 1 --no-deps --locked | python3 -c '
import json, sys
package = next(package for package in json.load(sys.stdin)["packages"] if package["name"] == "ron-app-sdk")
print("\n".join(sorted(target["name"] for target in package["targets"] if target["kind"] == ["bench"])))'
}

scripts/check_tools.sh cargo cc git python3
rm -rf "$measured"
mkdir -p "$measured" "$baselines"

folders=()
for bench in $(bench_names); do
    echo "measuring $bench"
    CRITERION_HOME=$measured/$bench cargo bench --quiet --locked -p ron-app-sdk --bench "$bench" -- \
        --output-format bencher | tee -a "$measured/bench.txt"
    folders+=(--criterion "$measured/$bench")
done
echo 'measuring overhead'
cargo build --quiet --release --locked -p ron-overhead --features peers
"$target/release/ron-overhead" --json "$overhead"

scripts/record_baselines.py "$baselines" "${folders[@]}" --overhead "$overhead"
grep '^test ' "$measured/bench.txt" >"$baselines/bench.txt"
