"""Knows the extras of this installation: what each brings, and what of it is missing."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata

DISTRIBUTION = "smalt"


@cache
def extras() -> dict[str, tuple[str, ...]]:
    """Every extra with the packages it brings, those of the extras inside it included."""
    found: dict[str, list[str]] = {name: [] for name in metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ()}
    for line in metadata.requires(DISTRIBUTION) or ():
        requirement, _, marker = line.partition(";")
        if extra := re.search(r"""extra\s*==\s*["']([^"']+)["']""", marker):
            found[extra[1]].extend(_packages(requirement, extra[1]))
    return {name: tuple(dict.fromkeys(_flat(packages, found))) for name, packages in found.items()}


def missing_packages(extra: str) -> tuple[str, ...]:
    """The packages of an extra that are not installed; none for an extra nobody knows."""
    return tuple(package for package in extras().get(extra, ()) if not _is_installed(package))


def install_command(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def _packages(requirement: str, extra: str) -> list[str]:
    """The package a requirement names, or `+extra` for each extra of our own that it names."""
    name, _, inner = requirement.strip().partition("[")
    if name == DISTRIBUTION and inner:
        return [f"+{word.strip()}" for word in inner.partition("]")[0].split(",") if word.strip() != extra]
    named = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return [named[0]] if named else []


def _flat(packages: Iterable[str], found: dict[str, list[str]]) -> Iterable[str]:
    for package in packages:
        if package.startswith("+"):
            yield from _flat(found.get(package[1:], ()), found)
        else:
            yield package


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
