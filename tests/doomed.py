"""Servers that are killed and started again over one data folder, for tests of what outlives that."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import openai

from ports import free_port

SMALT = (sys.executable, "-c", "from smalt.cli import main; main()")


class Doomed:
    """A data folder, and the servers that live and die on it."""

    def __init__(self, folder: Path, settings: str) -> None:
        (folder / "smalt.toml").write_text(settings)
        self.data_dir = folder / "data"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
        self._environment |= {"SMALT_CONFIG": str(folder / "smalt.toml"), "SMALT_DATA_DIR": str(self.data_dir)}
        self._log = folder / "log.txt"
        made = subprocess.run(
            [*SMALT, "keys", "create", "k", "--json"], env=self._environment, check=True, capture_output=True
        )
        self._key = json.loads(made.stdout)["key"]

    @contextmanager
    def living(self) -> Iterator[tuple[openai.OpenAI, subprocess.Popen[bytes]]]:
        """A server that answers; the block may kill it."""
        port = free_port()
        url = f"http://127.0.0.1:{port}/v1"
        with self._log.open("a") as output:
            process = subprocess.Popen(
                [*SMALT, "serve", "--port", str(port)],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            with openai.OpenAI(base_url=url, api_key=self._key, max_retries=0, timeout=30) as client:
                self._wait(client, process)
                yield client, process
        finally:
            kill(process)

    def _wait(self, client: openai.OpenAI, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                client.models.list()
            except openai.APIConnectionError:
                assert process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query finds in the database's file."""
        with closing(sqlite3.connect(f"file:{self.data_dir / 'smalt.db'}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a server and everything that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
