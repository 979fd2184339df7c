#!/usr/bin/env bash
# The metrics in a real Prometheus: promtool reads the alerts and tries them, and Prometheus scrapes a service that uses the
# SDK against a gateway that fails now and then, and answers the dashboard's queries.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool check rules docs/observability/alerts.yaml
promtool test rules testing/observability/alerts_test.yaml

target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --locked -p ron-gateway -p metrics
work=$(mktemp -d)
stop() {
    kill ${pids[@]:+"${pids[@]}"} 2>/dev/null || true
    wait
    rm -rf "$work"
}
pids=()
trap stop EXIT

RON_GATEWAY_FAULT_5XX=0.2 RON_GATEWAY_FAULT_SEED=1 \
    "$target/debug/ron-gateway" dev --listen 127.0.0.1:0 -- "$target/debug/metrics" 127.0.0.1:0 >"$work/service" &
pids+=($!)
for _ in $(seq 100); do
    service=$(sed -n 's|.*http://\([0-9.:]*\)/metrics.*|\1|p' "$work/service")
    [ -z "$service" ] || break
    sleep 0.1
done
python3 scripts/scrape.py "$work" "$service" &
pids+=($!)
wait "${pids[1]}"
