"""The words that connectors are described in: everything else about them is derived from these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ValueType = Literal[
    "string",
    "securestring",
    "integer",
    "number",
    "float",
    "double",
    "boolean",
    "object",
    "file",
    "array of string",
    "array of integer",
    "array of float",
    "array of object",
]
Method = Literal["GET", "POST", "DELETE", "PUT", "PATCH"]
Place = Literal["path", "query", "body", "selector", "custom", "limit"]
"""`selector` chooses among an action's operations; `custom` belongs to a call that is written by hand; `limit` is not
sent: it is the most items that the result keeps of the answer's list at `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One field of an action.

    `key` is the document's; `name` is what people type, the key unless two fields of the action share it. `at` says
    where the value goes in the request's body: names with dots, `[]` behind a list (`messages[].role`); the key when
    empty. `sent_as` is the type on the wire where it differs from the document's.
    """

    key: str
    title: str
    type: ValueType
    required: bool = False
    help: str = ""
    name: str = ""
    place: Place = "body"
    at: str = ""
    sent_as: ValueType | None = None
    choices: Sequence[str] = ()
    values_from: str = ""
    """The action whose answer lists the possible values (`list_models`)."""
    operations: Sequence[str] = ()
    """The operations it belongs to, by name; all of the action's when empty."""
    is_advanced: bool = False
    default: str | None = None
    """What is sent where nothing is given, for what a service requires and a document does not ask for."""
    repeats: str = ""
    """The parameter whose value it confirms, by name: the two must agree."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.key)
        object.__setattr__(self, "at", self.at or self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnField:
    """One field of an action's result: `path` has names with dots and goes through lists without a mark.

    `source` is where the value lies in the service's answer (`choices[0].text`); the same path when empty. Sources that
    are joined by ` + ` make one list, for answers that do not have the field itself.
    """

    path: str
    title: str
    type: str
    help: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The call that an action makes; `path` is relative to the connection's API root and may have `{parameter}`."""

    method: Method
    path: str
    name: str = ""
    title: str = ""
    body: Literal["json", "form", "none"] = "json"
    answer: Literal["json", "text", "binary"] = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that a connector does; one with several operations has a parameter whose place is `selector`."""

    name: str
    title: str
    description: str
    operations: Sequence[Operation]
    parameters: Sequence[Parameter] = ()
    returns: Sequence[ReturnField] = ()
    returns_type: str = ""
    """The document's name for the whole result, where it has one (`ExtensionsChatCompletionsResponse`)."""
    is_deprecated: bool = False
    is_hidden: bool = False
    """Whether the document has it commented out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionField:
    """What a connection asks for."""

    key: str
    title: str
    type: Literal["string", "securestring", "managedIdentity"]
    required: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKind:
    """A way to connect; `headers` are templates over the fields (`Bearer {api_key}`)."""

    name: str
    title: str
    description: str
    fields: Sequence[ConnectionField]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    token_scope: str = ""
    """The scope of the Entra ID token that a managed identity asks for."""
    regions: str = "All regions"
    is_shareable: bool = False
    is_deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `calls` in any `seconds`, per connection."""

    calls: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A nested type that the document describes beside the actions.

    `type` is `object` for one with fields, `array of` another definition, or the plain type that it is a name for.
    """

    name: str
    type: str = "object"
    fields: Sequence[ReturnField] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A connector: its actions, how one connects, and how fast it may be called.

    `base_url` is the API root of the cloud service, with connection fields in braces; `mount` is the same of a Smalt.
    """

    name: str
    title: str
    description: str
    publisher: str
    website: str
    privacy_policy: str
    categories: Sequence[str]
    brand_color: str
    base_url: str
    mount: str
    connections: Sequence[ConnectionKind]
    throttle: Throttle
    actions: Sequence[Action]
    definitions: Sequence[Definition] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
