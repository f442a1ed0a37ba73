# make            build onggi and runtimetest, static, for release
# make demo       build, then run a container from a bundle made on the spot
# make test       all tests that this host allows; says at the end what it left out
# make test-hosts those that depend on the kind of host, once on each kind (root; builds a host)
# make test-hosts-full  limits by all controllers of cgroup v2, on an emulated machine (root; many minutes)
# make test-engines  Docker, Podman, containerd and others with onggi as their runtime (root)
# make cross      a static build for another architecture (CROSS=TRIPLE)
# make help       the other targets

MAKEFLAGS += --no-print-directory
export PATH := $(PATH):$(HOME)/.cargo/bin
export CARGO_TARGET_DIR ?= $(CURDIR)/target

TARGET := $(shell uname -m)-unknown-linux-musl
BIN := $(CARGO_TARGET_DIR)/$(TARGET)/release
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 900
SHARE = $(DESTDIR)$(PREFIX)/share
ROUNDS ?= 20
CASES ?= 100000
VIEW ?= v2

# What `--version` says; empty outside of a git checkout.
export ONGGI_COMMIT := $(or $(ONGGI_COMMIT),$(shell git describe --always --dirty --long 2> /dev/null))
export ONGGI_TARGET := $(TARGET)
export ONGGI_BIN := $(BIN)

.DEFAULT_GOAL := build
.PHONY: build demo test test-hosts test-hosts-full test-engines conformance runc-tests fuzz bench cross lint fmt pages clean install uninstall help tools

tools:
	@scripts/bootstrap build

build: tools
	cargo build --release --target $(TARGET) -p onggi -p runtimetest

demo: build
	@scripts/demo

test:
	@scripts/test

test-hosts:
	@scripts/test hosts

test-hosts-full:
	@scripts/test hosts-full

# ENGINES="docker podman", HOSTS="native systemd": only these. RUNTIME=BINARY: another one than onggi.
test-engines:
	@scripts/test engines

# RUNTIME=BINARY runs the suite with another runtime, for comparison only.
conformance: $(if $(RUNTIME),,build)
	@integration_tests/suites/runtime-tools/run $(if $(RUNTIME),--compare "$(RUNTIME)",$(BIN)/onggi)

# runc's own tests, from a checkout of its repository: RUNC_SRC=DIR [FILES="exec.bats kill.bats"] [RUNTIME=BINARY].
runc-tests: $(if $(RUNTIME),,build)
	@test -n "$(RUNC_SRC)" || { echo "RUNC_SRC=DIR must name a checkout of opencontainers/runc" >&2; exit 2; }
	@integration_tests/suites/runc/run $(if $(RUNTIME),--compare "$(RUNTIME)",$(BIN)/onggi) "$(RUNC_SRC)" $(FILES)

# Seccomp filters against libseccomp's on random profiles, others each time: FUZZ_SECONDS=N, FUZZ_SEED=N to begin with that one.
# CASES=N random documents of the runtime-spec's schema, and N / 100 damaged copies of each config.json of an engine.
fuzz: tools
	CASES=$(CASES) cargo test --target $(TARGET) -p libcontainer --test spec --test plan -- properties:: mutate::
	FUZZ_SEED=$(or $(FUZZ_SEED),$$(date +%s)) FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test -p seccomp --test fuzz -- --nocapture

# Peers: CRUN=, RUNC=, YOUKI= (paths), or those in PATH. VIEW=v1|v2|native, ROUNDS=N, JSON=FILE.
bench: build
	@scripts/bench "$(VIEW)" --rounds $(ROUNDS) $(if $(JSON),--json "$(JSON)")

# For another architecture than this machine's: CROSS=TRIPLE, or aarch64. Runs it where QEMU emulates user programs.
cross: tools
	@scripts/cross

lint: tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fmt:
	cargo fmt --all

# Writes man/ and completions/ anew, from the definitions of verbs and flags, and docs/spec-conformance.md, from the
# table of fields.
pages: tools
	UPDATE=1 cargo test --target $(TARGET) -p onggi --bin onggi pages::
	UPDATE=1 cargo test --target $(TARGET) -p libcontainer --test spec conformance::

clean:
	cargo clean

# Does not build, so that `make && sudo make install` leaves no files of root's behind.
install:
	@test -x $(BIN)/onggi || { echo "nothing to install yet: run make first" >&2; exit 1; }
	install -D -m 755 $(BIN)/onggi $(DESTDIR)$(PREFIX)/bin/onggi
	install -D -m 644 -t $(SHARE)/man/man1 man/*.1
	install -D -m 644 completions/onggi.bash $(SHARE)/bash-completion/completions/onggi
	install -D -m 644 -t $(SHARE)/zsh/site-functions completions/_onggi
	install -D -m 644 -t $(SHARE)/fish/vendor_completions.d completions/onggi.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/onggi $(SHARE)/bash-completion/completions/onggi \
		$(patsubst man/%,$(SHARE)/man/man1/%,$(wildcard man/*.1)) \
		$(SHARE)/zsh/site-functions/_onggi $(SHARE)/fish/vendor_completions.d/onggi.fish

help:
	@echo 'build (default)  demo  test  test-hosts  test-hosts-full  test-engines [ENGINES=... HOSTS=... RUNTIME=BINARY]  conformance [RUNTIME=BINARY]'
	@echo 'bench [VIEW=v1|v2|native ROUNDS=N JSON=FILE]  runc-tests RUNC_SRC=DIR [FILES="NAME.bats ..." RUNTIME=BINARY]  fuzz [FUZZ_SECONDS=N FUZZ_SEED=N CASES=N]'
	@echo 'cross [CROSS=TRIPLE]  lint  fmt  pages  clean  install [PREFIX=/usr/local DESTDIR=]  uninstall'
