"""A person's terminal with `smalt connectors` in it, and a Smalt elsewhere that it calls; both may be killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from ports import free_port

# As in a terminal: who runs the tests in the background of a shell has Ctrl-C ignored, and what they start inherits it.
CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
SMALT = (sys.executable, "-c", f"{CTRL_C}; from smalt.cli import main; main()")
TERMINAL = """
starter = false
[connectors]
throttle = false
secrets = "file"
[jobs]
poll_seconds = 0.2
silence_seconds = 8
"""


class Terminal:
    """Commands over a data folder of their own."""

    def __init__(self, folder: Path, settings: str = TERMINAL, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "smalt.toml").write_text(settings)
        self.folder = folder
        self.data_dir = folder / "data"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
        self._environment |= {"SMALT_CONFIG": str(folder / "smalt.toml"), "SMALT_DATA_DIR": str(self.data_dir)}
        self._environment |= environment
        self.log = folder / "log.txt"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that goes on while the test does."""
        with self.log.open("a") as output:
            return subprocess.Popen(
                [*SMALT, *words], env=self._environment, cwd=self.folder, stdout=output, stderr=output
            )

    def run(self, *words: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """A command, and what it said."""
        done = subprocess.run(
            [*SMALT, *words], env=self._environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == exit_code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the database's file."""
        with closing(sqlite3.connect(f"file:{self.data_dir / 'smalt.db'}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()

    def counts(self) -> Mapping[str, int]:
        """How many rows of the only run stand how; none before there is one."""
        try:
            return dict(self.rows("SELECT status, count(*) FROM connector_run_rows GROUP BY status"))
        except sqlite3.OperationalError:
            return {}

    def run_id(self) -> str:
        """The id of the only run."""
        ((found,),) = self.rows("SELECT id FROM connector_runs")
        return found


class Server(Terminal):
    """A Smalt at one address, which is killed and started again there."""

    def __init__(self, folder: Path, settings: str) -> None:
        super().__init__(folder, settings)
        self.key = json.loads(self.run("keys", "create", "k", "--json").stdout)["key"]
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it and wait until it answers."""
        self.process = self.start("serve", "--port", self.url.rpartition(":")[2])
        until(self._is_ready, self.log.read_text)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self.process is not None:
            kill_tree(self.process)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started; those first, so that none sees it go."""
    if process.poll() is None:
        # Stopped, it starts nobody in the place of those who are killed.
        process.send_signal(signal.SIGSTOP)
        for child in children(process):
            child.kill()
        process.kill()
    process.wait()


def until(is_so: Callable[[], object], told: Callable[[], object] = lambda: "", seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.05)
