"""An engine host for each test, whose workers find the targets beside this file."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smalt.core.settings import load_settings
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import WorkerSpec

StartHost = Callable[..., HostProcess]


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartHost]:
    """Start an engine host with settings of the section `engines`; stopped at the end of the test."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with ExitStack() as stack:

        def start(**engines: Any) -> HostProcess:
            return stack.enter_context(start_host(load_settings(data_dir=tmp_path, engines=engines)))

        yield start


@pytest.fixture
def spec() -> Callable[..., WorkerSpec]:
    """The spec of a worker that runs a function of worker_targets.py."""

    def make(target: str = "well", key: str = "", memory: int = 2**20, **options: Any) -> WorkerSpec:
        return WorkerSpec(key or target, f"worker_targets:{target}", options, memory)

    return make
