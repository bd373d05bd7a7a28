.PHONY: help demo test test-long sanitize check bench microbench doc install clean
HUBS = epoll poll select polling
PREFIX = /usr/local
TARGET = $(abspath $(or $(CARGO_TARGET_DIR),target))

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo:            ## 1,000 echo connections and 300 slow pages on each hub in turn
	cargo build --release -p green --examples --features ureq
	cargo run --release -p green --features ureq --example demo

test:            ## every test; those of green once on each hub
	cargo test --workspace --exclude green
	cargo test -p greenlet --features context
	for hub in $(HUBS); do GREEN_HUB=$$hub cargo test -p green --all-features || exit 1; done

test-long:       ## what takes longer: ten million events without growth of memory
	cargo test --release -p hub-c --test memory -- --ignored

sanitize:        ## the C interface under AddressSanitizer and ThreadSanitizer, and under valgrind
	hub-c/sanitize.sh address $(TARGET)
	hub-c/sanitize.sh thread $(TARGET)
	hub-c/valgrind.sh $(TARGET)

check:           ## rustfmt, clippy and rustdoc, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	cargo test -p hub-c --test header

bench:           ## which hub to use here: a table, a page, JSON; five minutes (make bench ARGS=--quick)
	cargo run --release -p hub-bench -- --json $(TARGET)/release/hub-bench.json --report $(TARGET)/release/hub-bench.html $(ARGS)

microbench:      ## the microbenchmarks
	cargo bench --workspace --exclude hub-bench

doc:             ## the API documentation, in target/doc
	cargo doc --workspace --no-deps --all-features

install:         ## libhub, hub.h and hub.pc: make install PREFIX=/usr/local [DESTDIR=]
	cargo build --release -p hub-c
	hub-c/install.sh "$(TARGET)/release" "$(PREFIX)" "$(DESTDIR)"

clean:           ## remove what was built
	cargo clean
