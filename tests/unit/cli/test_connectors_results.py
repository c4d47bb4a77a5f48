"""What a service answered with, as a terminal shows it."""

from typing import cast

import pytest
import typer

from smalt.cli.connectors_asking import Output
from smalt.cli.connectors_results import show_single
from smalt.core.clock import now
from smalt.store import connector_run_rows
from smalt.store.connector_run_rows import EndedRow
from smalt.store.connector_runs import StoredRun
from smalt.store.database import Database

RUN = StoredRun(
    id="run_1",
    connector="openai-gpt",
    action="create_transcription",
    step={},
    connection_id="local",
    url=None,
    concurrency=1,
    output={},
    created_at=now(),
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (rb"WEBVTT\r\n\r\nHi", ["WEBVTT", "", "Hi"]),
        (
            rb"\u001b[2JHi\rHo\u009b",
            ["\N{REPLACEMENT CHARACTER}[2JHi\N{REPLACEMENT CHARACTER}Ho\N{REPLACEMENT CHARACTER}"],
        ),
    ],
)
async def test_lines_are_shown_and_commands_to_a_terminal_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: bytes, shown: list[str]
):
    async def ended_rows(*_: object) -> list[EndedRow]:
        return [EndedRow(0, {}, "succeeded", b'{"text": "' + said + b'"}', 200, None)]

    monkeypatch.setattr(connector_run_rows, "ended_rows", ended_rows)
    await show_single(cast("Database", None), RUN, Output(out=None, files=None), json=False)
    _, _, told = capsys.readouterr().out.partition("text")
    assert [line.strip() for line in told.strip().splitlines()] == shown


async def test_a_run_that_was_forgotten_meanwhile_is_told_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    async def ended_rows(*_: object) -> list[EndedRow]:
        return []

    monkeypatch.setattr(connector_run_rows, "ended_rows", ended_rows)
    with pytest.raises(typer.Exit):
        await show_single(cast("Database", None), RUN, Output(out=None, files=None), json=False)
    assert "run_1 was forgotten" in capsys.readouterr().err
