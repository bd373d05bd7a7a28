#!/bin/sh
# sanitize.sh address|thread TARGET_DIR: the tests, and the C program of misuse, with the library
# instrumented. A stable toolchain for x86-64 Linux comes with the runtimes; it is only told to take
# the option. Its standard library is not instrumented: what it does inside is not seen.
set -eu
kind=$1 target=$2/sanitize-$1
here=$(cd "$(dirname "$0")" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')
runtimes=$(rustc --print sysroot)/lib/rustlib/$host/lib

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target"
export RUSTFLAGS="-Zsanitizer=$kind -Cunsafe-allow-abi-mismatch=sanitizer"
# Optimised, so that atomics are inlined into what is instrumented; without what hides lines.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=1
# Printing a backtrace is one more thing that the standard library does behind locks that are not seen.
export RUST_BACKTRACE=0
export TSAN_OPTIONS="suppressions=$here/tests/c/tsan.supp"
cargo test --release -p hub-c --lib --test it --target "$host"

cargo rustc --release -p hub-c --lib --crate-type staticlib --target "$host"
case $kind in
address) runtime=asan ;;
thread) runtime=tsan ;;
esac
program=$target/misuse
cc -std=c11 -O1 -g -pthread "-fsanitize=$kind" -I "$here/include" -c "$here/tests/c/misuse.c" -o "$program.o"
# One runtime for both languages: that of the Rust toolchain.
cc -pthread "$program.o" "$target/$host/release/libhub.a" \
    -Wl,--whole-archive "$runtimes/librustc-stable_rt.$runtime.a" -Wl,--no-whole-archive \
    -lm -ldl -lrt -o "$program"
"$program"
