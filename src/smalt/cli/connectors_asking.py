"""Turns what a person types for a run into the run: its step, its rows, where it goes and where results go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smalt.cli.options import refuse

if TYPE_CHECKING:
    from smalt.connectors.runs.rows import Table
    from smalt.connectors.runs.steps import Step
    from smalt.core.settings import Settings
    from smalt.store.connector_runs import StoredRun

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where calls go: a connection by name, or the server at an address with a key."""

    connection: str
    url: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where results go."""

    out: Path | None
    files: Path | None


def asked_step(connector: str, action: str, params: Sequence[str], maps: Sequence[str]) -> "Step":
    """The step that options describe; names that do not exist are refused."""
    from smalt.connectors.runs.steps import Step

    given, mapping = _pairs(params, "--param"), _pairs(maps, "--map")
    both = sorted(given.keys() & mapping.keys())
    if both:
        refuse(f"'{both[0]}' is given by --param and by --map. Keep one.")
    step = Step(connector=connector, action=action, given=given, mapping=mapping, folder=str(Path.cwd()))
    step.found()
    return step


def mapped(step: "Step", table: "Table") -> "Step":
    """The step with its templates checked against a table; without any, columns are parameters of the same name."""
    from dataclasses import replace

    from smalt.connectors.runs.mapping import unknown_names
    from smalt.connectors.runs.steps import names_of

    missing = unknown_names(step.mapping.values(), table.columns)
    if missing:
        refuse(f"The rows have no column '{missing[0]}'. They have: {', '.join(table.columns)}.")
    if not step.mapping:
        names = set(names_of(step.found()[1])) - step.given.keys()
        step = replace(step, mapping={name: f"{{{{{name}}}}}" for name in table.columns if name in names})
    if not step.mapping:
        refuse(
            "Nothing of the rows goes into the action: no column has a parameter's name. Say which goes where, such as "
            f"--map prompt={{{{{table.columns[0]}}}}}"
        )
    sound = next((row for row in table.rows if row.fault is None), None)
    if sound is not None:
        step.check(sound.input)
    return step


def new_run(settings: "Settings", step: "Step", place: Place, output: Output, concurrency: int) -> "StoredRun":
    """The run, whose server's key is encrypted; `add` gives it its rows."""
    from smalt.connectors.runs.reaching import with_key
    from smalt.core.clock import now
    from smalt.core.ids import random_id
    from smalt.store.connector_runs import StoredRun

    is_local = place.connection == LOCAL
    run = StoredRun(
        id=random_id("run_"),
        connector=step.connector,
        action=step.action,
        step=step.as_json(),
        connection_id=place.connection,
        url=server_of(settings, place.url) if is_local else None,
        concurrency=concurrency,
        output={name: str(path.absolute()) for name in ("out", "files") if (path := getattr(output, name))},
        created_at=now(),
    )
    return with_key(settings, run, place.key) if is_local else run


def server_of(settings: "Settings", url: str | None) -> str:
    """The address of the server that `local` stands for."""
    from smalt.cli.listening import base_url
    from smalt.connectors.connections.addresses import checked_address, server_root

    return server_root(checked_address(url or base_url(settings.server.host, settings.server.port)))


async def check_place(place: Place, run: "StoredRun") -> None:
    """Refuse what is no Smalt: calls to another server must not be taken for ones that may be repeated."""
    from aiohttp import ClientSession

    from smalt.connectors.connections.probing import looks_like_smalt

    if run.url is None:
        return
    async with ClientSession() as session:
        if await looks_like_smalt(session, run.url) is False:
            refuse(
                f"No Smalt answers at {run.url}. For another server, add a connection: smalt connections add NAME "
                f"--connector {run.connector} --base-url {place.url or run.url}"
            )


def output_of(kept: Mapping[str, str]) -> Output:
    """Where the results of a kept run go."""
    out, files = kept.get("out"), kept.get("files")
    return Output(out=Path(out) if out else None, files=Path(files) if files else None)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            refuse(f"{option} is written NAME=VALUE; '{text}' has no name and equals sign.")
        if not _is_text(text):
            refuse(f"{option} gives '{name}' bytes that are not UTF-8. Put them into a file, and give @PATH.")
        if name in pairs:
            refuse(
                f"{option} gives '{name}' twice. Keep one; a list is written as JSON, such as {name}='[\"a\", \"b\"]'."
            )
        pairs[name] = value
    return pairs


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
