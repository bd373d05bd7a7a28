#!/bin/sh
# valgrind.sh TARGET_DIR: what has to do with thread-locals of a greenthread's own, under memcheck. valgrind hides from
# programs that they may set the thread pointer themselves, so that this also tries how it is done where they may not.
set -eu
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit
fi
export CARGO_TARGET_DIR=$1
# Stacks lie side by side: a stack pointer that moves by more than a frame has gone to another one, and what is between the
# two is not free. Printing a backtrace takes half a minute.
export RUST_BACKTRACE=0
run="valgrind -q --error-exitcode=9 --max-stackframe=16384 --child-silent-after-fork=yes"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$run CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$run
cargo test -p greenlet --features thread-locals --test thread_locals -- --test-threads=1
cargo test -p green --features thread-locals --test thread_locals -- --test-threads=1
cargo test -p green-patch --test threads -- --test-threads=1
