"""How `smalt bench` shows what it found."""

import json
from pathlib import Path

import pytest

from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.report import HEADINGS, Report, at_least, at_most


@pytest.fixture
def report() -> Report:
    report = Report("A title", "smalt bench something")
    report.compare("tokens a second", Pairs((50, 40, 60), (49, 40, 57)), "tok/s", budget=at_least(0.97))
    report.added("first token", Pairs((20, 30), (28, 36)), "ms", budget=at_most(5))
    report.add("memory", spread([123.4]), "MB")
    return report


def test_a_figure_on_the_limit_keeps_the_budget() -> None:
    assert at_least(0.97).verdict(0.97) == "met"
    assert at_most(5).verdict(5) == "met"
    assert at_least(0.97).verdict(0.969) == "missed"
    assert at_most(5).verdict(5.01) == "missed"


def test_each_line_shows_both_sides_the_figure_its_range_and_the_verdict(report: Report) -> None:
    ratio, added, memory = (line.cells() for line in report.lines)
    assert ratio == ("tokens a second", "50.0 tok/s", "49.0 tok/s", "0.98x", "0.95 to 1.00", "at least 0.97x", "met")
    assert added == (
        "first token",
        "25.0 ms",
        "32.0 ms",
        "7.00 ms",
        "6.00 to 8.00",
        "at most 5.00 ms",
        "missed",
    )
    assert memory == ("memory", "", "", "123 MB", "", "", "")


def test_markdown_is_a_table_with_its_command_and_machine(report: Report) -> None:
    lines = report.markdown().splitlines()
    assert lines[0].startswith("`smalt bench something`, ")
    assert "cores" in lines[0]
    assert lines[2] == "| " + " | ".join(HEADINGS) + " |"
    assert len(lines) == 4 + len(report.lines)
    assert all(line.count("|") == len(HEADINGS) + 1 for line in lines[2:])


def test_a_report_may_compare_others_than_smalt_with_an_engine() -> None:
    report = Report("A title", "smalt bench something", sides=("chat", "responses"))
    assert report.markdown().splitlines()[2].startswith("| what | chat | responses | figure |")
    assert json.loads(report.json())["sides"] == ["chat", "responses"]


def test_json_holds_every_line_with_its_verdict(report: Report) -> None:
    content = json.loads(report.json())
    assert [line["verdict"] for line in content["lines"]] == ["met", "missed", ""]
    assert content["lines"][0]["budget"] == {"bound": "at least", "limit": 0.97}


def test_showing_prints_a_table_and_writes_the_file_that_was_named(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.show(json_file=tmp_path / "report.json")
    assert "A title" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["title"] == "A title"
    report.show(as_markdown=True)
    assert capsys.readouterr().out == report.markdown() + "\n"
