/* What a C program may do wrong, or do from several threads, on each backend: the library says so
 * and goes on. It prints one line, "as it should be"; at the first surprise it says where, and
 * ends with 1.
 *
 *     cc -pthread -I hub-c/include hub-c/tests/c/misuse.c libhub.a -lm -ldl -o misuse && ./misuse
 *
 * With an argument it makes so many rounds where threads work against each other: fewer for
 * valgrind, which is slow. `make sanitize` builds it with AddressSanitizer and ThreadSanitizer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <hub.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"epoll", "poll", "select", "polling"};
static const char *name;
static int rounds = 300;

#define SECOND INT64_C(1000000000)
#define LONG (60 * SECOND)

#define EXPECT(expected, expression) expect(__LINE__, #expression, (expected), (expression))

static void expect(int line, const char *what, long expected, long got) {
    if (got == expected)
        return;
    fprintf(stderr, "misuse.c:%d: hub %s: %s is %ld, not %ld\n", line, name, what, got, expected);
    _exit(1);
}

static void pair(int ends[2]) {
    EXPECT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

static void put(int fd) { EXPECT(1, write(fd, "x", 1)); }

static void take(int fd) {
    char byte;
    EXPECT(1, read(fd, &byte, 1));
}

static void close_both(int ends[2]) {
    EXPECT(0, close(ends[0]));
    EXPECT(0, close(ends[1]));
}

/* The one report that there is, as a number; 0 for none. */
static long report(hub_t *hub, int fd, int64_t timeout) {
    hub_event_t events[8];
    int count = hub_wait(hub, timeout, events, 8);
    if (count <= 0)
        return count;
    EXPECT(1, count);
    EXPECT(fd, events[0].fd);
    return events[0].ready;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* Every function says the same of what is no hub. */
static void no_hub(hub_t *hub, long error) {
    hub_event_t event;
    int64_t deadline;
    uint64_t token;
    EXPECT(error, hub_add(hub, 0, HUB_READ));
    EXPECT(error, hub_add_with(hub, 0, HUB_READ, 1));
    EXPECT(error, hub_set_data(hub, 0, 1));
    EXPECT(error, hub_modify(hub, 0, HUB_READ));
    EXPECT(error, hub_remove(hub, 0));
    EXPECT(error, hub_wait(hub, 0, &event, 1));
    EXPECT(error, hub_notify(hub));
    EXPECT(error, hub_fd(hub));
    EXPECT(error, hub_after_fork(hub));
    EXPECT(error, hub_timer_add(hub, 0, 0));
    EXPECT(error, hub_timer_cancel(hub, 0));
    EXPECT(error, hub_timer_next(hub, &deadline));
    EXPECT(error, hub_timer_expired(hub, 0, &token, 1));
    EXPECT(error, hub_timer_clear(hub));
    EXPECT(error, hub_destroy(hub));
    EXPECT(1, hub_name(hub) == NULL);
}

static void handles(void) {
    EXPECT(HUB_VERSION, hub_version());
    no_hub(NULL, -EINVAL);
    no_hub((hub_t *)names, -EBADF);
    errno = 0;
    EXPECT(1, hub_create("kqueue?") == NULL);
    EXPECT(EINVAL, errno);
    hub_t *hub = hub_create(name);
    EXPECT(0, strcmp(hub_name(hub), name));
    EXPECT(0, hub_destroy(hub));
    no_hub(hub, -EBADF);
    hub_t *next = hub_create(name); /* In the same place. */
    no_hub(hub, -EBADF);
    EXPECT(0, hub_destroy(next));
}

static void descriptors(hub_t *hub) {
    int ends[2];
    pair(ends);
    EXPECT(-EBADF, hub_add(hub, -1, HUB_READ));
    EXPECT(-EBADF, hub_add(hub, 1 << 20, HUB_READ));
    EXPECT(-EINVAL, hub_add(hub, ends[0], HUB_HUP));
    EXPECT(-ENOENT, hub_modify(hub, ends[0], HUB_READ));
    EXPECT(-ENOENT, hub_remove(hub, ends[0]));
    EXPECT(0, hub_add(hub, ends[0], HUB_READ));
    EXPECT(-EEXIST, hub_add(hub, ends[0], HUB_WRITE));
    EXPECT(0, report(hub, ends[0], 0));
    EXPECT(0, hub_modify(hub, ends[0], HUB_READ | HUB_WRITE));
    EXPECT(HUB_WRITE, report(hub, ends[0], -1));

    /* Closed behind its back: NVAL once or silence; then the number is another's. */
    int fd = ends[0];
    EXPECT(0, close(ends[0]));
    for (int i = 0, told = 0; i < 5; i++) {
        long ready = report(hub, fd, 0);
        EXPECT(1, ready == 0 || (ready == HUB_NVAL && told++ == 0));
    }
    EXPECT(-ENOENT, hub_modify(hub, fd, HUB_READ));
    EXPECT(0, close(ends[1]));
    pair(ends);
    EXPECT(fd, ends[0]);
    EXPECT(0, hub_add(hub, fd, HUB_READ));
    put(ends[1]);
    EXPECT(HUB_READ, report(hub, fd, LONG));
    EXPECT(0, close(ends[1]));
    EXPECT(HUB_READ | HUB_HUP, report(hub, fd, LONG));
    EXPECT(0, hub_modify(hub, fd, HUB_WRITE));
    EXPECT(HUB_WRITE | HUB_HUP, report(hub, fd, LONG));
    EXPECT(0, hub_remove(hub, fd));
    EXPECT(0, close(fd));

    /* What never blocks is always ready, whether or not the system would watch it. */
    static const char *const paths[] = {"/", "/dev/null", "/proc/self/exe"};
    for (int i = 0; i < 3; i++) {
        fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        EXPECT(0, hub_add(hub, fd, HUB_READ | HUB_WRITE));
        EXPECT(HUB_READ | HUB_WRITE, report(hub, fd, -1));
        EXPECT(-EEXIST, hub_add(hub, fd, HUB_READ));
        EXPECT(0, hub_remove(hub, fd));
        EXPECT(0, report(hub, fd, 0));
        EXPECT(0, close(fd));
    }
}

static void waits(hub_t *hub) {
    hub_event_t event;
    EXPECT(-EINVAL, hub_wait(hub, 0, NULL, 1));
    EXPECT(-EINVAL, hub_wait(hub, 0, &event, 0));
    int64_t start = now();
    EXPECT(0, hub_wait(hub, 20000000, &event, 1));
    EXPECT(1, now() - start >= 20000000);
    errno = ERANGE;
    EXPECT(0, hub_notify(hub));
    EXPECT(0, hub_notify(hub));
    EXPECT(ERANGE, errno);
    EXPECT(0, hub_wait(hub, -1, &event, 1));
    EXPECT(0, hub_wait(hub, 1, &event, 1));
}

enum { MANY = 2000 };

static void many(hub_t *hub) {
    struct rlimit limit;
    EXPECT(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    EXPECT(0, setrlimit(RLIMIT_NOFILE, &limit));
    static int ends[MANY][2];
    static char told[1 << 16];
    memset(told, 0, sizeof told);
    for (int i = 0; i < MANY; i++) {
        pair(ends[i]);
        EXPECT(0, hub_add(hub, ends[i][0], HUB_READ));
        put(ends[i][1]);
    }
    /* With room for 300 each comes once before any comes again. */
    for (int left = MANY; left > 0;) {
        hub_event_t events[300];
        int count = hub_wait(hub, LONG, events, left < 300 ? (uint32_t)left : 300);
        EXPECT(1, count > 0 && count <= left);
        for (int i = 0; i < count; i++)
            EXPECT(0, told[events[i].fd]++);
        left -= count;
    }
    for (int i = 0; i < MANY; i++) {
        EXPECT(0, hub_remove(hub, ends[i][0]));
        close_both(ends[i]);
    }
    EXPECT(0, report(hub, 0, 0));
}

static void timers(hub_t *hub) {
    uint64_t tokens[4];
    int64_t deadline = 0;
    for (uint64_t token = 0; token < 100; token++)
        EXPECT(0, hub_timer_add(hub, 1000 - (int64_t)token, token));
    EXPECT(-EEXIST, hub_timer_add(hub, 5, 5));
    EXPECT(0, hub_timer_cancel(hub, 99));
    EXPECT(-ENOENT, hub_timer_cancel(hub, 99));
    EXPECT(1, hub_timer_next(hub, &deadline));
    EXPECT(902, deadline);
    EXPECT(-EINVAL, hub_timer_expired(hub, 0, NULL, 4));
    EXPECT(2, hub_timer_expired(hub, 903, tokens, 4));
    EXPECT(98, (long)tokens[0]);
    EXPECT(97, (long)tokens[1]);
    EXPECT(97, hub_timer_clear(hub));
    EXPECT(0, hub_timer_next(hub, &deadline));
}

static void in_child(hub_t *hub, int fd) {
    hub_event_t event;
    EXPECT(-ECHILD, hub_wait(hub, 0, &event, 1));
    EXPECT(-ECHILD, hub_remove(hub, fd));
    EXPECT(-ECHILD, hub_notify(hub));
    EXPECT(0, hub_after_fork(hub));
    EXPECT(HUB_READ, report(hub, fd, LONG));
    EXPECT(0, hub_remove(hub, fd));
    EXPECT(1, hub_timer_clear(hub));
    EXPECT(0, hub_destroy(hub));
    _exit(0);
}

static void forks(hub_t *hub) {
    int ends[2], status;
    pair(ends);
    put(ends[1]);
    EXPECT(0, hub_add(hub, ends[0], HUB_READ));
    EXPECT(0, hub_timer_add(hub, 1, 1));
    pid_t child = fork();
    if (child == 0)
        in_child(hub, ends[0]);
    EXPECT(child, waitpid(child, &status, 0));
    EXPECT(0, status);
    EXPECT(HUB_READ, report(hub, ends[0], LONG));
    EXPECT(0, hub_timer_cancel(hub, 1));
    EXPECT(0, hub_remove(hub, ends[0]));
    close_both(ends);
}

struct work {
    hub_t *hub;
    pthread_t thread;
    int ends[2];
    atomic_int told;
};

/* Adds, in its own way each round, what the waiting thread must report at once. */
static void *change(void *argument) {
    struct work *work = argument;
    int fd = work->ends[0];
    for (int i = 0; i < rounds; i++) {
        EXPECT(0, hub_add(work->hub, fd, i % 2 ? HUB_READ : 0));
        put(work->ends[1]);
        if (i % 2 == 0)
            EXPECT(0, hub_modify(work->hub, fd, HUB_READ));
        while (!atomic_load(&work->told))
            sched_yield();
        EXPECT(0, hub_remove(work->hub, fd));
        take(fd);
        atomic_store(&work->told, 0);
    }
    atomic_store(&work->told, -1);
    EXPECT(0, hub_notify(work->hub));
    return NULL;
}

static void threads(hub_t *hub) {
    struct work works[4];
    for (int i = 0; i < 4; i++) {
        pair(works[i].ends);
        works[i].hub = hub;
        atomic_init(&works[i].told, 0);
    }
    for (int i = 0; i < 4; i++)
        EXPECT(0, pthread_create(&works[i].thread, NULL, change, &works[i]));
    for (int running = 4; running > 0;) {
        hub_event_t events[3];
        int count = hub_wait(hub, LONG, events, 3);
        EXPECT(1, count >= 0);
        running = 0;
        for (int i = 0; i < 4; i++) {
            int told = 0;
            for (int j = 0; j < count; j++)
                if (events[j].fd == works[i].ends[0])
                    atomic_compare_exchange_strong(&works[i].told, &told, 1);
            running += atomic_load(&works[i].told) >= 0;
        }
    }
    for (int i = 0; i < 4; i++) {
        EXPECT(0, pthread_join(works[i].thread, NULL));
        close_both(works[i].ends);
    }
}

static void *wait_for_the_end(void *hub) {
    hub_event_t event;
    EXPECT(-EBADF, hub_wait(hub, -1, &event, 1));
    return NULL;
}

/* Destroyed under who waits, who is about to, or who comes too late. */
static void ends(void) {
    for (int i = 0; i < rounds; i++) {
        pthread_t threads[2];
        hub_t *hub = hub_create(name);
        EXPECT(0, pthread_create(&threads[0], NULL, wait_for_the_end, hub));
        if (i % 3)
            usleep(i % 3 * 50);
        EXPECT(0, hub_destroy(hub));
        EXPECT(0, pthread_create(&threads[1], NULL, wait_for_the_end, hub));
        EXPECT(0, pthread_join(threads[0], NULL));
        EXPECT(0, pthread_join(threads[1], NULL));
    }
}

int main(int argc, char **argv) {
    if (argc > 1)
        rounds = atoi(argv[1]);
    for (int i = 0; i < 4; i++) {
        name = names[i];
        handles();
        hub_t *hub = hub_create(name);
        descriptors(hub);
        waits(hub);
        many(hub);
        timers(hub);
        forks(hub);
        threads(hub);
        EXPECT(0, hub_destroy(hub));
        ends();
    }
    puts("as it should be");
    return 0;
}
