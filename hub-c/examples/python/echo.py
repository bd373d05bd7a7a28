"""An echo server and its clients on one hub, a timer, and a thread that has the last word.

    HUB_LIBRARY=.../libhub.so python3 echo.py [epoll|poll|select|polling]
"""

import socket
import sys
import threading
import time

import hub

CLIENTS, WORDS = 50, 20


def main(name):
    loop = hub.Hub(name, capacity=16)  # Fewer than there are clients: what is left comes next.
    listener = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
    listener.setblocking(False)
    loop.add(listener.fileno(), hub.READ)
    served, clients = {}, {}
    for number in range(CLIENTS):
        client = socket.create_connection(listener.getsockname())
        client.setblocking(False)
        clients[client.fileno()] = (client, [b"%d %d\n" % (number, word) for word in range(WORDS)])
        loop.add(client.fileno(), hub.WRITE)

    ticks, tick = 0, 1_000_000
    loop.add_timer(time.monotonic_ns() + tick, 7)
    heard = 0
    while clients:
        now = time.monotonic_ns()
        for fd, ready in loop.wait(max(0, loop.next_timer() - now) / 1e9):
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                served[connection.fileno()] = connection
                loop.add(connection.fileno(), hub.READ)
            elif fd in served:
                data = served[fd].recv(4096)
                served[fd].sendall(data)  # Never much: each client has one word under way.
                if not data:
                    loop.remove(fd)
                    served.pop(fd).close()
            elif ready & hub.WRITE:
                client, words = clients[fd]
                client.sendall(words[0])
                loop.modify(fd, hub.READ)
            else:
                client, words = clients[fd]
                assert client.recv(4096) == words.pop(0)
                heard += 1
                loop.modify(fd, hub.WRITE)
                if not words:
                    loop.remove(fd)
                    del clients[fd]
                    client.close()
        for token in loop.expired_timers(time.monotonic_ns()):
            assert token == 7
            ticks += 1
            loop.add_timer(time.monotonic_ns() + tick, 7)

    assert heard == CLIENTS * WORDS and loop.clear_timers() == 1
    while served:
        for fd, ready in loop.wait():
            assert ready & hub.READ and served[fd].recv(1) == b""
            loop.remove(fd)
            served.pop(fd).close()
    threading.Timer(0.01, loop.notify).start()
    assert loop.wait() == []
    print(f"{loop.name}: {heard} words, {ticks} ticks")
    loop.close()


main(sys.argv[1] if len(sys.argv) > 1 else "")
