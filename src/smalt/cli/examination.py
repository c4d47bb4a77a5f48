"""Looks at this machine for what `smalt serve` needs."""

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smalt.cli.readiness import lacking_engines, models_of
from smalt.core.errors import ApiError, NotInstalled
from smalt.core.settings import Settings
from smalt.engines.extras import extras, install_command, missing_packages
from smalt.engines.host.policy import machine_memory_bytes
from smalt.models.catalog import Catalog

OLDEST, NEWEST = (3, 11), (3, 13)
GIB = 2**30
LONGEST_RUN_DIR = 80
"""A Unix socket's path may have about 104 bytes; its name needs some of them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `bad` means that serving would not work."""

    grade: Literal["ok", "note", "bad"]
    topic: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    yield _python()
    yield from _extras()
    yield _machine()
    yield _gpu()
    yield _sandbox(settings)
    try:
        catalog = Catalog(settings)
    except ApiError as error:
        yield Finding("bad", "settings", f"{error.message} Correct {_config_path()} or the environment.")
        return
    yield Finding("ok", "settings", str(_config_path()) if _config_path().is_file() else "none; the starter applies")
    yield _data_dir(settings.data_dir)
    yield _database(settings)
    yield _disk(settings, catalog)
    yield _port(settings.server.host, settings.server.port)
    yield from _engines(settings, catalog)
    yield from _models(settings, catalog)


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Finding("ok", "python", text)
    return Finding("bad", "python", f"{text}. Smalt runs on Python 3.11 to 3.13.")


def _extras() -> Iterator[Finding]:
    for extra in extras():
        if missing := missing_packages(extra):
            yield Finding(
                "note", "extra", f"{extra}: lacks {', '.join(missing)}. Get it with: {install_command(extra)}"
            )
        else:
            yield Finding("ok", "extra", f"{extra} is installed")


def _machine() -> Finding:
    memory = machine_memory_bytes()
    text = f"{os.cpu_count()} cores, {memory / GIB:.1f} GiB of memory"
    if memory < 3 * GIB:
        return Finding("note", "machine", f"{text}: little; the starter models together need about 2.5 GiB.")
    return Finding("ok", "machine", text)


def _gpu() -> Finding:
    found = [name for name, place in (("NVIDIA", "/dev/nvidia0"), ("AMD", "/dev/kfd")) if Path(place).exists()]
    if found:
        return Finding(
            "note", "gpu", f"{found[0]}. The local engines run on the CPU; serve vLLM there and name it as an upstream."
        )
    return Finding("ok", "gpu", "none, and none is needed")


def _sandbox(settings: Settings) -> Finding:
    from smalt.sandbox.bubblewrap import Bubblewrap

    try:
        program = Bubblewrap(settings.code_interpreter.bwrap).require()
    except NotInstalled as error:
        return Finding("note", "sandbox", error.message)
    return Finding("ok", "sandbox", f"{program} works, so code can be run")


def _config_path() -> Path:
    return Path(os.environ.get("SMALT_CONFIG", "smalt.toml")).absolute()


def _data_dir(data_dir: Path) -> Finding:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        return Finding(
            "bad", "data", f"{data_dir} cannot be written ({error.strerror}). Set SMALT_DATA_DIR to one that can."
        )
    if len(os.fsencode(data_dir / "run")) > LONGEST_RUN_DIR:
        return Finding(
            "bad", "data", f"{data_dir} is too long a path for Unix sockets. Set SMALT_DATA_DIR to a shorter one."
        )
    return Finding("ok", "data", f"{data_dir} can be written")


def _database(settings: Settings) -> Finding:
    from smalt.store.connecting import database_url, described
    from smalt.store.database import database_of
    from smalt.store.migrating import current_revision, newest_revision

    try:
        url = database_url(database_of(settings))
        revision = current_revision(url)
    except ApiError as error:
        return Finding("bad", "database", error.message)
    newest = newest_revision()
    if revision is not None and revision > newest:
        return Finding(
            "bad", "database", f"{described(url)} stands at revision {revision}; this Smalt knows up to {newest}."
        )
    stands = "new" if revision is None else f"revision {revision}"
    behind = "" if revision in {None, newest} else f"; `smalt migrate` brings it to {newest}"
    return Finding("ok", "database", f"{described(url)}: can be reached, {stands}{behind}")


def _disk(settings: Settings, catalog: Catalog) -> Finding:
    if not settings.data_dir.exists():
        return Finding("note", "disk", "unknown, because the data folder cannot be made")
    packs = {
        pack.name: pack
        for entry in catalog.entries.values()
        if not entry.is_installed(settings)
        for pack in entry.packs
    }
    needed = 2 * sum(pack.bytes for pack in packs.values())
    free = shutil.disk_usage(settings.data_dir).free
    text = f"{free / GIB:.1f} GiB free in the data folder"
    if free < needed:
        return Finding("note", "disk", f"{text}; pulling the models that are missing needs {needed / GIB:.1f} GiB.")
    return Finding("ok", "disk", text)


def _port(host: str, port: int) -> Finding:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        advice = "Stop what listens there, or choose another with: smalt serve --port PORT"
        return Finding("bad", "port", f"{host}:{port} cannot be had ({error.strerror}). {advice}")
    return Finding("ok", "port", f"{host}:{port} is free")


def _engines(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    names = list(dict.fromkeys(entry.deployment.engine for entry in catalog.entries.values()))
    asked_for = {made.engine for made in settings.deployments.values()}
    lacking = lacking_engines(settings, catalog)
    for name in names:
        if name not in lacking:
            yield Finding("ok", "engine", f"{name} can be loaded")
        elif name in asked_for or len(lacking) == len(names):
            yield Finding("bad", "engine", f"{name}: {lacking[name]}")
        else:
            unable = ", ".join(models_of(name, catalog))
            yield Finding("note", "engine", f"{name}: {lacking[name]} Until then there is no {unable}.")


def _models(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    for name, entry in catalog.entries.items():
        if entry.is_installed(settings):
            yield Finding("ok", "model", f"{name} is here")
        elif settings.offline:
            command = f"SMALT_OFFLINE=false smalt models pull {name}"
            yield Finding("bad", "model", f"{name}: weights are missing, and Smalt is offline. Run: {command}")
        else:
            command = f"smalt models pull {name}"
            yield Finding(
                "note", "model", f"{name}: weights are missing; they are fetched on first use, or by: {command}"
            )
