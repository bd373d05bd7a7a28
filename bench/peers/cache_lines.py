#!/usr/bin/env python3
"""Cache lines of data that one request of an echo server touches in user space, counted by valgrind's lackey.

cache_lines.py SERVER [ARGUMENT...]: `{}` among the arguments stands for the address to listen at. The server is run with
32 connections and with 96. When each has echoed a few times, one round of requests is traced, one request a connection;
the slope between the two numbers is what one more request costs, without what all of them share. A line has 64 bytes.

Under lackey a program is some hundred times slower, and whatever it does by the clock comes more often: green polls its hub
between any two greenthreads then, on the stack of one of them, which costs five lines more than in real time.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

FEW, MANY = 32, 96
MESSAGE = b"x" * 64
WARM_UP = 4


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


def touched(trace, start, end):
    """The distinct lines of data, and the instructions, in a part of a trace."""
    lines, instructions = set(), 0
    with open(trace, "rb") as file:
        file.seek(start)
        for line in file.read(end - start).splitlines():
            kind, _, access = line.partition(b" ") if line[:1] == b"I" else (line[1:2], b"", line[3:])
            if kind == b"I":
                instructions += 1
            elif kind in (b"L", b"S", b"M"):
                address, _, size = access.partition(b",")
                first = int(address, 16)
                lines.update(range(first // 64, (first + int(size) - 1) // 64 + 1))
    return len(lines), instructions


def measure(command, count):
    with tempfile.TemporaryDirectory() as directory:
        port, trace = free_port(), os.path.join(directory, "trace")
        lackey = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={trace}"]
        command = [part.replace("{}", f"127.0.0.1:{port}") for part in command]
        server = subprocess.Popen(lackey + command, stdout=subprocess.DEVNULL)
        try:
            connections = [connect(port, server) for _ in range(count)]
            for _ in range(WARM_UP):
                echo_round(connections)
            start = size_at_rest(trace)
            echo_round(connections)
            return touched(trace, start, size_at_rest(trace))
        finally:
            server.kill()
            server.wait()


def main():
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    (few, few_steps), (many, many_steps) = (measure(command, count) for count in (FEW, MANY))
    requests = MANY - FEW
    print(f"{(many - few) / requests:.1f} cache lines and {(many_steps - few_steps) / requests:.0f} instructions a request")


if __name__ == "__main__":
    main()
