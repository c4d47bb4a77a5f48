"""The calls that an exported connector makes: one for every action, or for every operation in the cloud."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from smalt.connectors.containers import root
from smalt.connectors.definitions.vocabulary import Action, Connector, Operation, Parameter
from smalt.connectors.facade.finding import BY_NAME, paths
from smalt.connectors.values import parameters_of

WITHOUT_BODY: Final = ("GET", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCall:
    """One operation of an exported definition.

    `operation` is None where the facade chooses it by a parameter. `real_path` is where a call goes that cannot have
    its real path in a definition because another call has it.
    """

    name: str
    title: str
    method: str
    path: str
    action: Action
    operation: Operation | None
    in_path: Sequence[Parameter] = ()
    in_query: Sequence[Parameter] = ()
    in_body: Sequence[Parameter] = ()
    real_path: str = ""
    is_cloud: bool = False

    @property
    def is_form(self) -> bool:
        """Whether the body is a form, because there is a file in it."""
        if self.operation is not None and self.is_cloud:
            return self.operation.body == "form"
        return any(parameter.type == "file" for parameter in self.in_body)

    @property
    def is_nested(self) -> bool:
        """Whether the body has the shape of the service's own request; otherwise its fields stand side by side.

        Where everything lies in one list (`messages`), people fill in its fields. Where there is more to tell apart,
        they need to see what belongs to what.
        """
        inner = [parameter for parameter in self.in_body if root(parameter) is not None]
        return self.is_cloud or len({root(parameter) for parameter in inner}) > 1

    def name_of(self, parameter: Parameter) -> str:
        """What the parameter is called in the request."""
        return parameter.at if self.is_cloud else parameter.name


def calls(connector: Connector, *, is_cloud: bool = False) -> Sequence[ExportedCall]:
    """Every call of the connector, with methods and paths that no two share."""
    found: list[ExportedCall] = []
    taken: set[tuple[str, str]] = set()
    for action in connector.actions:
        for call in _in_the_cloud(action) if is_cloud else _on_smalt(action, taken):
            unique = _apart(call) if (call.method, call.path) in taken else call
            taken.add((unique.method, unique.path))
            found.append(unique)
    return found


def _on_smalt(action: Action, taken: set[tuple[str, str]]) -> Iterator[ExportedCall]:
    method, path = next(each for each in paths(action) if each not in taken)
    is_by_name = (method, path) == (BY_NAME, f"/{action.name}")
    places = {"path": "query", "selector": "query"} if is_by_name else {}
    yield _placed(
        ExportedCall(
            name=camel(action.name),
            title=action.title,
            method=method,
            path=path,
            action=action,
            operation=action.operations[0] if len(action.operations) == 1 else None,
        ),
        [(places.get(each.place, each.place), each) for each in action.parameters],
    )


def _in_the_cloud(action: Action) -> Iterator[ExportedCall]:
    if any(parameter.place == "custom" for parameter in action.parameters):
        return  # its path is not known before it is called
    for operation in action.operations:
        is_one_of_many = len(action.operations) > 1
        parameters = parameters_of(action, operation)
        yield _placed(
            ExportedCall(
                name=camel(operation.name if is_one_of_many else action.name),
                title=operation.title if is_one_of_many else action.title,
                method=operation.method,
                path=operation.path,
                action=action,
                operation=operation,
                is_cloud=True,
            ),
            [(each.place, each) for each in parameters if each.place not in {"selector", "limit"}],
        )


def _placed(call: ExportedCall, parameters: Sequence[tuple[str, Parameter]]) -> ExportedCall:
    rest = "query" if call.method in WITHOUT_BODY else "body"

    def at(place: str) -> Sequence[Parameter]:
        return [each for wanted, each in parameters if (wanted if wanted in {"path", "query"} else rest) == place]

    return replace(call, in_path=at("path"), in_query=at("query"), in_body=at("body"))


def _apart(call: ExportedCall) -> ExportedCall:
    return replace(call, path=f"{call.path}/{call.action.name}", real_path=call.path)


def camel(name: str) -> str:
    """`get_chat_completions` as `GetChatCompletions`."""
    return "".join(part.capitalize() for part in name.split("_"))
