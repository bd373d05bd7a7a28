/* accept4 as the system's, but for the errors that the environment lists by their numbers: each is given once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    static const char *left;
    static int (*real)(int, struct sockaddr *, socklen_t *, int);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "accept4");
        left = getenv("ACCEPT_ERRORS");
    }
    if (left && *left) {
        char *end;
        errno = (int)strtol(left, &end, 10);
        left = *end ? end + 1 : end;
        return -1;
    }
    return real(fd, address, length, flags);
}
