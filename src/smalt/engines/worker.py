"""The entry of a worker process: `python -m smalt.engines.worker --socket PATH --ready-fd N`, its spec on stdin.

The spec's `options["env"]` is put in the environment before the target is imported, for libraries that read it as
they load. Standard input stays open as long as the engine host lives; its end is the order to die. What is written to
standard output and standard error goes to the host's log.
"""

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from smalt.core.errors import ApiError
from smalt.engines.failures import describe

Target = Callable[[Mapping[str, Any], str, Callable[[Mapping[str, Any]], None]], None]


class Report:
    """The one message to the host: that we are ready, or why we never will be."""

    def __init__(self, pipe_fd: int) -> None:
        self._pipe: BinaryIO | None = os.fdopen(pipe_fd, "wb")

    def send(self, message: Mapping[str, Any]) -> None:
        """Send it; a second message is dropped."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with suppress(OSError), pipe:
                pipe.write(json.dumps(message).encode() + b"\n")


def main(arguments: list[str]) -> int:
    """Run the target that the spec names until it returns."""
    named = dict(zip(arguments[::2], arguments[1::2], strict=True))
    spec = _read_spec()
    os.umask(0o077)
    _die_with_the_host()
    _be_the_first_to_go()
    os.environ.update(spec["options"].get("env", {}))
    report = Report(int(named["--ready-fd"]))
    try:
        _target(spec["target"])(spec["options"], named["--socket"], lambda info: report.send({"info": dict(info)}))
    except ApiError as error:
        report.send({"error": describe(error)})
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 the host's log
        return 1
    return 0


def _read_spec() -> dict[str, Any]:
    """Read the one line of standard input, byte by byte: what follows belongs to the watching thread."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            os._exit(0)
        line += piece
    return json.loads(line)


def _target(name: str) -> Target:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _die_with_the_host() -> None:
    alive_fd = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_exit_at_end_of, args=(alive_fd,), name="watch the host", daemon=True).start()
    if sys.platform == "linux":
        _ask_the_kernel_to_kill_us_too()


def _exit_at_end_of(alive_fd: int) -> None:
    while True:
        with suppress(InterruptedError):
            if not os.read(alive_fd, 1):
                os._exit(0)


def _ask_the_kernel_to_kill_us_too() -> None:
    """Native code may hang with the interpreter's lock held, and then the watching thread never runs."""
    import ctypes

    set_parent_death_signal = 1
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)


def _be_the_first_to_go() -> None:
    """When memory runs out, the kernel should take a worker, which can be started again, and not the server."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", "ascii")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
