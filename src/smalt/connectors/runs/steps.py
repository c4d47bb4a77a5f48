"""A step: an action and where its values come from. It stands alone, so that it can be done once, often or in a row."""

from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Final, Self

from smalt.connectors.acting import act
from smalt.connectors.calls import NOTHING
from smalt.connectors.containers import root
from smalt.connectors.definitions import registry
from smalt.connectors.definitions.vocabulary import Action, Connector, Parameter
from smalt.connectors.exchange import Carrier, FileValue
from smalt.connectors.runs.mapping import PATH, Scope, filled
from smalt.connectors.values import read_values
from smalt.core.errors import InvalidRequest

AT: Final = "@"
STRUCTURED: Final = frozenset({"object", "array of object", "array of string", "array of integer", "array of float"})
NO_SCOPE: Final[Scope] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An action with values as they are (`given`) and as templates (`mapping`).

    `@path` stands for a file where a parameter is one, and for JSON in a file where it is an object or a list; paths
    begin in `folder`.
    """

    connector: str
    action: str
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: str = ""

    def as_json(self) -> dict[str, Any]:
        """The step as it is kept."""
        return asdict(self)

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Self:
        """The step that was kept."""
        return cls(**kept)

    def found(self) -> tuple[Connector, Action]:
        """The connector and the action that it names; raises `NotFound`."""
        connector = registry.connector(self.connector)
        return connector, registry.action(connector, self.action)

    def values(self, scope: Scope = NO_SCOPE) -> dict[str, Any]:
        """What the action is given; files are read. Raises `InvalidRequest` for one that cannot be."""
        _, action = self.found()
        mapped = {name: filled(template, scope) for name, template in self.mapping.items()}
        # A cell cannot name a file by itself: whoever wrote the table may not be the one who may read the files.
        named = {name for name, text in {**self.given, **self.mapping}.items() if _names_file(text)}
        values = {**self.given, **mapped}
        return {
            name: _opened(action, name, value, self.folder) if name in named else value
            for name, value in values.items()
        }

    async def do(
        self,
        carrier: Carrier,
        extras: Mapping[str, str] = NOTHING,
        *,
        scope: Scope = NO_SCOPE,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Make the call, and give its result in the document's shape."""
        connector, action = self.found()
        values = await to_thread(self.values, scope)
        return await act(connector, action, values, carrier, extras, idempotency_key=idempotency_key)

    def check(self, scope: Scope) -> None:
        """Refuse what would be wrong with every row; `scope` is one of them, whose own faults are its own."""
        _, action = self.found()
        try:
            read_values(action, self.values(scope))
        except InvalidRequest as error:
            if error.code == "unknown_parameter" or not self._comes_from_rows(action, error.param or ""):
                raise

    def _comes_from_rows(self, action: Action, name: str) -> bool:
        """Whether another row may have a better value for what an error names."""
        name = PATH.split(name)[0]
        parameter = parameters_by_name(action).get(name)
        names = {name} if parameter is None else {name, parameter.name, parameter.key, root(parameter)}
        return not names.isdisjoint(self.mapping)


def parameters_by_name(action: Action) -> dict[str, Parameter]:
    """The parameters by what people may call them."""
    by_key = {parameter.key: parameter for parameter in action.parameters}
    return {**by_key, **{parameter.name: parameter for parameter in action.parameters}}


def names_of(action: Action) -> list[str]:
    """Every name that a value may be given under: of parameters, and of whole containers."""
    roots = (root(parameter) for parameter in action.parameters)
    return list(dict.fromkeys([*(one.name for one in action.parameters), *(name for name in roots if name)]))


def _names_file(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(AT)


def _opened(action: Action, name: str, value: str, folder: str) -> Any:
    """What the file that the value names holds, or the value where no file can be meant."""
    parameter = parameters_by_name(action).get(name)
    is_container = parameter is None and name in names_of(action)
    if parameter is not None and parameter.type == "file":
        path = Path(folder, value.removeprefix(AT))
        content_type = guess_type(path.name)[0] or FileValue.content_type
        return FileValue(path.name, _read(path, name), content_type)
    if is_container or (parameter is not None and parameter.type in STRUCTURED):
        return _read(Path(folder, value.removeprefix(AT)), name).decode(errors="replace")
    return value


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"'{name}' names the file {path}, which cannot be read: {error.strerror or error}.", param=name
        ) from error
