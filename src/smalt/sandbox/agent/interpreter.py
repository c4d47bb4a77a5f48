"""The interpreter inside the sandbox: does what the host asks on its standard input, one thing after another.

Everything that runs here may be changed by the code it runs, so the host believes none of it.
"""

import ast
import json
import linecache
import os
import resource
import signal
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from smalt.sandbox.agent.framing import PIECE_BYTES, pack, read_frame

Json = dict[str, Any]

FOLDER = Path("/mnt/data")
MOST_FILES = 1000
FIGURES = "smalt.sandbox.agent.figures"


class Interpreter:
    """Python with a memory: what one call defines, the next one finds."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._module = types.ModuleType("__main__")
        # Python's own come with the module `site`, which looks for more of the host than is here.
        self._module.__dict__.update(exit=sys.exit, quit=sys.exit)
        self._calls = 0
        self._is_running = False

    def answer(self, header: Json, payload: bytes = b"") -> None:
        """Send a frame to the host."""
        self._answers.write(pack(header, payload))
        self._answers.flush()

    def interrupt(self, _number: int, _frame: types.FrameType | None) -> None:
        """Stop the code that runs; the host sends a signal when its time is over."""
        if self._is_running:
            self._is_running = False
            raise KeyboardInterrupt("the code took too long")

    def run(self, request: Json, code: bytes) -> None:
        """Run code; its prints go to the log, its figures come as pieces before the answer."""
        self._calls += 1
        sys.modules["__main__"] = self._module
        self._is_running = True
        try:
            status = self._execute(code.decode(), f"<call {self._calls}>")
            figures = _figures()
        except BaseException:  # noqa: BLE001 the host is told that the call failed, whatever the code has done
            traceback.print_exc()
            status, figures = "failed", []
        finally:
            self._is_running = False
        for picture in figures:
            for start in range(0, len(picture), PIECE_BYTES):
                is_last = start + PIECE_BYTES >= len(picture)
                self.answer({"figure": True, "is_last": is_last}, picture[start : start + PIECE_BYTES])
        _end_log(request["mark"])
        self.answer({"status": status})

    def put(self, request: Json, payload: bytes) -> None:
        """Write a piece of a file."""
        path = FOLDER / request["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if request["is_first"] else "ab") as file:
            file.write(payload)
        self.answer({})

    def remove(self, request: Json, _payload: bytes) -> None:
        """Remove a file."""
        (FOLDER / request["path"]).unlink(missing_ok=True)
        self.answer({})

    def list(self, _request: Json, _payload: bytes) -> None:
        """Tell the files: name, bytes, and when they were changed."""
        files: list[tuple[str, int, int]] = []
        for folder, _, names in os.walk(FOLDER):
            for name in names:
                path = Path(folder, name)
                if path.is_symlink() or not path.is_file() or len(files) == MOST_FILES:
                    continue
                about = path.stat()
                files.append((str(path.relative_to(FOLDER)), about.st_size, about.st_mtime_ns))
        self.answer({"files": files})

    def read(self, request: Json, _payload: bytes) -> None:
        """Send a piece of a file."""
        with (FOLDER / request["path"]).open("rb") as file:
            file.seek(request["start"])
            self.answer({}, file.read(PIECE_BYTES))

    def _execute(self, code: str, name: str) -> str:
        # A traceback shows lines of the code.
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            tree = compile(code, name, "exec", ast.PyCF_ONLY_AST)
            assert isinstance(tree, ast.Module)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), self._module.__dict__)  # noqa: S102 it is what the sandbox is for
            if isinstance(last, ast.Expr):
                expression = compile(ast.Expression(last.value), name, "eval")
                _show(eval(expression, self._module.__dict__))  # noqa: S307 the same
        except SystemExit:
            return "completed"
        except BaseException as error:  # noqa: BLE001 the code's own failures are its result
            _print_failure(error)
            return "failed"
        return "completed"


def main() -> None:
    """Serve the host until it closes the pipe."""
    options = json.loads(sys.argv[1])
    requests, answers = _own_pipes()
    _limit(options)
    interpreter = Interpreter(answers)
    doing: dict[str, Callable[[Json, bytes], None]] = {
        "run": interpreter.run,
        "put": interpreter.put,
        "remove": interpreter.remove,
        "list": interpreter.list,
        "read": interpreter.read,
    }
    signal.signal(signal.SIGINT, interpreter.interrupt)
    os.chdir(FOLDER)
    interpreter.answer({"is_ready": True})
    while (frame := read_frame(requests)) is not None:
        header, payload = frame
        try:
            doing[header["do"]](header, payload)
        except (OSError, ValueError) as error:
            interpreter.answer({"error": f"{type(error).__name__}: {error}"})


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes to the host away from the standard streams; all output goes to the log from now on."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    return requests, answers


def _limit(options: Json) -> None:
    """Set limits that nobody in here can raise again."""
    memory, library_bytes = options["memory_bytes"], 2**30
    limits = {
        resource.RLIMIT_DATA: memory,
        # Libraries that are mapped count here, and do not take memory of their own.
        resource.RLIMIT_AS: memory + library_bytes,
        resource.RLIMIT_CPU: options["cpu_seconds"],
        resource.RLIMIT_FSIZE: options["files_bytes"],
        resource.RLIMIT_NPROC: options["threads"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _show(value: object) -> None:
    """Print what the last line is, as a notebook does."""
    if value is not None:
        print(repr(value))  # noqa: T201 the log


def _print_failure(error: BaseException) -> None:
    """Print the traceback without our own frames."""
    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
        inner = inner.tb_next
    traceback.print_exception(type(error), error, inner)


def _figures() -> list[bytes]:
    if "matplotlib.pyplot" not in sys.modules:
        return []
    from smalt.sandbox.agent.figures import take

    return take()


def _end_log(mark: str) -> None:
    """Write the mark behind everything that the call has printed."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(2, mark.encode())
