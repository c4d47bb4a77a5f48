"""How the engine host treats its workers, and how it learns what the machine can hold."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SHARE_OF_MACHINE = 0.7
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Policy(NamedTuple):
    """The settings that the host needs, as `--settings-json` carries them."""

    memory_bytes: int
    idle_seconds: float = 900.0
    start_timeout_seconds: float = 120.0
    health_seconds: float = 10.0
    room_seconds: float = 1.0
    """How long a lease waits for room before it is refused."""
    backoff_seconds: float = 1.0
    """Wait after the first failed start; doubles with every further one."""
    backoff_most_seconds: float = 60.0
    stable_seconds: float = 30.0
    """A worker that lived this long is not blamed for earlier failures."""
    log_level: str = "info"
    log_format: str = "text"


def read_policy(text: str) -> Policy:
    """Read the policy from its JSON; a memory budget of null becomes a share of the machine."""
    fields = json.loads(text)
    if fields.get("memory_bytes") is None:
        fields["memory_bytes"] = int(machine_memory_bytes() * SHARE_OF_MACHINE)
    return Policy(**fields)


def machine_memory_bytes() -> int:
    """What this machine, or the container we are in, can hold."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path(path).read_text("ascii")))
    return memory


def resident_bytes(pid: int) -> int:
    """The memory that process `pid` has in RAM; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:  # noqa: PTH123 pathlib is slower, and this runs often
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 2**20:,.0f} MiB"
