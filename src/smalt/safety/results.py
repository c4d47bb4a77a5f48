"""Writes what was found as the reference's results."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smalt.core.content_filter_settings import Detection, Severity
from smalt.core.errors import ApiError

Results = dict[str, Any]

SEVERITIES: Final = ("safe", "low", "medium", "high")


def harm(threshold: Severity, severity: str) -> Results:
    """A kind of harm of some severity, blocked at and above `threshold`."""
    is_blocked = threshold != "annotate" and SEVERITIES.index(severity) >= SEVERITIES.index(threshold)
    return {"filtered": is_blocked, "severity": severity}


def detection(wanted: Detection, *, is_there: bool) -> Results:
    """Something that is there or not."""
    return {"filtered": is_there and wanted == "block", "detected": is_there}


def custom_blocklists(matching: Sequence[str]) -> Results:
    """The block lists that matched."""
    if not matching:
        return {"filtered": False}
    return {"details": [{"filtered": True, "id": name} for name in matching], "filtered": True}


def gravest(known: Mapping[str, Any], more: Mapping[str, Any]) -> Results:
    """Two results as one, by name as Azure writes them: of every kind what is worse."""
    both = known.keys() & more.keys()
    worst = {**known, **more, **{name: _graver(known[name], more[name]) for name in both}}
    return dict(sorted(worst.items()))


def failure(error: ApiError) -> Results:
    """Nothing could be judged."""
    return {"error": {"code": error.status, "message": error.message}}


def is_filtered(results: Mapping[str, Any]) -> bool:
    """Whether something of it is blocked."""
    return any(result.get("filtered") for result in results.values())


def filtered_kinds(results: Mapping[str, Any]) -> list[str]:
    """The kinds of which something was blocked."""
    return [name for name, result in results.items() if result.get("filtered")]


def _graver(known: Mapping[str, Any], more: Mapping[str, Any]) -> Results:
    graver = {**known, **more}
    for name in ("filtered", "detected"):
        if name in graver:
            graver[name] = bool(known.get(name) or more.get(name))
    if "severity" in graver:
        graver["severity"] = max(known["severity"], more["severity"], key=SEVERITIES.index)
    if "details" in graver:
        graver["details"] = _together(known.get("details") or [], more.get("details") or [])
    return graver


def _together(known: list[Results], more: list[Results]) -> list[Results]:
    """All details; of those that have an id (a block list, a topic) one each."""
    details: dict[Any, Results] = {}
    for one in (*known, *more):
        key = one.get("id") or tuple(sorted(one.items()))
        details[key] = _graver(details[key], one) if key in details else one
    return list(details.values())
