/* An echo server in one thread on one hub, level-triggered.
 *
 *     cc echo.c $(pkg-config --cflags --libs hub) -o echo && ./echo epoll
 *
 * It prints its port. With a second argument it ends when that many connections have ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <hub.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a connection has read and not written yet: pending[start..end]. */
struct connection {
    uint32_t interest;
    size_t start, end;
    char pending[16384];
};

static struct connection *connections[65536];

static int fail(const char *what, int error) {
    fprintf(stderr, "echo: %s: %s\n", what, strerror(error));
    return 1;
}

static int would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/* Writes what is pending, then reads more. False when the connection has ended. */
static int serve(hub_t *hub, int fd) {
    struct connection *it = connections[fd];
    if (it->start == it->end) {
        ssize_t got = recv(fd, it->pending, sizeof it->pending, 0);
        if (got <= 0)
            return got < 0 && would_block();
        it->start = 0, it->end = (size_t)got;
    }
    ssize_t put = send(fd, it->pending + it->start, it->end - it->start, MSG_NOSIGNAL);
    if (put < 0 && !would_block())
        return 0;
    it->start += put < 0 ? 0 : (size_t)put;
    /* Read no more before the peer has taken what it has asked for. */
    uint32_t interest = it->start == it->end ? HUB_READ : HUB_WRITE;
    if (interest == it->interest)
        return 1;
    it->interest = interest;
    return hub_modify(hub, fd, interest) == 0;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    long rest = argc > 2 ? atol(argv[2]) : -1;
    hub_t *hub = hub_create(name);
    if (!hub)
        return fail(name, errno);

    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) ||
        listen(listener, SOMAXCONN) || getsockname(listener, (struct sockaddr *)&address, &length))
        return fail("listen", errno);
    int said = hub_add(hub, listener, HUB_READ);
    if (said < 0)
        return fail("hub_add", -said);
    printf("%s %d\n", hub_name(hub), ntohs(address.sin_port));
    fflush(stdout);

    while (rest != 0) {
        hub_event_t events[256];
        int count = hub_wait(hub, -1, events, 256);
        if (count < 0 && count != -EINTR)
            return fail("hub_wait", -count);
        for (int i = 0; i < count; i++) {
            int fd = events[i].fd;
            if (fd == listener) {
                int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (client < 0)
                    continue;
                if (client < 65536 && hub_add(hub, client, HUB_READ) == 0 &&
                    (connections[client] = calloc(1, sizeof(struct connection)))) {
                    connections[client]->interest = HUB_READ;
                    continue;
                }
                hub_remove(hub, client);
                close(client);
            } else if (!serve(hub, fd)) {
                hub_remove(hub, fd);
                close(fd);
                free(connections[fd]);
                connections[fd] = NULL;
                rest -= rest > 0;
            }
        }
    }
    close(listener);
    said = hub_destroy(hub);
    return said ? fail("hub_destroy", -said) : 0;
}
