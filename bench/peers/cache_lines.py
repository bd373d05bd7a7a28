#!/usr/bin/env python3
"""Cache lines and pages of data that one request of an echo server touches in user space, counted by valgrind's lackey.

cache_lines.py SERVER [ARGUMENT...]: `{}` among the arguments stands for the address to listen at. The server is run with
32 connections and with 96. When each has echoed a few times, one round of requests is traced, one request a connection;
the slope between the two numbers is what one more request costs, without what all of them share. A line has 64 bytes, a
page 4,096.

cache_lines.py --functions SERVER [ARGUMENT...]: also tells which function is the first to touch them. That needs nm, and a
server that is not stripped.

cache_lines.py --table DIRECTORY: the table of docs/benchmarks.md, of the `echo-server` in that directory.

Under lackey a program is some hundred times slower, and would do more often whatever it does by the clock: green would poll
its hub between any two greenthreads, on the stack of one of them. So its clock is slowed down as well, by a library that
cc compiles: with `SLOWER=1` in the environment it is not.
"""
import bisect
import collections
import os
import socket
import subprocess
import sys
import tempfile
import time

FEW, MANY = 32, 96
MESSAGE = b"x" * 64
SLOWER = int(os.environ.get("SLOWER", "10000"))
# Seconds of rounds before the one that is traced: green needs a millisecond, by its clock, to learn how fast that is.
WARM_UP = 1 + SLOWER / 1000
# The clock of the server: what the system's has counted since the start, divided.
CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long start[16];

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, clock, time);
    if (failed || clock < 0 || clock > 15) return failed;
    long long now = time->tv_sec * 1000000000LL + time->tv_nsec;
    if (!start[clock]) start[clock] = now;
    now = start[clock] + (now - start[clock]) / SLOWER;
    time->tv_sec = now / 1000000000;
    time->tv_nsec = now % 1000000000;
    return 0;
}
"""
SERVERS = [
    ("raw epoll loop", "raw-epoll", ""),
    ("tokio, current_thread", "tokio", ""),
    ("**green, epoll**", "green", "epoll"),
    ("**green, epoll, shared buffers**", "green-shared", "epoll"),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def connect(port, server):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"the server has ended with {server.returncode}")
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit("the server does not listen")


def echo_round(connections):
    """One request of each, all sent before the first answer is read."""
    for connection in connections:
        connection.sendall(MESSAGE)
    for connection in connections:
        left = len(MESSAGE)
        while left > 0:
            read = connection.recv(left)
            if not read:
                sys.exit("the server has closed a connection")
            left -= len(read)


def size_at_rest(path):
    """The size of a trace when nothing has been added for a while: then the server waits."""
    size = -1
    while size != (size := os.stat(path).st_size):
        time.sleep(0.5)
    return size


class Functions:
    """Where the functions of a running server are: its own, and those of the libraries that it has loaded."""

    def __init__(self, pid):
        found, seen = [], set()
        with open(f"/proc/{pid}/maps") as file:
            for line in file:
                span, _, offset, _, _, *path = line.split()
                if path and path[0].startswith("/") and path[0] not in seen:
                    seen.add(path[0])
                    base = int(span.split("-")[0], 16) - int(offset, 16)
                    found += [(base + address, name) for address, name in self.listed(path[0])]
        found.sort()
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    @staticmethod
    def listed(path):
        for which in ([], ["-D"]):
            listed = subprocess.run(["nm", "-C", "--defined-only", *which, path], capture_output=True, text=True)
            parts = [line.split(" ", 2) for line in listed.stdout.splitlines()]
            functions = [(int(part[0], 16), part[2]) for part in parts if len(part) == 3 and part[1] in "tTwWi"]
            if functions:
                return functions
        return []

    def name(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else "?"


def touched(trace, start, end, functions):
    """The distinct lines and pages of data, the instructions, and if functions are given who has touched lines first."""
    lines, instructions, at = {}, 0, b"0"
    with open(trace, "rb") as file:
        file.seek(start)
        for line in file.read(end - start).splitlines():
            kind, _, access = line.partition(b" ") if line[:1] == b"I" else (line[1:2], b"", line[3:])
            if kind == b"I":
                instructions += 1
                at = access
            elif kind in (b"L", b"S", b"M"):
                address, _, size = access.partition(b",")
                first = int(address, 16)
                for number in range(first // 64, (first + int(size) - 1) // 64 + 1):
                    lines.setdefault(number, at)
    first = collections.Counter()
    if functions:
        first.update(functions.name(int(at.split(b",")[0], 16)) for at in lines.values())
    return (len(lines), len({number // 64 for number in lines}), instructions), first


def slow_clock(directory):
    """The library, compiled."""
    library = os.path.join(directory, "clock.so")
    compiler = ["cc", "-shared", "-fPIC", "-O2", f"-DSLOWER={SLOWER}", "-x", "c", "-", "-o", library]
    subprocess.run(compiler, input=CLOCK, text=True, check=True)
    return library


def measure(command, count, by_function):
    with tempfile.TemporaryDirectory() as directory:
        port, trace = free_port(), os.path.join(directory, "trace")
        environment = dict(os.environ, LD_PRELOAD=slow_clock(directory))
        lackey = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={trace}"]
        command = [part.replace("{}", f"127.0.0.1:{port}") for part in command]
        server = subprocess.Popen(lackey + command, stdout=subprocess.DEVNULL, env=environment)
        try:
            connections = [connect(port, server) for _ in range(count)]
            begun = time.monotonic()
            while time.monotonic() < begun + WARM_UP:
                echo_round(connections)
            start = size_at_rest(trace)
            echo_round(connections)
            functions = Functions(server.pid) if by_function else None
            return touched(trace, start, size_at_rest(trace), functions)
        finally:
            server.kill()
            server.wait()


def slope(command, by_function=False):
    """Cache lines, pages and instructions of a request, and the lines by the function that is the first to touch them."""
    (few, few_first), (many, first) = (measure(command, count, by_function) for count in (FEW, MANY))
    requests = MANY - FEW
    first.subtract(few_first)
    shares = [(count / requests, function) for function, count in first.most_common() if count / requests >= 0.05]
    return *((more - less) / requests for less, more in zip(few, many)), shares


def table(directory):
    print("| | cache lines | pages | instructions |\n|---|---|---|---|")
    for title, kind, hub in SERVERS:
        os.environ["GREEN_HUB"] = hub or "epoll"
        lines, pages, instructions, _ = slope([os.path.join(directory, "echo-server"), kind, "{}"])
        print(f"| {title} | {lines:.1f} | {pages:.1f} | {instructions:,.0f} |", flush=True)


def tell(lines, pages, instructions):
    print(f"{lines:.1f} cache lines, {pages:.1f} pages and {instructions:.0f} instructions a request")


def main():
    match sys.argv[1:]:
        case ["--table", directory]:
            table(directory)
        case ["--functions", *command] if command:
            *counts, shares = slope(command, by_function=True)
            tell(*counts)
            for share, function in shares:
                print(f"{share:6.2f}  {function}")
        case [*command] if command:
            *counts, _ = slope(command)
            tell(*counts)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
