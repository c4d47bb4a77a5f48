"""Prints measurements beside their budgets: a table for people, Markdown for the docs, JSON for programs."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from smalt.cli.bench.pairs import Pairs, Spread, spread

Verdict = Literal["met", "missed", ""]
# Digits behind the point for figures below a bound.
DIGITS = ((2, 10), (1, 100), (0, float("inf")))
HEADINGS = ("what", "naked", "Smalt", "figure", "min to max", "budget", "verdict")


@dataclass(frozen=True)
class Budget:
    """A bound that a figure must keep."""

    bound: Literal["at least", "at most"]
    limit: float

    def verdict(self, figure: float) -> Verdict:
        """Whether the figure keeps the bound."""
        is_met = figure >= self.limit if self.bound == "at least" else figure <= self.limit
        return "met" if is_met else "missed"


def at_least(limit: float) -> Budget:
    """A budget that a figure must reach."""
    return Budget("at least", limit)


def at_most(limit: float) -> Budget:
    """A budget that a figure must not exceed."""
    return Budget("at most", limit)


@dataclass(frozen=True)
class Line:
    """One figure; `naked` and `smalt` are the medians it compares, where it compares."""

    what: str
    figure: Spread
    unit: str = ""
    budget: Budget | None = None
    naked: float | None = None
    smalt: float | None = None
    compared_unit: str = ""

    @property
    def verdict(self) -> Verdict:
        """What the budget says to the median."""
        return self.budget.verdict(self.figure.median) if self.budget else ""

    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it, in the order of `HEADINGS`."""
        apart = self.figure.low != self.figure.high
        return (
            self.what,
            _number(self.naked, self.compared_unit),
            _number(self.smalt, self.compared_unit),
            _number(self.figure.median, self.unit),
            f"{_number(self.figure.low)} to {_number(self.figure.high)}" if apart else "",
            f"{self.budget.bound} {_number(self.budget.limit, self.unit)}" if self.budget else "",
            self.verdict,
        )


@dataclass
class Report:
    """What one benchmark found, and `details`: everything it measured, for JSON."""

    title: str
    command: str
    sides: tuple[str, str] = ("naked", "Smalt")
    """What is compared, as the headings of `Line.naked` and `Line.smalt`."""
    lines: list[Line] = field(default_factory=list[Line])
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, what: str, figure: Spread, unit: str = "", *, budget: Budget | None = None) -> None:
        """Add a figure that stands alone."""
        self.lines.append(Line(what, figure, unit, budget))

    def compare(self, what: str, pairs: Pairs, unit: str, *, budget: Budget | None = None) -> None:
        """Add the ratio of Smalt's figure to the naked one."""
        self._compare(what, pairs, pairs.ratio, unit=unit, figure_unit="x", budget=budget)

    def added(self, what: str, pairs: Pairs, unit: str, *, budget: Budget | None = None) -> None:
        """Add what Smalt's figure has more than the naked one."""
        self._compare(what, pairs, pairs.difference, unit=unit, figure_unit=unit, budget=budget)

    def _compare(
        self, what: str, pairs: Pairs, figure: Spread, *, unit: str, figure_unit: str, budget: Budget | None
    ) -> None:
        naked, smalt = spread(pairs.naked).median, spread(pairs.smalt).median
        self.lines.append(Line(what, figure, figure_unit, budget, naked, smalt, unit))

    @property
    def headings(self) -> tuple[str, ...]:
        """What stands over the cells of the lines."""
        return (HEADINGS[0], *self.sides, *HEADINGS[3:])

    def markdown(self) -> str:
        """The table in Markdown, with the command and the machine, ready to paste."""
        rows = [self.headings, ("---",) * len(HEADINGS), *(line.cells() for line in self.lines)]
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        return f"`{self.command}`, {machine()}\n\n{table}\n"

    def json(self) -> str:
        """Everything that was measured."""
        lines = [{**asdict(line), "verdict": line.verdict} for line in self.lines]
        content = {
            "title": self.title,
            "command": self.command,
            "machine": machine(),
            "sides": self.sides,
            "lines": lines,
        }
        return json.dumps({**content, "details": self.details}, indent=2)

    def show(self, *, as_markdown: bool = False, json_file: Path | None = None) -> None:
        """Print the report, and write it to a file when one is named."""
        if json_file is not None:
            json_file.write_text(self.json() + "\n")
        if as_markdown:
            print(self.markdown())  # noqa: T201 - this command's output
            return
        from rich.console import Console

        Console().print(self._table())

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.title, caption=machine(), title_justify="left", caption_justify="left")
        for heading in self.headings:
            table.add_column(heading, justify="left" if heading in {"what", "verdict"} else "right")
        for line in self.lines:
            colour = {"met": "green", "missed": "red", "": ""}[line.verdict]
            table.add_row(*line.cells()[:-1], Text(line.verdict, style=colour))
        return table


def machine() -> str:
    """What the figures were measured on, with how busy it was."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}{load}"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    digits = next(digits for digits, bound in DIGITS if abs(value) < bound)
    space = "" if unit in {"", "x", "%"} else " "
    return f"{value:,.{digits}f}{space}{unit}"
