"""Does an action: reads what it is given, makes the call, and shapes the answer."""

from collections.abc import Mapping
from typing import Any

from smalt.connectors.calls import NOTHING, make_call
from smalt.connectors.definitions.vocabulary import Action, Connector
from smalt.connectors.exchange import Carrier, OutgoingCall
from smalt.connectors.masking import without_credentials
from smalt.connectors.refusals import NotServed, is_unserved
from smalt.connectors.results import shaped, shortened
from smalt.connectors.search_access import keys_of
from smalt.connectors.values import read_values
from smalt.core.errors import ApiError, UnsupportedValue


async def act(
    connector: Connector,
    action: Action,
    given: Mapping[str, Any],
    carrier: Carrier,
    extras: Mapping[str, str] = NOTHING,
    *,
    idempotency_key: str | None = None,
) -> dict[str, Any]:
    """The result of the action for the values that it is given, in the document's shape."""
    values = read_values(action, given)
    operation, call = make_call(connector, action, values, extras)
    _refuse_streams(call)
    answer = without_credentials(await carrier.send(call, idempotency_key=idempotency_key), keys_of(extras))
    try:
        return shortened(action, values, shaped(action, operation, answer))
    except ApiError as error:
        if not is_unserved(error):
            raise
        raise NotServed(
            f"This server does not serve {action.title!r} yet ({call.method} {call.path}). Update it, or use a "
            f"connection to a service that does."
        ) from error


def _refuse_streams(call: OutgoingCall) -> None:
    body: Any = call.body
    given = call.query.get("stream")
    asked: list[Any] = [*([given] if isinstance(given, str) else given or ()), dict(call.fields).get("stream")]
    if isinstance(body, dict):
        asked.append(body.get("stream"))  # pyright: ignore[reportUnknownMemberType] - any JSON object
    if any(value is True or value == "true" for value in asked):
        raise UnsupportedValue(
            "A connector's answer comes whole. Leave 'stream' out, or set it to false.", param="stream"
        )
