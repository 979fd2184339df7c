# `make` lists what there is. `make demo` and `make test` are the two that matter.
FILE ?= README.md
# A seed with which the round below has a retry, a timeout and a replay to show.
FAULTS = RON_GATEWAY_FAULT_5XX=0.2 RON_GATEWAY_FAULT_TIMEOUT=0.02 RON_GATEWAY_FAULT_SEED=32
GATEWAY = target/release/ron-gateway dev --listen 127.0.0.1:0 --

PREFIX ?= /usr/local

.PHONY: help demo install test test-deep smoke overhead perf baselines flamegraphs lint tools tools-test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: tools-demo ## Start a gateway, put a file (FILE=path) through it and back, then again with faults
	@cargo build --quiet --release --locked -p ron-gateway -p quickstart
	@$(GATEWAY) target/release/quickstart "$(FILE)"
	@printf '\nThe same with 20 %% of answers 5xx and 2 %% missing:\n\n'
	@$(FAULTS) $(GATEWAY) target/release/quickstart "$(FILE)"
	@scripts/python.sh install target/python/demo
	@printf '\nThe same from Python, with an installed wheel:\n\n'
	@$(GATEWAY) target/python/demo/bin/python examples/python/quickstart.py "$(FILE)"
	@printf '\nThe same from C:\n\n'
	@cargo build --quiet --release --locked -p ron-ffi
	@scripts/install.sh "$(CURDIR)/target/demo" >/dev/null
	@cc examples/c/quickstart.c $$(PKG_CONFIG_PATH=target/demo/lib/pkgconfig pkg-config --cflags --libs ron_sdk) -o target/demo/quickstart
	@LD_LIBRARY_PATH=target/demo/lib $(GATEWAY) target/demo/quickstart "$(FILE)"
	@printf '\nThe same from Node, with the packed package in a clean folder:\n\n'
	@scripts/node.sh demo "$(FILE)"

install: tools ## Install the C library, its headers, pkg-config and CMake files: PREFIX=/usr/local, DESTDIR=
	@cargo build --quiet --release --locked -p ron-ffi
	@DESTDIR="$(DESTDIR)" scripts/install.sh "$(PREFIX)"

test: tools-test ## Run everything that must pass, with the time of each stage
	@scripts/test.sh

test-deep: tools-test ## Run what needs rarer tools
	@scripts/test_deep.sh

smoke: tools ## Check GET, HEAD, RANGE and more at a gateway of its own, then load it for 5 s
	@cargo build --quiet --release --locked -p ron-gateway -p gwsmoke
	@$(GATEWAY) target/release/gwsmoke
	@$(GATEWAY) target/release/gwsmoke load --duration 5s --max-failed 0

overhead: tools ## Compare the SDK with its peers: figures in testing/performance/out
	@cargo build --quiet --release --locked -p ron-overhead --features peers
	@target/release/ron-overhead --json testing/performance/out/overhead.json
	@target/release/ron-overhead fairness
	@target/release/ron-overhead cold-start
	@target/release/ron-overhead memory

perf: ## Compare the times of this tree with those of another revision (BASE=rev)
	@scripts/perf.sh

baselines: ## Record the times of this machine as baselines: it should do nothing else meanwhile
	@scripts/baselines.sh

flamegraphs: ## Draw where the time of a 64 KiB get and put goes: testing/performance/artifacts
	@scripts/flamegraphs.sh

lint: tools ## Check format and lints
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings

tools:
	@scripts/check_tools.sh cargo cc

tools-demo:
	@scripts/check_tools.sh cargo cc pkg-config python3 node

tools-test:
	@scripts/check_tools.sh cargo cc c++ pkg-config cmake python3 node
