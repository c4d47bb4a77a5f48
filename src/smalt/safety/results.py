"""Writes what was found as the reference's results."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smalt.core.errors import ApiError
from smalt.core.settings import Detection, Severity

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


def graver(known: Results, more: Results) -> Results:
    """Both together; of a kind of harm that is in both, what is worse."""
    both = {**known, **more}
    for name in known.keys() & more.keys():
        both[name] = max(known[name], more[name], key=_gravity)
    return both


def failure(error: ApiError) -> Results:
    """Nothing could be judged."""
    return {"error": {"code": error.status, "message": error.message}}


def is_filtered(results: Mapping[str, Any]) -> bool:
    """Whether something of it is blocked."""
    return any(result.get("filtered") for result in results.values())


def in_order(results: Mapping[str, Any]) -> Results:
    """The results as Azure writes them, by name."""
    return dict(sorted(results.items()))


def _gravity(result: Mapping[str, Any]) -> int:
    return SEVERITIES.index(result.get("severity", "safe"))
