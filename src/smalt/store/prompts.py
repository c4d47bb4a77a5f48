"""Prompt templates: kept under a name, in versions that count up and never change."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import timed_id
from smalt.store.database import Database
from smalt.store.tables import prompt_versions as versions
from smalt.store.tables import prompts as table

Json = dict[str, Any]

ID_PREFIX = "pmpt_"
LONGEST_NAME = 256
MOST_DIGITS = 9

DEFAULT_FIELDS = frozenset(
    {
        "max_output_tokens",
        "max_tool_calls",
        "parallel_tool_calls",
        "reasoning",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
    }
)
"""The fields of a request that a prompt template may set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromptVersion:
    """What a version says; its texts may have places for variables, written `{{name}}`.

    `messages` are input messages (`{"role": …, "content": …}`) that come before the input of a request, `defaults` are
    fields of a request, of `DEFAULT_FIELDS`, that hold where a request leaves them out.
    """

    instructions: str | None = None
    messages: Sequence[Json] = ()
    defaults: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """One version of a prompt template; see `NewPromptVersion` for what it says."""

    id: str
    name: str
    project: str
    version: str
    created_at: int
    instructions: str | None
    messages: list[Json]
    defaults: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt template and the numbers of its versions, the oldest first."""

    id: str
    name: str
    project: str
    created_at: int
    versions: list[str]


class Prompts:
    """The prompt templates of every project; each is known by its id or by its name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, project: str, prompt_id: str, new: NewPromptVersion) -> PromptVersion:
        """Add the next version of a prompt; a name that nobody has becomes a prompt with its first version."""
        made_id = f"{timed_id(ID_PREFIX)}{secrets.token_hex(8)}"

        def insert(connection: sa.Connection) -> PromptVersion:
            prompt = _row(connection, project, prompt_id)
            if prompt is None:
                _require_name(prompt_id)
                prompt = _insert(connection, project, prompt_id, made_id)
            here = table.c.sequence == prompt.sequence
            number: int = connection.execute(
                sa.update(table)
                .where(here)
                .values(last_version=table.c.last_version + 1)
                .returning(table.c.last_version)
            ).scalar_one()
            row = {
                "prompt": prompt.sequence,
                "version": number,
                "instructions": new.instructions,
                "messages": list(new.messages),
                "defaults": new.defaults,
                "created_at": now(),
            }
            connection.execute(sa.insert(versions).values(row))
            return _version(connection, prompt, str(number))

        return await self._database.write(insert)

    async def get(self, project: str, prompt_id: str, version: str | None = None) -> PromptVersion:
        """A version of a prompt, the newest if none is named.

        The `NotFound` names the parameter `prompt.id` or `prompt.version` of a request.
        """
        return await self._database.read(
            lambda connection: _version(connection, _find(connection, project, prompt_id), version)
        )

    async def list(self, project: str | None = None) -> list[Prompt]:
        """The prompts of a project, or of all, by name."""

        def select(connection: sa.Connection) -> list[Prompt]:
            query = sa.select(table).order_by(table.c.project, table.c.name)
            if project is not None:
                query = query.where(table.c.project == project)
            return [_prompt(connection, row) for row in connection.execute(query)]

        return await self._database.read(select)

    async def remove(self, project: str, prompt_id: str, version: str | None = None) -> Prompt:
        """Forget a prompt, or one version of it; returns what there was. A prompt goes with its last version."""

        def delete(connection: sa.Connection) -> Prompt:
            row = _find(connection, project, prompt_id)
            before = _prompt(connection, row)
            left: list[str] = []
            if version is not None:
                found = _version(connection, row, version).version
                left = [one for one in before.versions if one != found]
                this = (versions.c.prompt == row.sequence, versions.c.version == int(found))
                connection.execute(sa.delete(versions).where(*this))
            if not left:
                connection.execute(sa.delete(table).where(table.c.sequence == row.sequence))
            return before

        return await self._database.write(delete)


def _insert(connection: sa.Connection, project: str, name: str, prompt_id: str) -> sa.Row[Any]:
    row = {"id": prompt_id, "project": project, "name": name, "created_at": now(), "last_version": 0}
    return connection.execute(sa.insert(table).values(row).returning(table)).one()


def _require_name(name: str) -> None:
    if name.startswith(ID_PREFIX):
        raise NotFound(f"Prompt with id '{name}' not found; the name of a new one may not begin with {ID_PREFIX}.")
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InvalidRequest(f"A prompt's name has 1 to {LONGEST_NAME} characters.")


def _row(connection: sa.Connection, project: str, prompt_id: str) -> sa.Row[Any] | None:
    column = table.c.id if prompt_id.startswith(ID_PREFIX) else table.c.name
    query = sa.select(table).where(table.c.project == project, column == prompt_id)
    return connection.execute(query).one_or_none()


def _find(connection: sa.Connection, project: str, prompt_id: str) -> sa.Row[Any]:
    row = _row(connection, project, prompt_id)
    if row is None:
        raise NotFound(
            f"Prompt with id '{prompt_id}' not found. See the prompts there are with: smalt prompts list",
            param="prompt.id",
        )
    return row


def _version(connection: sa.Connection, prompt: sa.Row[Any], version: str | None) -> PromptVersion:
    query = sa.select(versions).where(versions.c.prompt == prompt.sequence)
    if version is not None:
        query = query.where(versions.c.version == _number(version))
    row = connection.execute(query.order_by(versions.c.version.desc()).limit(1)).one_or_none()
    if row is None:
        there = ", ".join(_prompt(connection, prompt).versions)
        raise NotFound(
            f"Prompt with id '{prompt.id}' has no version '{version}'; it has {there}.", param="prompt.version"
        )
    return PromptVersion(
        id=prompt.id,
        name=prompt.name,
        project=prompt.project,
        version=str(row.version),
        created_at=row.created_at,
        instructions=row.instructions,
        messages=row.messages,
        defaults=row.defaults,
    )


def _number(version: str) -> int:
    """The number that a version is written as; none has 0."""
    is_number = version.isascii() and version.isdigit() and len(version) <= MOST_DIGITS
    return int(version) if is_number else 0


def _prompt(connection: sa.Connection, row: sa.Row[Any]) -> Prompt:
    query = sa.select(versions.c.version).where(versions.c.prompt == row.sequence).order_by(versions.c.version)
    numbers = [str(number) for number in connection.execute(query).scalars()]
    return Prompt(id=row.id, name=row.name, project=row.project, created_at=row.created_at, versions=numbers)
