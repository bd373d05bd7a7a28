/* Stackful coroutines with parents, values, throw and death.
 *
 * A greenlet and its handles belong to the thread that has made them. No function here unwinds
 * into the caller or prints; an int result is a GREENLET_ code, or -errno.
 *
 * This file is made from greenlet-c/src/abi.rs: UPDATE_HEADER=1 cargo test -p greenlet-c --test header
 */

#ifndef GREENLET_H
#define GREENLET_H

#include <stddef.h>

// A value has come, and is in `result`.
#define GREENLET_VALUE 0

// Something was thrown here, and is in `result`.
#define GREENLET_THROWN 1

// This greenlet is told to exit: clean up and return from its function. What that returns goes nowhere.
#define GREENLET_EXIT 2

// The greenlet that was to give a value has ended without one, as it was told to exit before it started.
#define GREENLET_ENDED 3

// A handle of a greenlet. Handles of the same greenlet are equal pointers; each that was returned is dropped once.
typedef struct greenlet_t greenlet_t;

// What a greenlet runs: it gets the value of the first switch and the data that it was made with, and returns what its
// parent's pending switch gives. It must not leave by longjmp, an exception or pthread_exit.
typedef void *(*greenlet_body_t)(void *value, void *data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a greenlet that will run `body`, on a stack of `stack_size` bytes, or of the default size for 0. Its parent is
// the current one. Nothing runs yet.
//
// NULL with errno EINVAL if `body` is NULL or the size is too small, or ENOMEM if there is no memory for a stack.
//
// `body` may be called with `data` on this thread.
greenlet_t *greenlet_create(greenlet_body_t body, void *data, size_t stack_size);

// Switches to a greenlet: suspends the running one until somebody switches back, throws here or tells it to exit. A dead
// greenlet is stood in for by its nearest living ancestor, which may be the running one itself: then `value` comes back.
//
// A GREENLET_ code says what has come. -EINVAL if `to` is NULL, -EPROTO if a greenlet of Rust has panicked or does not
// wait for a value of C, -ECANCELED while the thread or the process ends and nothing can be switched to.
//
// `result` is NULL or has room for a pointer, which is written whatever comes.
//
// `to` is a handle of this thread that was not dropped.
int greenlet_switch(greenlet_t *to, void *value, void **result);

// As greenlet_switch, but what comes to `to` is GREENLET_THROWN with `thrown`. If `to` has not started, it never does: it
// is dead, and its parent gets what was thrown. If it is dead, the caller gets it.
//
// The result is as for greenlet_switch.
//
// The arguments are as for greenlet_switch.
int greenlet_throw(greenlet_t *to, void *thrown, void **result);

// As greenlet_throw, but what comes to `to` is GREENLET_EXIT. If `to` is dead or has not started, GREENLET_ENDED is
// returned.
//
// The arguments are as for greenlet_switch.
int greenlet_exit(greenlet_t *to, void **result);

// The running greenlet: the main one of the thread, unless the caller runs inside another. Drop the handle.
greenlet_t *greenlet_current(void);

// The greenlet that gets the result of this one, or of the running one for NULL. Drop the handle. NULL if it is the main
// one of the thread, which has no parent.
//
// `of` is NULL or a handle of this thread that was not dropped.
greenlet_t *greenlet_parent(greenlet_t *of);

// 1 if the function of a greenlet has returned or will never run, or 0. -EINVAL if it is NULL.
//
// `greenlet` is NULL or a handle of this thread that was not dropped.
int greenlet_is_dead(greenlet_t *greenlet);

// Drops a handle. NULL is none. If it was the last one of a suspended greenlet, that is told to exit before this returns;
// if it switches instead of returning it is told some more times, and then left.
//
// 0, or what came to the caller meanwhile, as from greenlet_switch: GREENLET_THROWN with what was thrown in `thrown`, or
// GREENLET_EXIT. The handle is dropped in any case.
//
// `thrown` is NULL or has room for a pointer.
//
// `greenlet` is NULL or a handle of this thread that was not dropped.
int greenlet_drop(greenlet_t *greenlet, void **thrown);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GREENLET_H */
