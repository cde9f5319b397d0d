"""Child processes that never outlive their parent."""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tied_to_parent():
    """A `preexec_fn` that has the kernel kill the child the moment its parent dies.

    None where there is no such call (only Linux has it), and outside the main thread: the kernel
    ties a child to the thread that made it, and other threads end early.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not sys.platform.startswith("linux") or not in_main_thread:
        return None
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: not safe after it

    def tie():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the call above
            os._exit(1)

    return tie
