/* What greenlets do for a C program. It prints one line, "as it should be"; at the first surprise it says where, and ends
 * with 1.
 *
 *     cc -pthread -I greenlet-c/include greenlet-c/tests/c/greenlets.c libgreenlet_c.a -lm -ldl -o greenlets
 */
#include <errno.h>
#include <greenlet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(expected, expression) expect(__LINE__, #expression, (long)(expected), (long)(expression))

static void expect(int line, const char *what, long expected, long got) {
    if (got == expected)
        return;
    fprintf(stderr, "greenlets.c:%d: %s is %ld, not %ld\n", line, what, got, expected);
    exit(1);
}

/* Switches, and expects a value. */
static long value(greenlet_t *to, long n) {
    void *result = NULL;
    EXPECT(GREENLET_VALUE, greenlet_switch(to, (void *)n, &result));
    return (long)result;
}

/* Gives back the double of what comes, until something else comes: that it counts. */
static void *doubles(void *first, void *data) {
    long *others = data;
    greenlet_t *back = greenlet_parent(NULL);
    void *next = first;
    for (;;) {
        int code = greenlet_switch(back, (void *)(2 * (long)next), &next);
        if (code == GREENLET_VALUE)
            continue;
        others[code]++;
        if (code == GREENLET_THROWN) {
            others[0] = (long)next;
            continue;
        }
        greenlet_drop(back, NULL);
        return (void *)-1L;
    }
}

static void values(void) {
    long others[4] = {0};
    greenlet_t *g = greenlet_create(doubles, others, 0);
    EXPECT(0, greenlet_is_dead(g));
    for (long n = 1; n < 1000; n++)
        EXPECT(2 * n, value(g, n));
    void *result;
    EXPECT(GREENLET_VALUE, greenlet_throw(g, (void *)77L, &result));
    EXPECT(77, others[0]);
    EXPECT(154, result);
    EXPECT(1, others[GREENLET_THROWN]);
    /* The last handle: it is told to exit, and has returned when this does. */
    EXPECT(0, greenlet_drop(g, NULL));
    EXPECT(1, others[GREENLET_EXIT]);
}

static void *same(void *value, void *data) {
    (void)data;
    return value;
}

static void ends(void) {
    void *result;
    greenlet_t *g = greenlet_create(same, NULL, 0);
    EXPECT(5, value(g, 5));
    EXPECT(1, greenlet_is_dead(g));
    /* A dead one is stood in for by its parent, which runs. */
    EXPECT(6, value(g, 6));
    EXPECT(GREENLET_THROWN, greenlet_throw(g, (void *)7L, &result));
    EXPECT(7, result);
    EXPECT(GREENLET_ENDED, greenlet_exit(g, &result));
    greenlet_drop(g, NULL);

    /* What is thrown into one that has not started comes out here. */
    g = greenlet_create(same, NULL, 0);
    EXPECT(GREENLET_THROWN, greenlet_throw(g, (void *)8L, &result));
    EXPECT(8, result);
    EXPECT(1, greenlet_is_dead(g));
    greenlet_drop(g, NULL);
    g = greenlet_create(same, NULL, 0);
    EXPECT(GREENLET_ENDED, greenlet_exit(g, NULL));
    EXPECT(1, greenlet_is_dead(g));
    greenlet_drop(g, NULL);
}

static void *looks_around(void *value, void *data) {
    greenlet_t *me = greenlet_current(), *parent = greenlet_parent(me);
    EXPECT((long)data, parent);
    EXPECT(1, me != parent);
    EXPECT(0, greenlet_is_dead(me));
    greenlet_drop(me, NULL);
    greenlet_drop(parent, NULL);
    return value;
}

static void who(void) {
    greenlet_t *main = greenlet_current();
    EXPECT(1, main != NULL);
    EXPECT(NULL, greenlet_parent(NULL));
    EXPECT(NULL, greenlet_parent(main));
    greenlet_t *g = greenlet_create(looks_around, main, 64 * 1024);
    EXPECT(1, value(g, 1));
    greenlet_drop(g, NULL);
    greenlet_drop(main, NULL);
}

static void *throws(void *thrown, void *data) {
    (void)data;
    greenlet_t *parent = greenlet_parent(NULL);
    void *result = NULL;
    int code = greenlet_throw(parent, thrown, &result);
    greenlet_drop(parent, NULL);
    return (void *)(long)code;
}

static void *never_ends(void *value, void *data) {
    long *exits = data;
    greenlet_t *parent = greenlet_parent(NULL);
    while (*exits < 1000)
        *exits += greenlet_switch(parent, value, NULL) == GREENLET_EXIT;
    return value;
}

static void others(void) {
    void *result;
    greenlet_t *g = greenlet_create(throws, NULL, 0);
    EXPECT(GREENLET_THROWN, greenlet_switch(g, (void *)9L, &result));
    EXPECT(9, result);
    greenlet_drop(g, NULL);

    long exits = 0;
    g = greenlet_create(never_ends, &exits, 0);
    EXPECT(3, value(g, 3));
    EXPECT(0, greenlet_drop(g, NULL));
    EXPECT(1, exits > 1 && exits < 1000);
}

static void misuse(void) {
    void *result;
    EXPECT(-EINVAL, greenlet_switch(NULL, NULL, &result));
    EXPECT(-EINVAL, greenlet_throw(NULL, NULL, &result));
    EXPECT(-EINVAL, greenlet_exit(NULL, &result));
    EXPECT(-EINVAL, greenlet_is_dead(NULL));
    EXPECT(0, greenlet_drop(NULL, NULL));
    errno = 0;
    EXPECT(NULL, greenlet_create(NULL, NULL, 0));
    EXPECT(EINVAL, errno);
    errno = 0;
    EXPECT(NULL, greenlet_create(same, NULL, 1));
    EXPECT(EINVAL, errno);
    errno = 0;
    EXPECT(NULL, greenlet_create(same, NULL, (size_t)1 << 50));
    EXPECT(ENOMEM, errno);
}

/* The end of a thread tells its greenlets to exit. */
static void *thread(void *others) {
    greenlet_t *g = greenlet_create(doubles, others, 0);
    EXPECT(4, value(g, 2));
    return NULL;
}

static void threads(void) {
    for (int i = 0; i < 10; i++) {
        long others[4] = {0};
        pthread_t id;
        EXPECT(0, pthread_create(&id, NULL, thread, others));
        EXPECT(0, pthread_join(id, NULL));
#ifdef __GLIBC__
        EXPECT(1, others[GREENLET_EXIT]);
#endif
    }
}

int main(void) {
    values();
    ends();
    who();
    others();
    misuse();
    threads();
    puts("as it should be");
    return 0;
}
