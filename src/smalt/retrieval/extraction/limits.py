"""What a process that reads documents may take, and what it may not do; set by itself before it reads."""

import contextlib
import resource
import sys
from contextlib import suppress

MOST_OUTPUT_BYTES = 1 << 30
CLONE_NEW_NETWORK = 0x40000000
CLONE_NEW_USER = 0x10000000
DIE_WITH_PARENT = 1
KILL = 9
NO_NEW_PRIVILEGES = 38


def confine(memory_bytes: int) -> None:
    """Bound memory and files, and cut the network off where the system lets us."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, MOST_OUTPUT_BYTES)
    # Address space counts libraries and what is reserved but never used, so data is bounded first where it counts.
    if sys.platform == "linux":
        _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_AS, memory_bytes + (1 << 30))
    if sys.platform == "linux":
        _cut_off()


def allow_cpu(seconds: float) -> None:
    """Let the process compute for so long from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # Some systems know a limit and refuse to set it.
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def _cut_off() -> None:
    import ctypes

    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(DIE_WITH_PARENT, KILL, 0, 0, 0)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        # In a network of its own there is nobody to talk to. Where that is not allowed, nothing here talks anyway.
        if libc.unshare(CLONE_NEW_NETWORK) != 0:
            libc.unshare(CLONE_NEW_USER | CLONE_NEW_NETWORK)
