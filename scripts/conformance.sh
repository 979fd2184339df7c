#!/usr/bin/env bash
# Holds every language against the scenarios of testing/conformance. Arguments are the runner's: --only NAME.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check_tools.sh cargo cc c++
target=${CARGO_TARGET_DIR:-target}
out=$target/conformance
mkdir -p "$out"
cargo build --quiet --release --locked -p ron-conformance -p ron-ffi
runner=$target/release/ron-conformance
agents=(--agent "$runner agent async" --agent "$runner agent blocking")

# The static library: there is nothing to be found at run time.
cc -std=c11 -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude ffi/conformance/agent.c -o "$out/agent-c" \
    "$target/release/libron_sdk.a" -lpthread -ldl -lm
agents+=(--agent "$out/agent-c blocking" --agent "$out/agent-c async")
c++ -std=c++17 -O1 -Wall -Wextra -Werror -Iinclude ffi/conformance/agent.cpp -o "$out/agent-cpp" \
    "$target/release/libron_sdk.a" -lpthread -ldl -lm
agents+=(--agent "$out/agent-cpp blocking" --agent "$out/agent-cpp async")

# What `scripts/python.sh test` and `scripts/node.sh` have installed and built.
python="$target/python/test/bin/python"
[ -x "$python" ] || scripts/python.sh install "$target/python/test"
agents+=(--agent "$python bindings/python/tests/conformance_agent.py blocking")
agents+=(--agent "$python bindings/python/tests/conformance_agent.py async")
node=bindings/node/build/test/conformance.mjs
[ -e "$node" ] || { scripts/node.sh pack && npm --prefix bindings/node run --silent build:test; }
agents+=(--agent "node $node")

"$runner" run "${agents[@]}" "$@"
