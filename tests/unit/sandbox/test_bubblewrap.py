"""Where no sandbox can be made, the refusal says why and what to do."""

from pathlib import Path

import pytest

from smalt.core.errors import NotInstalled
from smalt.sandbox.bubblewrap import Bubblewrap


def script(folder: Path, text: str) -> Path:
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_extra_or_the_system_brings_a_program_that_works() -> None:
    assert Path(Bubblewrap().require()).name == "bwrap"


def test_a_program_in_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = script(tmp_path, "exit 0")
    assert Bubblewrap().require() == str(path)


def test_a_machine_that_forbids_sandboxes_is_told_of(tmp_path: Path) -> None:
    path = script(tmp_path, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    bubblewrap = Bubblewrap(path)
    for _ in range(2):
        with pytest.raises(NotInstalled, match="uid map: Permission denied") as caught:
            bubblewrap.require()
        assert "operations.md" in caught.value.message
    assert caught.value.status == 501


def test_a_program_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match="No such file"):
        Bubblewrap(tmp_path / "none").require()
