"""One thread of a running process that stands still, while the others go on: held as a debugger would hold it."""

import contextlib
import ctypes
import os

from support.cluster import NotPossible

# linux/ptrace.h
PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000  # waits for threads, too


def find_thread(pid, name):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as comm:
            if comm.read().strip() == name:
                return int(thread)
    raise AssertionError(f"process {pid} has no thread called {name!r}")


def trace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(ctypes.c_long(request), ctypes.c_int(thread), ctypes.c_void_p(), ctypes.c_void_p()) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


@contextlib.contextmanager
def held_thread(pid, name):
    """The thread of this name does nothing inside the context. NotPossible where tracing is forbidden."""
    thread = find_thread(pid, name)
    try:
        trace(PTRACE_SEIZE, thread)
    except OSError as error:
        raise NotPossible(f"a thread that stands still: {error}") from error
    trace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        trace(PTRACE_DETACH, thread)
