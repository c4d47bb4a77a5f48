"""Writes the generated pages: `docs/settings.md` from the settings' fields, `docs/commands.md` from the commands."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from smalt.cli.commands import app
from smalt.core.content_filter_settings import AnswerPolicySettings, ContentPolicySettings, PromptPolicySettings
from smalt.core.settings import DeploymentSettings, Settings

HERE = Path(__file__).parent
NOTICE = "<!-- Written by `make docs` from the code; change the code, not this page. -->\n"
SETTINGS_HEAD = """# Settings

Smalt runs without any. Settings come, strongest first, from command-line options, the environment and a TOML file:
`smalt.toml` in the working folder, or the file that `--config` or `SMALT_CONFIG` names. A field of a table is written
`SMALT_TABLE__FIELD` in the environment: `SMALT_SERVER__PORT=9000`. A field nobody knows is an error, so a typing slip
is seen at start.

```toml
data_dir = "/srv/smalt"

[server]
port = 8080

[limits]
requests_per_minute = 600

[deployments.qwen]
engine = "llama_cpp"
weights = { model = "/models/qwen2.5-1.5b-instruct-q4_k_m.gguf" }
options = { context = 8192, parallel = 4 }

[deployments.far]
engine = "upstream"
base_url = "http://127.0.0.1:8000/v1"
model = "meta-llama/Llama-3.1-8B-Instruct"

[aliases]
gpt-4o = "qwen"
```
"""
POLICIES_HEAD = """One policy of the [content filter](content-filters.md). A harm is `off`, only told of (`annotate`),
or blocked from a severity on (`low`, `medium`, `high`); everything else is `off`, `annotate` or `block`.
"""
COMMANDS_HEAD = """# Commands

Every command takes `--help`. In a checkout they are in `.venv/bin`; `make serve` is
`smalt serve` with its installation.
"""


def default_of(field: FieldInfo) -> str:
    """How a field's default reads in the table."""
    if field.is_required():
        return "required"
    if field.annotation is Path:
        return "`~/.local/share/smalt`"
    if field.default_factory is not None or field.default is None:
        return ""
    return f"`{str(field.default).lower()}`" if isinstance(field.default, bool) else f"`{field.default}`"


def rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """One table row a field; nested tables are described under their own heading."""
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        if not nested and name != "deployments":
            yield f"| `{prefix}{name}` | {default_of(field)} | {field.description or ''} |\n"


def table(model: type[BaseModel], prefix: str = "") -> str:
    """A model's fields as a table."""
    return "| setting | default | meaning |\n|---|---|---|\n" + "".join(rows(model, prefix))


def settings_page() -> str:
    """The settings reference."""
    parts = [NOTICE, SETTINGS_HEAD, "\n## Top level\n\n", table(Settings)]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts += [f"\n## [{name}]\n\n{field.annotation.__doc__}\n\n", table(field.annotation, f"{name}.")]
    parts += [f"\n## [deployments.NAME]\n\n{DeploymentSettings.__doc__}\n\n", table(DeploymentSettings)]
    parts += [f"\n## [content_filter.policies.NAME]\n\n{POLICIES_HEAD}\n", table(ContentPolicySettings)]
    for name, model in (("prompts", PromptPolicySettings), ("answers", AnswerPolicySettings)):
        parts += [f"\n### [content_filter.policies.NAME.{name}]\n\n{model.__doc__}\n\n", table(model)]
    return "".join(parts)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below `command`, with its full name; typer brings its own classes, so these go by their fields."""
    if getattr(command, "commands", None):
        for name in sorted(command.commands):
            yield from commands(command.commands[name], f"{path} {name}")
    elif not command.hidden:
        yield path, command


def describe(path: str, command: Any) -> str:
    """One command: its usage, its help, its options."""
    usage = " ".join(command.collect_usage_pieces(command.make_context(path, [], resilient_parsing=True)))
    lines = [f"\n## {path}\n\n```\n{path} {usage}\n```\n\n{(command.help or '').strip()}\n"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    if options:
        lines.append("\n| option | meaning |\n|---|---|\n")
        lines += [f"| `{', '.join(option.opts)}` | {option.help or ''} |\n" for option in options]
    return "".join(lines)


def commands_page() -> str:
    """The command reference."""
    root = typer.main.get_command(app)
    return NOTICE + COMMANDS_HEAD + "".join(describe(*pair) for pair in commands(root, "smalt"))


PAGES = {"settings.md": settings_page, "commands.md": commands_page}


def main() -> int:
    """Write every page; with --check, only say which are stale (exit status 1)."""
    stale = [name for name, page in PAGES.items() if not (HERE / name).exists() or (HERE / name).read_text() != page()]
    if "--check" in sys.argv:
        print("\n".join(f"docs/{name} is stale: run make docs" for name in stale))
        return int(bool(stale))
    for name in stale:
        (HERE / name).write_text(PAGES[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
