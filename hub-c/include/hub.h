/* One event backend (epoll, poll, select, ...) chosen by name at run time.
 *
 * Every int result is >= 0, or -errno. Nothing unwinds into the caller, nothing is printed.
 * A hub is used by one thread that waits, and may be changed by any other meanwhile: what they
 * add, modify and remove takes effect at once.
 *
 * This file is made from hub-c/src/abi.rs and event.rs: UPDATE_HEADER=1 cargo test -p hub-c --test header
 */

#ifndef HUB_H
#define HUB_H

#include <stdint.h>

// The version of this header: major, minor and patch number. hub_version is the library's.
#define HUB_VERSION 0x000200

// Interest, or report: a read makes progress.
#define HUB_READ 1

// Interest, or report: a write makes progress.
#define HUB_WRITE 2

// Report: both halves of the stream are closed, or the other end of a pipe is. It comes unasked,
// along with the directions that are asked for: the next read or write finds it.
#define HUB_HUP 4

// Report: an error is pending. It comes as HUB_HUP does.
#define HUB_ERR 8

// Report: the descriptor was closed without hub_remove. It comes once, or not at all.
#define HUB_NVAL 16

// With HUB_READ, which it comes with: show that the peer has shut down its writing half. Never
// shown where the system does not tell.
#define HUB_RDHUP 32

// With HUB_READ, which it comes with: show that urgent data is there.
#define HUB_PRI 64

// Part of an interest: report it once, and be silent until the next hub_modify. A report of one
// direction leaves the other.
#define HUB_ONESHOT 256

// Part of an interest: report it when it becomes ready, and perhaps at other times. The caller
// goes on until a call says EAGAIN, and then calls hub_modify to hear of it again, which costs a
// system call on some backends only.
#define HUB_EDGE 512

// A hub: one set of watched descriptors. It is a name, never a pointer to follow.
typedef struct hub_t hub_t;

// One report: this descriptor is ready like this.
typedef struct {
  // The number it was added with.
  int32_t fd;
  // A set of HUB_READ, HUB_WRITE, HUB_HUP, HUB_ERR, HUB_RDHUP and HUB_PRI, or HUB_NVAL alone.
  uint32_t ready;
  // What it was added with, or 0.
  uint64_t data;
} hub_event_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a hub: "epoll", "poll", "select" or "polling", or "" for the best of this system.
//
// NULL with errno EINVAL for a name that is not known here (or NULL), EMFILE, ENFILE or ENOMEM
// if the system has no more to give.
//
// `name` is NULL or a C string.
hub_t *hub_create(const char *name);

// The version of the library: major, minor and patch number as 0xMMmmpp. HUB_VERSION is that of
// this header.
int hub_version(void);

// Ends a hub and closes its own descriptors, not those it watches. A thread that waits in it
// gets -EBADF, and so does every later call.
int hub_destroy(hub_t *hub);

// The name of a hub, also of one made with ""; a string that is never freed. NULL if it is none.
const char *hub_name(const hub_t *hub);

// Watches a descriptor for `interest`, a set of HUB_READ and HUB_WRITE; the empty set reports
// nothing. Do not close it before hub_remove.
//
// Reports come as long as it is ready (level-triggered), unless the interest has HUB_ONESHOT or
// HUB_EDGE. HUB_RDHUP and HUB_PRI beside HUB_READ have these details shown. Urgent data makes
// reading ready.
//
// -EEXIST if it is watched already, -EBADF if it is not open, -EINVAL for another interest, and
// what the system says. A number that was closed without hub_remove and belongs to another file
// now is no -EEXIST: the old registration ends.
int hub_add(hub_t *hub, int fd, uint32_t interest);

// As hub_add; each report brings `data` back, a number or an address. It is never followed.
int hub_add_with(hub_t *hub, int fd, uint32_t interest, uint64_t data);

// Has the reports of a descriptor bring other data back. -ENOENT if it is not watched.
int hub_set_data(hub_t *hub, int fd, uint64_t data);

// Watches a descriptor for another interest. Its data stays.
//
// -ENOENT if it is not watched, or was closed without hub_remove, whether or not another file
// has its number now. Then it is no longer registered, and may be added.
int hub_modify(hub_t *hub, int fd, uint32_t interest);

// Ends watching a descriptor: no later wait reports it. -ENOENT if it is not watched. It may
// have been closed.
int hub_remove(hub_t *hub, int fd);

// Waits until a descriptor is ready, and writes up to `capacity` reports to `out`, one for each
// descriptor. What does not fit comes with the next call, before what is reported again.
//
// `timeout_ns` is in nanoseconds: 0 only looks, a negative one waits for ever.
//
// The number of reports. 0 if the time is over or hub_notify was called. -EINTR if a signal
// arrived. -EBUSY if another thread waits in this hub: there is one hub for a thread. -EINVAL if
// `out` is NULL or `capacity` 0. -EBADF if the hub is destroyed meanwhile.
//
// `out` has room for `capacity` events.
int hub_wait(hub_t *hub, int64_t timeout_ns, hub_event_t *out, uint32_t capacity);

// Makes the hub_wait that is going on return, or the next one, with what is ready or 0. Any
// number of calls before that count as one. From any thread, and from a signal handler: alone of
// all functions it takes no lock, and it leaves errno alone.
int hub_notify(hub_t *hub);

// A descriptor that is readable while hub_wait would return at once, with which a hub is nested
// in another event loop. It belongs to the hub. Regular files, which are always ready, do not
// count. -ENOTSUP if there is none (poll and select).
int hub_fd(hub_t *hub);

// After fork, in the child: gives it a hub of its own with the same registrations and timers,
// under the same handle. hub_fd changes. Until then every function but this, hub_destroy and
// hub_name says -ECHILD, since what the child did would happen to the parent's hub.
//
// 0 if there is nothing to do. -EBUSY if a thread of the parent was about to change the hub: then
// only hub_destroy is left.
int hub_after_fork(hub_t *hub);

// Adds a timer. Times are nanoseconds on whatever clock the caller counts; a hub reads none, and
// hub_wait knows no timers: give it the time that is left until hub_timer_next.
//
// -EEXIST if a timer with this token is pending.
int hub_timer_add(hub_t *hub, int64_t deadline_ns, uint64_t token);

// Takes a timer back. -ENOENT if none with this token is pending.
int hub_timer_cancel(hub_t *hub, uint64_t token);

// The earliest deadline: 1 if there is one, which is written to `deadline_ns`, or 0.
//
// `deadline_ns` is NULL or has room for an integer.
int hub_timer_next(hub_t *hub, int64_t *deadline_ns);

// Takes up to `capacity` timers whose deadline is not after `now_ns`, and writes their tokens,
// the earliest first, among equals in the order they were added. The number of them.
//
// `tokens` has room for `capacity` integers.
int hub_timer_expired(hub_t *hub, int64_t now_ns, uint64_t *tokens, uint32_t capacity);

// Forgets every timer. The number of them.
int hub_timer_clear(hub_t *hub);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HUB_H */
