.PHONY: help demo test check bench doc clean
HUBS = epoll poll select polling

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo:            ## 1,000 echo connections and 300 slow pages on each hub in turn
	cargo build --release -p green --examples --features ureq
	cargo run --release -p green --features ureq --example demo

test:            ## every test; those of green once on each hub
	cargo test --workspace --exclude green
	cargo test -p greenlet --features context
	for hub in $(HUBS); do GREEN_HUB=$$hub cargo test -p green --all-features || exit 1; done

check:           ## rustfmt, clippy and rustdoc, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features

bench:           ## the microbenchmarks
	cargo bench --workspace

doc:             ## the API documentation, in target/doc
	cargo doc --workspace --no-deps --all-features

clean:           ## remove what was built
	cargo clean
