"""Puts together what the content filter found in the stretches of one answer."""

from collections.abc import Mapping
from typing import Any

from smalt.safety.results import SEVERITIES

Json = dict[str, Any]
Results = Mapping[str, Any]


def gravest(known: Results, more: Results) -> Json:
    """The results of two stretches as those of one: of every kind what is worse."""
    both = known.keys() & more.keys()
    worst = {**known, **more, **{name: _graver(known[name], more[name]) for name in both}}
    return dict(sorted(worst.items()))


def filtered_kinds(results: Results) -> list[str]:
    """The kinds of which something was blocked."""
    return [name for name, result in results.items() if result.get("filtered")]


def _graver(known: Results, more: Results) -> Json:
    graver = {**known, **more}
    for name in ("filtered", "detected"):
        if name in graver:
            graver[name] = bool(known.get(name) or more.get(name))
    if "severity" in graver:
        graver["severity"] = max(known["severity"], more["severity"], key=SEVERITIES.index)
    if "details" in graver:
        graver["details"] = _together(known.get("details") or [], more.get("details") or [])
    return graver


def _together(known: list[Json], more: list[Json]) -> list[Json]:
    """All details; of those that have an id (a block list, a topic) one each."""
    details: dict[Any, Json] = {}
    for one in (*known, *more):
        key = one.get("id") or tuple(sorted(one.items()))
        details[key] = _graver(details[key], one) if key in details else one
    return list(details.values())
