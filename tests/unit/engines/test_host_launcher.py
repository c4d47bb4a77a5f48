"""The folder that holds the engine host's sockets, and what the host is told."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from smalt.engines.host.launcher import SocketFolder
from smalt.engines.host.policy import machine_memory_bytes, read_policy

UNIX_PATH_LIMIT = 103


def test_the_folder_lies_in_the_data_folder_and_is_private():
    with TemporaryDirectory() as short:
        folder = SocketFolder(Path(short) / "data")
        assert folder.path.parent == Path(short) / "data" / "run"
        assert folder.path.stat().st_mode & 0o777 == 0o700
        folder.remove()
        assert not folder.path.exists()


def test_a_data_folder_too_deep_for_sockets_is_replaced_by_a_private_temporary_one(tmp_path: Path):
    folder = SocketFolder(tmp_path / ("deep" * 40))
    assert len(f"{folder.path}/w1234567-12345.sock") <= UNIX_PATH_LIMIT
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    assert not folder.path.exists()


def test_a_folder_in_use_is_left_alone_and_an_abandoned_one_is_removed(tmp_path: Path):
    used, abandoned = SocketFolder(tmp_path), SocketFolder(tmp_path)
    abandoned._lock.close()
    third = SocketFolder(tmp_path)
    assert used.path.exists()
    assert not abandoned.path.exists()
    for folder in (used, third):
        folder.remove()


def test_without_a_memory_budget_workers_may_use_a_share_of_the_machine():
    policy = read_policy(json.dumps({"memory_bytes": None, "idle_seconds": 5}))
    assert policy.memory_bytes == pytest.approx(0.7 * machine_memory_bytes(), rel=0.01)
    assert policy.idle_seconds == 5
