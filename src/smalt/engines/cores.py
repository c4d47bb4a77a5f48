"""How many cores an engine may use."""

import os


def available_cores() -> int:
    """The cores of this process; where that is not known, those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
