"""Says what is wrong with a body in the words that OpenAI's clients know, from what pydantic found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from fastapi.exceptions import RequestValidationError

from smalt.core.errors import InvalidRequest

Loc = tuple[int | str, ...]

EXPECTED: dict[str, str] = {
    "string": "a string",
    "bytes": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "list": "an array",
    "tuple": "an array",
    "set": "an array",
    "dict": "an object",
    "model": "an object",
    "dataclass": "an object",
    "none": "null",
}
TYPE_SUFFIXES = ("_type", "_parsing", "_from_float", "_required", "_attributes_type")


@dataclass(frozen=True)
class Finding:
    """One pydantic error, with its place in the body as a client would write it."""

    kind: str
    path: Loc
    in_union: bool
    value: Any
    context: dict[str, Any]
    message: str

    @property
    def param(self) -> str:
        """The path as the reference writes it: `messages[0].content`."""
        return written(self.path)

    @property
    def is_type(self) -> bool:
        """Whether the value is of a wrong JSON type altogether."""
        return self.kind.endswith(TYPE_SUFFIXES)


def invalid_request(error: RequestValidationError) -> InvalidRequest:
    """The one 400 that names the likeliest of the faults found."""
    found: Sequence[Any] = error.errors()
    if found[0]["type"] == "json_invalid":
        return _malformed(found[0])
    if isinstance(error.body, (bytes, str)):
        return InvalidRequest("The body must be a JSON object sent with the header Content-Type: application/json.")
    findings = [_finding(item, error.body) for item in found]
    return _refusal(_likeliest(findings))


def _malformed(found: dict[str, Any]) -> InvalidRequest:
    reason = str(found.get("ctx", {}).get("error", "it is not valid JSON"))
    return InvalidRequest(
        f"We could not parse the JSON body of your request: {reason}. Send one JSON object, encoded as UTF-8, with "
        "the header Content-Type: application/json."
    )


def written(path: Loc) -> str:
    """A path as the reference writes it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _finding(item: dict[str, Any], body: Any) -> Finding:
    loc: Loc = tuple(item["loc"])
    where, rest = loc[0], loc[1:]
    path = _real_path(rest, body) if where == "body" else rest
    kind: str = item["type"]
    if kind == "missing" and rest and (not path or path[-1] != rest[-1]):
        path = (*path, rest[-1])
    elif kind == "missing" and _is_tag(path, body):
        path = (*path[:-2], path[-1])
    context: dict[str, Any] = item.get("ctx") or {}
    discriminator = str(context.get("discriminator", "")).strip("'")
    if kind.startswith("union_tag") and discriminator:
        path = (*path, discriminator)
    return Finding(kind, path, len(path) < len(rest), item.get("input"), context, str(item.get("msg", "")))


def _real_path(loc: Loc, body: Any) -> Loc:
    """The parts of a location that are in the body; the rest are names of union members."""
    path: list[int | str] = []
    here: Any = body
    for part in loc:
        if _holds(here, part):
            here = here[part]
            path.append(part)
    return tuple(path)


def _is_tag(path: Loc, body: Any) -> bool:
    """Whether a tag was taken for a field of its name, as in `{"type": "function", "function": {…}}`."""
    here: Any = body
    for part in path[:-2]:
        here = here[part]
    return len(path) > 1 and isinstance(here, dict) and cast("dict[str, Any]", here).get("type") == path[-2]


def _holds(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(cast("list[Any]", value))
    return isinstance(value, dict) and part in value


def _likeliest(findings: list[Finding]) -> Finding:
    """Of a union's many complaints, the one about the member that fitted best; else the first."""
    first = findings[0]
    if not first.in_union:
        return first
    rivals = [one for one in findings if one.path[: len(first.path)] == first.path or one.path == first.path]
    deepest = max(len(one.path) for one in rivals)
    best = [one for one in rivals if len(one.path) == deepest]
    precise = [one for one in best if not one.is_type and one.kind != "missing"]
    if precise:
        return precise[0]
    return _joined(best) if all(one.is_type for one in best) else best[0]


def _joined(findings: list[Finding]) -> Finding:
    """All the types that a union would have taken at one place."""
    same = [one for one in findings if one.path == findings[0].path]
    types = list(dict.fromkeys(name for one in same for name in _expected(one)))
    one = same[0]
    return Finding(one.kind, one.path, one.in_union, one.value, {"expected_types": types}, one.message)


def _refusal(finding: Finding) -> InvalidRequest:
    if finding.is_type:
        return _wrong_type(finding)
    for prefix, describe in _DESCRIPTIONS.items():
        if finding.kind.startswith(prefix):
            code, message = describe(finding)
            return InvalidRequest(message, param=finding.param or None, code=code)
    message = finding.message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return InvalidRequest(f"Invalid '{finding.param}': {message}.", param=finding.param or None, code="invalid_value")


def _wrong_type(finding: Finding) -> InvalidRequest:
    expected = one_of(_expected(finding))
    place = f"'{finding.param}'" if finding.param else "the request body"
    message = f"Invalid type for {place}: expected {expected}, but got {_named(finding.value)} instead."
    return InvalidRequest(message, param=finding.param or None, code="invalid_type")


def one_of(types: list[str]) -> str:
    """The types a place takes, in words."""
    if len(types) == 1:
        return types[0]
    return f"one of {', '.join(types[:-1])} or {types[-1]}"


def _expected(finding: Finding) -> list[str]:
    told: list[str] | None = finding.context.get("expected_types")
    return told or [EXPECTED.get(finding.kind.split("_")[0], "another type")]


def _named(value: Any) -> str:
    names: dict[type, str] = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        list: "an array",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), "something else")  # pyright: ignore[reportUnknownArgumentType]


def _missing(finding: Finding) -> tuple[str, str]:
    if not finding.param:
        return "missing_required_parameter", "The request has no body. Send a JSON object."
    return "missing_required_parameter", f"Missing required parameter: '{finding.param}'."


def _unknown(finding: Finding) -> tuple[str, str]:
    return "unknown_parameter", f"Unknown parameter: '{finding.param}'."


def _too_small(finding: Finding) -> tuple[str, str]:
    bound = finding.context.get("ge", finding.context.get("gt"))
    sign = ">=" if "ge" in finding.context else ">"
    kind = "decimal" if isinstance(bound, float) else "integer"
    message = f"Invalid '{finding.param}': {kind} below minimum value. Expected a value {sign} {_number(bound)}, "
    return f"{kind}_below_min_value", message + f"but got {_number(finding.value)} instead."


def _too_big(finding: Finding) -> tuple[str, str]:
    bound = finding.context.get("le", finding.context.get("lt"))
    sign = "<=" if "le" in finding.context else "<"
    kind = "decimal" if isinstance(bound, float) else "integer"
    message = f"Invalid '{finding.param}': {kind} above maximum value. Expected a value {sign} {_number(bound)}, "
    return f"{kind}_above_max_value", message + f"but got {_number(finding.value)} instead."


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:40]


def _string_too_long(finding: Finding) -> tuple[str, str]:
    most = finding.context.get("max_length")
    got = len(finding.value) if isinstance(finding.value, str) else "more"
    message = f"Invalid '{finding.param}': string too long. Expected a string with maximum length {most}, "
    return "string_above_max_length", message + f"but got a string with length {got} instead."


def _string_too_short(finding: Finding) -> tuple[str, str]:
    least = finding.context.get("min_length")
    message = f"Invalid '{finding.param}': string too short. Expected a string with minimum length {least}, "
    code = "empty_string" if finding.value == "" else "string_below_min_length"
    return code, message + f"but got {'an empty string' if finding.value == '' else 'a shorter one'} instead."


def _too_long(finding: Finding) -> tuple[str, str]:
    most, got = finding.context.get("max_length"), finding.context.get("actual_length") or "more"
    if isinstance(finding.value, dict):
        message = f"Invalid '{finding.param}': too many properties. Expected an object with at most {most} properties, "
        return "object_above_max_properties", message + f"but got an object with {got} properties instead."
    message = f"Invalid '{finding.param}': array too long. Expected an array with maximum length {most}, "
    return "array_above_max_length", message + f"but got an array with length {got} instead."


def _too_short(finding: Finding) -> tuple[str, str]:
    least, got = finding.context.get("min_length"), finding.context.get("actual_length")
    if not got:
        message = f"Invalid '{finding.param}': empty array. Expected an array with minimum length {least}, "
        return "empty_array", message + "but got an empty array instead."
    message = f"Invalid '{finding.param}': array too short. Expected an array with minimum length {least}, "
    return "array_below_min_length", message + f"but got an array with length {got} instead."


def _not_a_choice(finding: Finding) -> tuple[str, str]:
    choices = finding.context.get("expected") or finding.context.get("expected_tags") or ""
    value = finding.context.get("tag", finding.value)
    shown = json.dumps(value, default=str)[:80].strip('"')
    return "invalid_value", f"Invalid value: '{shown}'. Supported values are: {choices}."


def _pattern(finding: Finding) -> tuple[str, str]:
    pattern = finding.context.get("pattern")
    message = f"Invalid '{finding.param}': string does not match pattern. Expected a string that matches the pattern "
    return "invalid_value", f"{message}'{pattern}'."


_DESCRIPTIONS = {
    "missing": _missing,
    "union_tag_not_found": _missing,
    "union_tag_invalid": _not_a_choice,
    "literal_error": _not_a_choice,
    "enum": _not_a_choice,
    "extra_forbidden": _unknown,
    "greater_than": _too_small,
    "less_than": _too_big,
    "string_too_long": _string_too_long,
    "string_too_short": _string_too_short,
    "string_pattern_mismatch": _pattern,
    "too_long": _too_long,
    "too_short": _too_short,
}
