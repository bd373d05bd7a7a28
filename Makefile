.PHONY: help tools demo test test-long frames sanitize check bench microbench doc install uninstall clean
HUBS = epoll poll select polling
# The crates that can be built with more or less.
CHOICES = green green-backdoor green-dns green-http green-tls green-ws greenlet
# Whose tests run once on each hub: green and what uses it.
ON_GREEN = green green-backdoor green-console green-http green-patch green-tls green-ws examples
PREFIX = /usr/local
TARGET = $(abspath $(or $(CARGO_TARGET_DIR),target))

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

tools:
	@command -v cargo >/dev/null || { echo "cargo is missing: install a stable Rust toolchain, 1.91 or later" >&2; exit 1; }
	@command -v cc >/dev/null || echo "cc is missing: Rust links with it unless you have set another linker" >&2

demo: tools      ## 1,000 echo connections and 300 slow pages on each hub in turn
	cargo build --release -p examples --example demo --example echo_server --example crawler
	cargo run --release -p examples --example demo

test: tools      ## every test; those of green, of the crates on it and of the examples once on each hub (one of yours: docs/hubs.md)
ifndef HUB_CRATE
	cargo test --workspace $(ON_GREEN:%=--exclude %)
	cargo test -p greenlet --features context
	cargo test -p greenlet --features thread-locals
	for hub in $(HUBS); do GREEN_HUB=$$hub cargo test $(ON_GREEN:%=-p %) --all-features || exit 1; done
else
	green/own_hub.sh "$(HUBS)" "$(HUB_CRATE)" "$(HUB_MAKE)" "$(TARGET)"
endif

test-long: frames ## what takes longer: frames, random programs, growth over events, handshakes and 2 GB, a soak of green-patch
	PROPTEST_CASES=100000 cargo test --release -p greenlet --test fuzz
	cargo test --release -p hub-c --test memory -- --ignored
	cargo test --release -p green-tls --test leaks -- --ignored
	cargo test --release -p green-http --test large -- --ignored
	cargo test -p examples --all-features --test readme -- --ignored
	for hub in $(HUBS); do GREEN_SOAK=75 GREEN_HUB=$$hub cargo test --release -p green-patch --test calls go_round || exit 1; done

frames: tools    ## the stack frames that every wait goes through are small (x86-64, objdump)
	cargo build --release -p examples --example echo_server
	cargo run -p tidy --bin frames -- $(TARGET)/release/examples/echo_server

sanitize: tools  ## greenlet and the C interface under AddressSanitizer, ThreadSanitizer and valgrind; greening under two of them
	greenlet/sanitize.sh address $(TARGET)
	greenlet/sanitize.sh thread $(TARGET)
	hub-c/sanitize.sh address $(TARGET)
	hub-c/sanitize.sh thread $(TARGET)
	hub-c/valgrind.sh $(TARGET)
	green-patch/sanitize.sh $(TARGET)
	green-patch/valgrind.sh $(TARGET)

check: tools     ## rustfmt, clippy and rustdoc, warnings denied; the rules of the tree
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	for crate in $(CHOICES); do for features in "" --no-default-features; do \
		cargo clippy --quiet -p $$crate --lib $$features -- -D warnings || exit 1; done; done
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	cargo test -p tidy
	cargo test -p hub-c --test header

bench: tools     ## which hub to use here: a table, a page, JSON; five minutes (make bench ARGS=--quick)
	cargo run --release -p hub-bench -- --json $(TARGET)/release/hub-bench.json --report $(TARGET)/release/hub-bench.html $(ARGS)

microbench: tools ## the microbenchmarks
	cargo bench --workspace --exclude hub-bench

doc: tools       ## the API documentation, in target/doc
	cargo doc --workspace --no-deps --all-features

install: tools   ## libhub, hub.h and hub.pc: make install PREFIX=/usr/local [LIBDIR=] [DESTDIR=]
	cargo build --release -p hub-c
	LIBDIR="$(LIBDIR)" hub-c/install.sh "$(TARGET)/release" "$(PREFIX)" "$(DESTDIR)"

uninstall:       ## removes what install has put in place, with the same PREFIX, LIBDIR and DESTDIR
	LIBDIR="$(LIBDIR)" hub-c/install.sh --uninstall "$(PREFIX)" "$(DESTDIR)"

clean:           ## remove what was built
	cargo clean
