#!/bin/sh
# sanitize.sh address|thread TARGET_DIR: the tests of greenlet, random programs included, with the crate instrumented and
# told to say which stack runs. A stable toolchain for x86-64 Linux comes with the runtimes; it is only told to take the
# option. Its standard library is not instrumented: what it does inside is not seen.
set -eu
kind=$1 target=$2/sanitize-$1
here=$(cd "$(dirname "$0")" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target"
export RUSTFLAGS="-Zsanitizer=$kind -Cunsafe-allow-abi-mismatch=sanitizer --cfg greenlet_sanitize=\"$kind\""
# Optimised, so that atomics are inlined into what is instrumented; without what hides lines.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=1
# What an abandoned greenlet has on its stack is leaked, and what a suspended one has is not looked for.
export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0"
export TSAN_OPTIONS="suppressions=$here/tests/tsan.supp"
# Printing a backtrace is one more thing that the standard library does behind locks that are not seen.
export RUST_BACKTRACE=0
cargo build --release -p greenlet --examples --target "$host"
cargo test --release -p greenlet --lib --tests --target "$host"
