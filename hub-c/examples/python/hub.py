"""The hubs in Python, by ctypes: one class, as thin as the C interface.

HUB_LIBRARY names the shared library if the system does not find it by itself.
"""

import ctypes
import errno
import math
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from ctypes.util import find_library

READ, WRITE, HUP, ERR, NVAL, RDHUP, PRI, ONESHOT, EDGE = 1, 2, 4, 8, 16, 32, 64, 256, 512


class Event(ctypes.Structure):
    _fields_ = [("fd", c_int32), ("ready", c_uint32), ("data", c_uint64)]


def _load():
    path = os.environ.get("HUB_LIBRARY") or find_library("hub") or "libhub.so"
    library = ctypes.CDLL(path, use_errno=True)
    for name, result, *arguments in [
        ("hub_create", c_void_p, c_char_p),
        ("hub_destroy", c_int, c_void_p),
        ("hub_name", c_char_p, c_void_p),
        ("hub_add", c_int, c_void_p, c_int, c_uint32),
        ("hub_modify", c_int, c_void_p, c_int, c_uint32),
        ("hub_remove", c_int, c_void_p, c_int),
        ("hub_wait", c_int, c_void_p, c_int64, POINTER(Event), c_uint32),
        ("hub_notify", c_int, c_void_p),
        ("hub_fd", c_int, c_void_p),
        ("hub_after_fork", c_int, c_void_p),
        ("hub_timer_add", c_int, c_void_p, c_int64, c_uint64),
        ("hub_timer_cancel", c_int, c_void_p, c_uint64),
        ("hub_timer_next", c_int, c_void_p, POINTER(c_int64)),
        ("hub_timer_expired", c_int, c_void_p, c_int64, POINTER(c_uint64), c_uint32),
        ("hub_timer_clear", c_int, c_void_p),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_lib = _load()


def _check(result, what):
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


class Hub:
    """One set of watched descriptors. Errors are OSError with the errno of the C interface."""

    def __init__(self, name="", capacity=1024):
        self._hub = _lib.hub_create(name.encode())
        if not self._hub:
            raise OSError(ctypes.get_errno(), f"no hub {name!r}: {os.strerror(ctypes.get_errno())}")
        self._events = (Event * capacity)()
        self._tokens = (c_uint64 * capacity)()

    def close(self):
        """Destroys it. Whoever waits in it gets EBADF."""
        hub, self._hub = self._hub, None
        if hub:
            _check(_lib.hub_destroy(hub), "hub_destroy")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def name(self):
        return _lib.hub_name(self._hub).decode()

    def fileno(self):
        """A descriptor to nest it in another loop, such as asyncio's add_reader."""
        return _check(_lib.hub_fd(self._hub), "hub_fd")

    def add(self, fd, interest):
        _check(_lib.hub_add(self._hub, fd, interest), "hub_add")

    def modify(self, fd, interest):
        _check(_lib.hub_modify(self._hub, fd, interest), "hub_modify")

    def remove(self, fd):
        _check(_lib.hub_remove(self._hub, fd), "hub_remove")

    def wait(self, seconds=None):
        """Pairs of descriptor and what it is ready for. None when time is over, hub.notify() was
        called, or a signal has arrived, whose Python handler has run then."""
        timeout = -1 if seconds is None else math.ceil(seconds * 1e9)
        count = _lib.hub_wait(self._hub, timeout, self._events, len(self._events))
        if count == -errno.EINTR:
            return []
        return [(event.fd, event.ready) for event in self._events[: _check(count, "hub_wait")]]

    def notify(self):
        """Ends the wait, from any thread."""
        _check(_lib.hub_notify(self._hub), "hub_notify")

    def after_fork(self):
        """In a child process, before anything else: makes the hub its own."""
        _check(_lib.hub_after_fork(self._hub), "hub_after_fork")

    def add_timer(self, deadline_ns, token):
        _check(_lib.hub_timer_add(self._hub, deadline_ns, token), "hub_timer_add")

    def cancel_timer(self, token):
        _check(_lib.hub_timer_cancel(self._hub, token), "hub_timer_cancel")

    def next_timer(self):
        """The earliest deadline, or None."""
        deadline = c_int64()
        found = _check(_lib.hub_timer_next(self._hub, byref(deadline)), "hub_timer_next")
        return deadline.value if found else None

    def expired_timers(self, now_ns):
        """Tokens of timers that are due, the earliest first; as many as there is capacity."""
        count = _lib.hub_timer_expired(self._hub, now_ns, self._tokens, len(self._tokens))
        return self._tokens[: _check(count, "hub_timer_expired")]

    def clear_timers(self):
        return _check(_lib.hub_timer_clear(self._hub), "hub_timer_clear")
