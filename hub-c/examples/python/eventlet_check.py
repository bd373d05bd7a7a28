"""What eventlet programs do, on the hub that EVENTLET_HUB names.

    EVENTLET_HUB=eventlet_hub:Epoll python3 eventlet_check.py

eventlet's own tests say more: docs/embedding.md tells how to run them.
"""

import os
import socket as plain_socket
import time

import eventlet
from eventlet import hubs, tpool
from eventlet.green import socket, subprocess


def echoes(clients=50, words=20):
    listener = eventlet.listen(("127.0.0.1", 0))

    def serve(connection):
        while data := connection.recv(1024):
            connection.sendall(data)
        connection.close()

    def accept():
        while True:
            eventlet.spawn_n(serve, listener.accept()[0])

    def call(number):
        client = eventlet.connect(listener.getsockname())
        for word in range(words):
            client.sendall(b"%d %d" % (number, word))
            assert client.recv(1024) == b"%d %d" % (number, word)
        client.close()
        return number

    server = eventlet.spawn(accept)
    pool = eventlet.GreenPool(clients)
    assert list(pool.imap(call, range(clients))) == list(range(clients))
    server.kill()
    listener.close()


def timeouts():
    start = time.monotonic()
    eventlet.sleep(0.02)
    assert time.monotonic() - start >= 0.02
    near, far = socket.socketpair()
    near.settimeout(0.01)
    try:
        near.recv(1)
        raise AssertionError("nothing was sent")
    except plain_socket.timeout:
        pass
    far.sendall(b"x")
    assert near.recv(1) == b"x"


def large_writes():
    near, far = socket.socketpair()
    size = 3_000_000
    writer = eventlet.spawn(near.sendall, bytes(size))
    while size:
        size -= len(far.recv(65536))
    writer.wait()


def numbers_used_again():
    for _ in range(200):
        near, far = socket.socketpair()
        reader = eventlet.spawn(far.recv, 1)
        eventlet.sleep(0)
        near.sendall(b"x")
        assert reader.wait() == b"x"
        near.close()
        far.close()


def threads_and_processes():
    assert tpool.execute(lambda: 7) == 7
    assert subprocess.check_output(["echo", "word"]) == b"word\n"


def forks():
    near, far = socket.socketpair()
    child = os.fork()
    if child == 0:
        eventlet.sleep(0.01)
        near.sendall(b"child")
        os._exit(0)
    assert far.recv(5) == b"child"
    os.waitpid(child, 0)


for check in [echoes, timeouts, large_writes, numbers_used_again, threads_and_processes, forks]:
    check()
    print(check.__name__)
print(f"{hubs.get_hub().native.name}: as it should be")
