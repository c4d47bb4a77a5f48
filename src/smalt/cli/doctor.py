"""`smalt doctor`: says what is missing on this machine, and the command that gets it."""

import typer

from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import show_json

MARKS = {"ok": "ok", "note": "note", "bad": "BAD"}


def doctor(*, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Say what is missing for `smalt serve`, and how to get it; the exit code is 1 when serving would not work."""
    from smalt.cli.examination import examine

    findings = list(examine(read_settings(config)))
    bad = sum(finding.grade == "bad" for finding in findings)
    if json:
        show_json([{"grade": found.grade, "topic": found.topic, "text": found.text} for found in findings])
    else:
        for finding in findings:
            typer.echo(f"{MARKS[finding.grade]:<4}  {finding.topic:<8}  {finding.text}")
        typer.echo(f"\nNot ready to serve; to be mended: {bad}." if bad else "\nReady to serve.")
    if bad:
        raise typer.Exit(1)
