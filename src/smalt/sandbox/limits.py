"""How much one sandbox may take."""

from dataclasses import dataclass

THREADS = 64
INODES = 100_000
SCRATCH_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What the code of one container may take.

    `seconds` and `output_bytes` are of one call; `cpu_seconds` of the process, which lives over many calls.
    """

    memory_bytes: int = 2**30
    files_bytes: int = 512 * 2**20
    seconds: float = 60.0
    cpu_seconds: int = 600
    output_bytes: int = 64 * 2**10
