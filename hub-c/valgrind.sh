#!/bin/sh
# valgrind.sh TARGET_DIR: the C program of misuse under memcheck: memory and descriptors. (Its tools
# for threads know nothing of atomics, on which the library is built, and call each one a race.)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit
fi
CARGO_TARGET_DIR=$1 cargo build -p hub-c
program=$1/misuse
cc -std=c11 -O1 -g -pthread -I "$here/include" "$here/tests/c/misuse.c" "$1/debug/libhub.a" -lm -ldl -o "$program"
valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite --child-silent-after-fork=yes "$program" 10
