"""A hub for eventlet on the C interface: with it eventlet runs on any of the backends.

    EVENTLET_HUB=eventlet_hub:Select python3 program.py

Classes: Hub (the best of the system), Epoll, Poll, Select, Polling.
"""

import errno
import os
import sys
import weakref

import hub as native
from eventlet.hubs import hub


def is_available():
    return True


class Hub(hub.BaseHub):
    backend = ""

    def __init__(self, clock=None):
        super().__init__(clock)
        self.native = native.Hub(self.backend)
        # Not at exit: eventlet waits for its threads there, on the hub.
        weakref.finalize(self, self.native.close).atexit = False
        # A weak one: a hub lives no longer for having been registered.
        after_fork = weakref.WeakMethod(self.native.after_fork)
        os.register_at_fork(after_in_child=lambda: (after_fork() or (lambda: None))())

    def add(self, evtype, fileno, cb, tb, mark_as_closed):
        if fileno < 0:
            raise ValueError(f"file descriptor cannot be a negative integer ({fileno})")
        listener = super().add(evtype, fileno, cb, tb, mark_as_closed)
        try:
            self._register(fileno)
        except OSError:
            super().remove(listener)
            raise
        return listener

    def remove(self, listener):
        super().remove(listener)
        self._register(listener.fileno)

    def remove_descriptor(self, fileno):
        super().remove_descriptor(fileno)
        self._register(fileno)

    def _register(self, fileno):
        interest = native.READ if fileno in self.listeners[self.READ] else 0
        interest |= native.WRITE if fileno in self.listeners[self.WRITE] else 0
        try:
            if interest:
                self._watch(fileno, interest)
            else:
                self.native.remove(fileno)
        except OSError as error:
            # What is not registered need not be removed.
            if interest or error.errno != errno.ENOENT:
                raise

    def _watch(self, fileno, interest):
        try:
            self.native.add(fileno, interest)
        except FileExistsError:
            self.native.modify(fileno, interest)

    def wait(self, seconds=None):
        events = self.native.wait(seconds)
        if self.debug_blocking:
            self.block_detect_pre()
        readers, writers = self.listeners[self.READ], self.listeners[self.WRITE]
        # All of them first: a callback may close a descriptor whose event comes after it.
        callbacks = set()
        for fileno, ready in events:
            if ready & native.NVAL:
                self.remove_descriptor(fileno)
                continue
            if ready & native.READ:
                callbacks.add((readers.get(fileno, hub.noop), fileno))
            if ready & native.WRITE:
                callbacks.add((writers.get(fileno, hub.noop), fileno))
        for listener, fileno in callbacks:
            try:
                listener.cb(fileno)
            except self.SYSTEM_EXCEPTIONS:
                raise
            except BaseException:
                self.squelch_exception(fileno, sys.exc_info())
        if self.debug_blocking:
            self.block_detect_post()


class Epoll(Hub):
    backend = "epoll"


class Poll(Hub):
    backend = "poll"


class Select(Hub):
    backend = "select"


class Polling(Hub):
    backend = "polling"
