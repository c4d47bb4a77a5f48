"""The Python that foreign code gets: this machine's own interpreter and a few packages, nothing else of the host."""

import importlib.metadata
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGES = "/opt/packages"
AGENT = "/opt/agent"

OFFERED = (
    "numpy",
    "pandas",
    "matplotlib",
    "scipy",
    "scikit-learn",
    "sympy",
    "seaborn",
    "statsmodels",
    "networkx",
    "pillow",
    "openpyxl",
    "tabulate",
)
"""What foreign code may import beside the standard library, as far as it is installed here."""

SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32", "/usr/share/zoneinfo")
NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or a folder of the host, and where it is seen inside, for reading only."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class PythonFiles:
    """The interpreter's program, what it needs, links to make, and folders that must look empty."""

    program: str
    binds: tuple[Bind, ...]
    links: tuple[Bind, ...]
    hidden: tuple[str, ...]
    packages: tuple[str, ...]
    """The offered packages that are there."""


@cache
def python_files() -> PythonFiles:
    """Find them; the same for the life of the process."""
    program = str(Path(sys.executable).resolve())
    base = Path(sys.base_prefix).resolve()
    libraries = [] if base == Path("/usr") else [Bind(str(base / "lib"), str(base / "lib"))]
    system = [Path(one) for one in SYSTEM if Path(one).exists()]
    folders = [Bind(str(one), str(one)) for one in system if not one.is_symlink()]
    links = [Bind(str(one.readlink()), str(one)) for one in system if one.is_symlink()]
    files = [Bind(program, program)]
    cache_of_loader = Path("/etc/ld.so.cache")
    if cache_of_loader.is_file():
        files.append(Bind(str(cache_of_loader), str(cache_of_loader)))
    found = _distributions()
    site = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)})) / "site-packages"
    return PythonFiles(
        program,
        (*folders, *libraries, *files, *_agent(), *_packages(found.values())),
        tuple(links),
        (str(site),) if site.is_dir() else (),
        tuple(name for name in OFFERED if name in found),
    )


def _agent() -> Iterator[Bind]:
    folder = Path(__file__).parent / "agent"
    yield Bind(str(folder), f"{AGENT}/smalt/sandbox/agent")


def _distributions() -> dict[str, importlib.metadata.Distribution]:
    """The offered packages and whatever they require, by name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    wanted: list[str] = list(OFFERED)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted.extend(_required(found[name]))
    return found


def _required(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for requirement in distribution.requires or []:
        named = NAME.match(requirement)
        if named and "extra ==" not in requirement:
            yield named[0].lower().replace("_", "-")


def _packages(distributions: Iterable[importlib.metadata.Distribution]) -> Iterator[Bind]:
    """The top folders and files of the packages, as `site-packages` has them."""
    tops: dict[str, str] = {}
    for distribution in distributions:
        # The library's own reading of this list takes most of a second for some packages.
        for line in (distribution.read_text("RECORD") or "").splitlines():
            top = line.partition(",")[0].partition("/")[0].strip('"')
            if top not in ("", "..", "__pycache__") and top not in tops:
                tops[top] = str(distribution.locate_file(top))
    for top, source in tops.items():
        if Path(source).exists():
            yield Bind(source, f"{PACKAGES}/{top}")
