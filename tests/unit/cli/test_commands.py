"""The commands that need no server, as a person runs them."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from smalt import __version__
from smalt.cli.commands import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SMALT_CONFIG", str(tmp_path / "smalt.toml"))
    (tmp_path / "smalt.toml").write_text("starter = false\n")

    def invoke(*arguments, exit_code=0):
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return invoke


def smalt(*arguments):
    return subprocess.run([sys.executable, "-m", "smalt", *arguments], capture_output=True, text=True, check=False)


def test_the_version_is_told(run):
    assert run("version").output == f"smalt {__version__}\n"


def test_help_names_every_command(run):
    said = run("--help").output
    names = (
        "serve",
        "chat",
        "transcribe",
        "speak",
        "models",
        "keys",
        "jobs",
        "prompts",
        "usage",
        "doctor",
        "migrate",
        "bench",
        "version",
    )
    for name in names:
        assert f" {name} " in said


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["keys", "--help"], ["version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys\nfrom smalt.cli.commands import app\ntry: app(sys.argv[1:])\nexcept SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & {"sqlalchemy", "fastapi", "uvicorn", "aiohttp", "alembic", "numpy", "pydantic_settings"}


def test_a_key_is_made_listed_and_revoked(run):
    made = run("keys", "create", "app", "--project", "shop", "--requests-per-minute", "5")
    secret = made.stdout.strip()
    assert secret.startswith("sk-smalt-")
    (listed,) = json.loads(run("keys", "list", "--json").stdout)
    assert (listed["name"], listed["project"], listed["requests_per_minute"]) == ("app", "shop", 5)
    assert secret not in json.dumps(listed)
    assert "shop" in run("keys", "list").stdout
    assert "Revoked the key 'app'" in run("keys", "revoke", "app").stdout
    assert json.loads(run("keys", "list", "--json").stdout) == []
    assert len(json.loads(run("keys", "list", "--all", "--json").stdout)) == 1


def test_a_made_key_can_be_had_as_json(run):
    made = json.loads(run("keys", "create", "app", "--json").stdout)
    assert made["key"].startswith("sk-smalt-")
    assert made["project"] == "default"


def test_usage_of_nothing_is_an_empty_list(run):
    assert json.loads(run("usage", "--by", "model", "--since", "7d", "--json").stdout) == []
    assert "requests" in run("usage").stdout


def test_a_day_nobody_can_read_is_refused(run):
    assert "7d for seven days" in " ".join(run("usage", "--since", "yesterday", exit_code=2).stderr.split())


def test_migrating_says_what_it_did(run):
    assert "from nothing to revision" in run("migrate").stdout
    assert "up to date" in run("migrate").stdout


def test_a_failure_is_one_line_and_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path))
    done = smalt("keys", "revoke", "nobody")
    assert done.returncode == 1
    assert done.stderr == "smalt: No live key has the name or id 'nobody'. See: smalt keys list\n"


def test_config_may_stand_before_or_behind_the_command(tmp_path, monkeypatch):
    monkeypatch.delenv("SMALT_CONFIG", raising=False)
    for arguments in (["--config", "no.toml", "keys", "list"], ["keys", "list", "--config", "no.toml"]):
        done = smalt(*arguments)
        assert done.returncode == 2
        assert "no.toml" in done.stderr


def test_help_imports_nothing_heavy():
    heavy = ["aiohttp", "fastapi", "pydantic", "sqlalchemy", "uvicorn"]
    asked = f"import sys, smalt.cli.commands; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
