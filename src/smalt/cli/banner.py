"""What `smalt serve` prints when it is ready."""

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smalt.core.settings import Settings

KEY_VARIABLE = "SMALT_API_KEY"
STARTER_CHAT = "gpt-4o-mini"
CHATLESS = re.compile("embedding|moderation")
"""In the names of engines that cannot chat, for a deployment that does not say what it can."""


def banner(settings: "Settings", base_url: str, secret: str | None) -> str:
    """The text: addresses, the key if it was just made, and a line to try."""
    lines = [
        "Smalt is ready.",
        "",
        f"  Azure OpenAI v1    {base_url}/openai/v1",
        f"  Azure OpenAI       {base_url}   (api-version in the query)",
        f"  OpenAI             {base_url}/v1",
        f"  Documentation      {base_url}/docs",
        f"  API key            {_key(settings, secret)}",
        *(f"  {title:<18} {text}" for title, text in _models(settings)),
        "",
        "Try it:",
        "",
        f"  {curl(settings, base_url, secret)}",
        "",
        "Ctrl-C stops the server.",
    ]
    return "\n".join(lines)


def curl(settings: "Settings", base_url: str, secret: str | None) -> str:
    """A shell command that asks this server something, all on one line."""
    parts = ["curl", "-sS"]
    if settings.auth.enabled:
        # Double quotes let the shell put the variable's value in.
        parts += ["-H", f"'api-key: {secret}'" if secret else f'"api-key: ${KEY_VARIABLE}"']
    model = chat_model(settings)
    if model is None:
        return " ".join([*parts, f"{base_url}/openai/v1/models"])
    # At the usual temperature the starter model may babble, which is no good first impression.
    asked = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "temperature": 0}
    quoted = json.dumps(asked, ensure_ascii=True).replace("'", "\\u0027")
    return " ".join([*parts, "-H", "'Content-Type: application/json'", "-d", f"'{quoted}'", _chat_url(base_url)])


def chat_model(settings: "Settings") -> str | None:
    """A model to chat with; None when the settings name none for sure."""
    if settings.starter:
        return STARTER_CHAT
    for name, deployment in settings.deployments.items():
        can = deployment.abilities
        if "chat_completion" in can if can is not None else not CHATLESS.search(deployment.engine):
            return name
    return None


def _chat_url(base_url: str) -> str:
    return f"{base_url}/openai/v1/chat/completions"


def _models(settings: "Settings") -> "Iterator[tuple[str, str]]":
    """The models that answer, and one line for each engine that lacks something."""
    from smalt.cli.readiness import lacking_engines, models_of
    from smalt.models.catalog import Catalog

    catalog = Catalog(settings)
    lacking = lacking_engines(settings, catalog)
    able = [name for name, entry in catalog.entries.items() if entry.deployment.engine not in lacking]
    yield "Models", ", ".join(able) or "none"
    for engine, advice in lacking.items():
        yield "Not available", f"{', '.join(models_of(engine, catalog))}: {advice}"


def _key(settings: "Settings", secret: str | None) -> str:
    if not settings.auth.enabled:
        return "none is asked for (auth.enabled = false)"
    if secret:
        return f"{secret}   (shown only now; make others with: smalt keys create NAME)"
    return f"put yours into ${KEY_VARIABLE}, or make one with: smalt keys create NAME"
