#!/bin/sh
# sanitize.sh TARGET_DIR: the calls that wait on the hub under AddressSanitizer, as greenlet/sanitize.sh does it. What it
# instruments keeps its own record of threads, so that greenthreads have no thread-locals of their own there, and what
# threads wait for each other with is left out: valgrind.sh looks at that.
set -eu
target=$1/sanitize-address
host=$(rustc -vV | sed -n 's/^host: //p')

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target"
export RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer --cfg greenlet_sanitize=\"address\""
# Optimised, so that atomics are inlined into what is instrumented; without what hides lines.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=1
# What an abandoned greenlet has on its stack is leaked, and what a suspended one has is not looked for.
export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0"
export RUST_BACKTRACE=0
cargo test --release -p green-patch --test calls --target "$host"
